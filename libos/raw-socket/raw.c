/*
 * Raw sockets (raw(7), ipv6(7)): IP packets of one protocol, for root. Ping sockets (icmp(7)): echo requests and their answers, for everybody. Each has a raw control block of
 * lwIP's, which sees packets before lwIP's own protocols and leaves them to these: a socket has a copy. What arrived waits in inet-socket's list.
 */
#include "raw-socket/internal.h"
#include "lwip/icmp.h"
#include "lwip/inet_chksum.h"
#include "lwip/prot/icmp.h"
#include "lwip/prot/icmp6.h"
#include "lwip/prot/ip4.h"

enum { IPPROTO_RAW = 255, PACKET_MOST = 65535, CODE = 1, CHECKSUM = 2, IDENTIFIER = 4, ECHO_HEADER = 8 };

static uint8_t echo_type(const struct raw_socket *it, bool answer) {
    if (inet_is6(&it->inet)) return answer ? ICMP6_TYPE_EREP : ICMP6_TYPE_EREQ;
    return answer ? ICMP_ER : ICMP_ECHO;
}

/* Does the socket want it? header: where what is behind the IP header begins. */
static bool is_wanted(const struct raw_socket *it, struct pbuf *p, u16_t header, bool six) {
    uint8_t bytes[ECHO_HEADER];
    uint16_t identifier;
    bool has_icmp = it->inet.socket.protocol == (six ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
    if (!has_icmp) return true;
    if (pbuf_copy_partial(p, bytes, sizeof bytes, header) < sizeof bytes) return !raw_is_ping(it);
    if (!raw_is_ping(it)) return !(six ? it->filter6[bytes[0] >> 5] >> (bytes[0] & 31) & 1 : bytes[0] < 32 && it->filter >> bytes[0] & 1);
    memcpy(&identifier, bytes + IDENTIFIER, sizeof identifier);
    return bytes[0] == echo_type(it, true) && !bytes[CODE] && it->inet.local_port && lwip_ntohs(identifier) == it->inet.local_port;
}

/* What the program's filter leaves of it, in one piece as it is. */
static bool passes_filter(const struct raw_socket *it, struct pbuf *p, bool six) {
    const uint8_t *bytes = p->payload;
    struct filter_packet packet = {.bytes = bytes, .size = p->tot_len, .link = bytes, .network = bytes, .end = bytes + p->tot_len, .protocol = six ? 0x86dd : 0x0800,
                                   .interface = netif_get_index(ip_current_input_netif())};
    uint32_t kept = filter_take(&it->packets, &packet);
    if (kept && kept < p->tot_len) pbuf_realloc(p, (u16_t)kept);
    return kept != 0;
}

static u8_t arrived(void *argument, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from) {
    struct raw_socket *it = argument;
    bool six = IP_IS_V6(from);
    u16_t header = ip_current_header_tot_len();
    (void)pcb;
    if (p->tot_len < header || !is_wanted(it, p, header, six)) return 0;
    struct pbuf *copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
    if (!copy) it->inet.dropped++;
    else {
        /* IPv4's header goes to the program with what a raw socket receives (raw(7)), IPv6's does not (RFC 3542, section 3). */
        struct ip_hdr *own = copy->payload;
        if (six || raw_is_ping(it)) pbuf_remove_header(copy, header);
        else if (!IPH_CHKSUM(own)) IPH_CHKSUM_SET(own, inet_chksum(own, header)); /* loopback's packets have none */
        if (passes_filter(it, copy, six)) inet_enqueue(&it->inet, copy, from, 0);
        else pbuf_free(copy);
    }
    return 0; /* lwIP has it, too */
}

static int bind(struct socket *socket, const struct address *address) {
    struct raw_socket *it = raw_of(socket);
    ip_addr_t ip;
    uint16_t port;
    int error = inet_address_in(&it->inet, address, &ip, &port);
    if (error) return error;
    if (!ip_addr_isany(&ip) && !ip_addr_ismulticast(&ip) && !inet_is_own(&ip)) return -EADDRNOTAVAIL;
    if (IP_IS_V6(&ip) != inet_is6(&it->inet)) return -EINVAL;
    if (raw_is_ping(it)) {
        if (it->inet.port_bound) return -EINVAL;
        for (const struct inet_socket *other = inet_ports[port % INET_PORT_BUCKETS]; port && other; other = other->next)
            if (other != &it->inet && other->local_port == port && other->socket.protocol == socket->protocol) return -EADDRINUSE;
        inet_leave_port(&it->inet);
        if (port) inet_enter_port(&it->inet, port);
        else if ((error = inet_take_port(&it->inet))) return error;
        it->inet.port_bound = true;
    }
    it->inet.local = ip;
    it->inet.address_bound = !ip_addr_isany(&ip);
    return inet_error(raw_bind(it->inet.raw, &ip));
}

static int connect(struct socket *socket, const struct address *address, bool wait) {
    struct raw_socket *it = raw_of(socket);
    struct inet_socket *inet = &it->inet;
    ip_addr_t to, source = inet->local;
    struct netif *netif;
    uint16_t port;
    (void)wait;
    if (address->length < sizeof address->family) return -EINVAL;
    raw_disconnect(inet->raw);
    if (address->family == AF_UNSPEC) {
        inet->state = INET_NEW;
        inet->remote_port = 0;
        ip_addr_set_any_val(inet_is6(inet), inet->remote);
        if (!inet->address_bound) ip_addr_set_any_val(inet_is6(inet), inet->local);
        return inet_error(raw_bind(inet->raw, &inet->local));
    }
    int error = inet_address_in(inet, address, &to, &port);
    if (!error && IP_IS_V6(&to) != inet_is6(inet)) error = -ENETUNREACH;
    if (!error) error = inet_find_way(inet, &to, &source, 0, &netif);
    if (!error && raw_is_ping(it)) error = inet_take_port(inet);
    if (error) return error;
    inet->local = source;
    inet->remote = to;
    inet->remote_port = port;
    inet->state = INET_CONNECTED;
    return inet_error(raw_connect(inet->raw, &to));
}

/* An echo request gets the socket's identifier, and its checksum (IPv6's is made on the way). */
static int finish_echo(const struct raw_socket *it, uint8_t *bytes, size_t size) {
    uint16_t word = lwip_htons(it->inet.local_port);
    if (bytes[0] != echo_type(it, false) || bytes[CODE]) return -EINVAL;
    memcpy(bytes + IDENTIFIER, &word, sizeof word);
    memset(bytes + CHECKSUM, 0, sizeof word);
    if (inet_is6(&it->inet)) return 0;
    word = inet_chksum(bytes, (u16_t)size);
    memcpy(bytes + CHECKSUM, &word, sizeof word);
    return 0;
}

/* What Linux fills in of a header that the program made (raw(7)): length and checksum always, source and identifier where they are 0. */
static int finish_header(struct pbuf *p, struct inet_destination *way, const struct netif *netif) {
    static uint16_t identifier;
    struct ip_hdr *header = p->payload;
    if (p->tot_len < IP_HLEN || IPH_HL_BYTES(header) < IP_HLEN || IPH_HL_BYTES(header) > p->tot_len) return -EINVAL;
    if (p->tot_len > netif->mtu) return -EMSGSIZE;
    if (!header->src.addr) header->src.addr = ip4_addr_get_u32(ip_2_ip4(&way->source));
    ip_addr_set_ip4_u32_val(way->source, header->src.addr);
    if (!header->_id) IPH_ID_SET(header, lwip_htons(++identifier));
    IPH_LEN_SET(header, lwip_htons(p->tot_len));
    IPH_CHKSUM_SET(header, 0);
    IPH_CHKSUM_SET(header, inet_chksum(header, IPH_HL_BYTES(header)));
    return 0;
}

static long send(struct socket *socket, struct message *message) {
    struct raw_socket *it = raw_of(socket);
    struct inet_socket *inet = &it->inet;
    struct inet_destination way = {.to = inet->remote, .source = inet->local, .ttl = -1, .tos = -1};
    bool six = inet_is6(inet), whole = inet->flags & INET_HEADER_INCLUDED && !six;
    int error;
    if (message->flags & MSG_OOB) return -EOPNOTSUPP;
    if (message->size > PACKET_MOST - (whole ? 0 : six ? 40 : IP_HLEN)) return -EMSGSIZE;
    if (raw_is_ping(it) && message->size < ECHO_HEADER) return -EINVAL;
    if (message->address.length) {
        if ((error = inet_address_in(inet, &message->address, &way.to, &way.port))) return error;
        if (IP_IS_V6_VAL(way.to) != six) return -ENETUNREACH;
    } else if (inet->state != INET_CONNECTED) {
        return -EDESTADDRREQ;
    }
    if (inet->shut & SHUT_SEND) return -EPIPE;
    if ((error = inet_take_error(inet)) || (error = inet_read_control(message, &way))) return error;
    if (raw_is_ping(it) && (error = inet_take_port(inet))) return error;
    struct netif *netif;
    if ((error = inet_find_way(inet, &way.to, &way.source, way.interface, &netif))) return error;
    struct raw_pcb *pcb = inet->raw;
    if (six && pcb->chksum_reqd && message->size < pcb->chksum_offset + 2u) return -EINVAL;
    struct pbuf *p = pbuf_alloc(whole ? PBUF_LINK : PBUF_IP, (u16_t)message->size, PBUF_RAM);
    if (!p) return -ENOBUFS;
    error = inet_copy_in(message, p->payload);
    if (!error && raw_is_ping(it)) error = finish_echo(it, p->payload, message->size);
    if (!error && whole) error = finish_header(p, &way, netif);
    p->flags |= INET_PBUF_SUMMED; /* what is behind the IP header is the program's */
    err_t result = ERR_OK;
    if (!error) {
        pcb->ttl = way.ttl > 0 ? (u8_t)way.ttl : six ? inet->hop_limit : inet->ttl;
        raw_set_multicast_ttl(pcb, way.ttl >= 0 ? (u8_t)way.ttl : inet->multicast_ttl);
        pcb->tos = way.tos >= 0 ? (u8_t)way.tos : six ? inet->traffic_class : inet->tos;
        ip_set_option(pcb, SOF_BROADCAST);
        if (whole) raw_set_flags(pcb, RAW_FLAGS_HDRINCL);
        else raw_clear_flags(pcb, RAW_FLAGS_HDRINCL);
        if (inet->flags & INET_MULTICAST_LOOP_OFF) raw_clear_flags(pcb, RAW_FLAGS_MULTICAST_LOOP);
        else raw_set_flags(pcb, RAW_FLAGS_MULTICAST_LOOP);
        result = raw_sendto_if_src(pcb, p, &way.to, netif, &way.source);
    }
    pbuf_free(p);
    if (error) return error;
    inet_settle();
    return result == ERR_OK || result == ERR_MEM ? (long)message->size : inet_error(result);
}

static void close(struct socket *socket) {
    raw_remove(inet_of(socket)->raw);
    filter_end(&raw_of(socket)->packets);
    inet_close_datagram(socket);
}

static const struct socket_ops ops = {
    .bind = bind, .connect = connect, .name = inet_name, .send = send, .receive = inet_receive_datagram, .shutdown = inet_shutdown_datagram, .get_option = raw_get_option,
    .set_option = raw_set_option, .ioctl = inet_ioctl, .poll = inet_poll_datagram, .close = close,
};

int raw_socket_create(int family, int type, int protocol, struct socket **out) {
    if (protocol < 0) return -EINVAL;
    if (!protocol || protocol > IPPROTO_RAW) return -EPROTONOSUPPORT;
    if (type == SOCK_RAW && !process_may(current_process(), CAP_NET_RAW)) return -EPERM;
    struct raw_socket *it = kzalloc(sizeof *it);
    struct raw_pcb *pcb = it ? raw_new_ip_type(family == AF_INET6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4, (u8_t)protocol) : NULL;
    if (!pcb) {
        kfree(it);
        return -ENOBUFS;
    }
    inet_socket_start(&it->inet, &ops, family, type, protocol);
    it->inet.raw = pcb;
    if (family == AF_INET6 && protocol == IPPROTO_ICMPV6) { /* RFC 3542, section 3.1 */
        pcb->chksum_reqd = 1;
        pcb->chksum_offset = CHECKSUM;
    }
    if (protocol == IPPROTO_RAW) it->inet.flags |= INET_HEADER_INCLUDED;
    raw_recv(pcb, arrived, it);
    *out = &it->inet.socket;
    return 0;
}

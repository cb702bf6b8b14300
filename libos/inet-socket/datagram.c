/* Datagrams (udp(7)). lwIP finds the socket; what arrived waits in a list of the socket's own, with what control messages tell of it. */
#include "clock/clock.h"
#include "inet-socket/internal.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/prot/ip4.h"

enum { SIZE_MOST = 65507, SIZE_MOST6 = 65487 /* with the headers 65535: what lwIP counts to */, CHARGE = 256, IP_PKTINFO = 8, IP_TTL = 2, IP_TOS = 1, IPV6_PKTINFO = 50, IPV6_HOPLIMIT = 52, IPV6_TCLASS = 67,
       IP_RECVERR = 11, IPV6_RECVERR = 25, UDP_SEGMENT = 103, SEGMENTS_MOST = 128, SO_RXQ_OVFL = 40 };
struct pktinfo { int interface; uint32_t specified, address; };
struct pktinfo6 { uint8_t address[16]; uint32_t interface; };
struct cmsghdr { size_t length; int level, type; };

void inet_enqueue(struct inet_socket *it, struct pbuf *p, const ip_addr_t *from, uint16_t port) {
    bool six = IP_IS_V6(from);
    uint32_t charge = CHARGE + (inet_room_behind(p) ? NET_BUFFER_ROOM : p->tot_len);
    struct datagram *datagram = NULL;
    if (it->queued + charge <= it->socket.receive_room || !it->datagrams) datagram = kmalloc(sizeof *datagram);
    if (it->shut & SHUT_RECEIVE || (it->flags & INET_V6ONLY && !six) || !datagram) {
        it->dropped++;
        kfree(datagram);
        pbuf_free(p);
        return;
    }
    *datagram = (struct datagram){
        .data = p, .from = *from, .to = *ip_current_dest_addr(), .port = port, .charge = charge, .interface = netif_get_index(ip_current_input_netif()),
        .time = it->socket.times ? clock_realtime_ns() : 0,
        .ttl = six ? IP6H_HOPLIM(ip6_current_header()) : IPH_TTL(ip4_current_header()), .tos = six ? IP6H_TC(ip6_current_header()) : IPH_TOS(ip4_current_header()),
    };
    *it->datagrams_end = datagram;
    it->datagrams_end = &datagram->next;
    it->queued += charge;
    wait_queue_wake(&it->readers, -1);
}

static void arrived(void *argument, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from, u16_t port) {
    (void)pcb;
    inet_enqueue(argument, p, from, port);
}

int inet_open_datagram(struct inet_socket *it) {
    if (it->udp) udp_remove(it->udp);
    bool any = inet_is6(it) && ip_addr_isany(&it->local) && IP_IS_V6(&it->local) && !(it->flags & INET_V6ONLY);
    it->udp = udp_new_ip_type(any ? IPADDR_TYPE_ANY : IP_GET_TYPE(&it->local));
    if (!it->udp) return -ENOBUFS;
    ip_set_option(it->udp, SOF_REUSEADDR | SOF_BROADCAST);
    if (it->socket.protocol == IPPROTO_UDPLITE) udp_set_flags(it->udp, UDP_FLAGS_UDPLITE);
    it->udp->chksum_len_tx = it->send_coverage;
    it->udp->chksum_len_rx = it->receive_coverage;
    it->udp->netif_idx = (u8_t)it->interface;
    udp_recv(it->udp, arrived, it);
    err_t error = udp_bind(it->udp, any ? IP_ANY_TYPE : &it->local, it->local_port);
    if (!error && it->remote_port && !(any && !IP_IS_V6(&it->remote) && 0)) error = udp_connect(it->udp, &it->remote, it->remote_port);
    return error ? inet_error(error) : 0;
}

static int autobind(struct inet_socket *it) {
    if (it->udp) return 0;
    int error = inet_take_port(it);
    return error ? error : inet_open_datagram(it);
}

static void loopback_for_any(ip_addr_t *to) {
    if (!ip_addr_isany(to)) return;
    if (IP_IS_V6(to)) IP_ADDR6_HOST(to, 0, 0, 0, 1);
    else ip_addr_set_ip4_u32_val(*to, PP_HTONL(0x7f000001));
}

static bool is_broadcast(const ip_addr_t *to) {
    if (IP_IS_V6(to)) return false;
    if (ip4_addr_get_u32(ip_2_ip4(to)) == 0xffffffff) return true;
    for (struct inet_interface *it = inet_interfaces; it; it = it->next)
        if (it->device && ip4_addr_isbroadcast(ip_2_ip4(to), &it->netif)) return true;
    return false;
}

int inet_find_way(struct inet_socket *it, ip_addr_t *to, ip_addr_t *source, unsigned wanted, struct netif **out) {
    bool multicast = ip_addr_ismulticast(to);
    loopback_for_any(to);
    if (inet_is6(it) && it->flags & INET_V6ONLY && !IP_IS_V6(to)) return -ENETUNREACH;
    if (is_broadcast(to) && !inet_plain(it, SO_BROADCAST)) return -EACCES;
    unsigned interface = wanted ? wanted : it->interface ? it->interface : multicast ? it->multicast_interface : 0;
    if (ip_addr_isany(source) || ip_addr_ismulticast(source) || is_broadcast(source)) ip_addr_set_any_val(IP_IS_V6(to), *source);
    else if (IP_IS_V6(source) != IP_IS_V6(to)) return -ENETUNREACH;
    if (multicast && !interface) {
        if (!IP_IS_V6(to) && ip_addr_isany(source) && !ip_addr_isany(&it->multicast_source) && !IP_IS_V6(&it->multicast_source)) *source = it->multicast_source;
        for (struct inet_interface *at = inet_interfaces; at && !interface; at = at->next)
            if (!ip_addr_isany(source) && !IP_IS_V6(source) && ip4_addr_cmp(netif_ip4_addr(&at->netif), ip_2_ip4(source))) interface = netif_get_index(&at->netif);
    }
    *out = inet_route(source, to, interface);
    return *out ? 0 : -ENETUNREACH;
}

int inet_connect_datagram(struct socket *socket, const struct address *address, bool wait) {
    struct inet_socket *it = inet_of(socket);
    ip_addr_t to, source = it->local;
    struct netif *netif;
    uint16_t port;
    (void)wait;
    if (address->length < sizeof address->family) return -EINVAL;
    if (address->family == AF_UNSPEC) {
        it->remote_port = 0;
        ip_addr_set_any_val(inet_is6(it), it->remote);
        if (!it->address_bound) ip_addr_set_any_val(inet_is6(it), it->local);
        if (!it->port_bound) {
            if (it->udp) udp_remove(it->udp);
            it->udp = NULL;
            inet_leave_port(it);
            return 0;
        }
        return inet_open_datagram(it);
    }
    bool four = inet_is6(it) && address->family == AF_INET; /* an IPv6 socket takes it as the mapped address (as udp(7)'s of Linux do, connections do not) */
    struct inet_socket as4 = {.socket.family = AF_INET};
    if (four && it->flags & INET_V6ONLY) return -EAFNOSUPPORT;
    int error = inet_address_in(four ? &as4 : it, address, &to, &port);
    if (error) return error;
    if (!it->address_bound) ip_addr_set_any_val(IP_IS_V6(&to), source);
    if ((error = inet_find_way(it, &to, &source, 0, &netif))) return error;
    if ((error = inet_take_port(it))) return error;
    it->local = source;
    it->remote = to;
    it->remote_port = port;
    it->state = INET_NEW;
    return inet_open_datagram(it);
}

int inet_read_control(const struct message *message, struct inet_destination *out) {
    for (size_t at = 0; at + sizeof(struct cmsghdr) <= message->control_size;) {
        struct cmsghdr header;
        memcpy(&header, message->control + at, sizeof header);
        const uint8_t *data = message->control + at + sizeof header;
        if (header.length < sizeof header || header.length > message->control_size - at) return -EINVAL;
        size_t size = header.length - sizeof header;
        int number = 0;
        if (size >= sizeof number) memcpy(&number, data, sizeof number);
        if (header.level == IPPROTO_IP && header.type == IP_PKTINFO) {
            struct pktinfo info;
            if (size != sizeof info) return -EINVAL;
            memcpy(&info, data, sizeof info);
            if (info.interface) out->interface = (unsigned)info.interface;
            if (info.specified) ip_addr_set_ip4_u32_val(out->source, info.specified);
        } else if (header.level == IPPROTO_IPV6 && header.type == IPV6_PKTINFO) {
            struct pktinfo6 info;
            static const uint8_t any[16];
            if (size < sizeof info) return -EINVAL;
            memcpy(&info, data, sizeof info);
            if (info.interface) out->interface = info.interface;
            if (memcmp(info.address, any, 16)) {
                memset(&out->source, 0, sizeof out->source);
                memcpy(ip_2_ip6(&out->source)->addr, info.address, 16);
                IP_SET_TYPE(&out->source, IPADDR_TYPE_V6);
            }
        } else if ((header.level == IPPROTO_IP && header.type == IP_TTL) || (header.level == IPPROTO_IPV6 && header.type == IPV6_HOPLIMIT)) {
            out->ttl = number;
        } else if ((header.level == IPPROTO_IP && header.type == IP_TOS) || (header.level == IPPROTO_IPV6 && header.type == IPV6_TCLASS)) {
            out->tos = size >= sizeof number ? number : size ? *data : 0;
        } else if (header.level == IPPROTO_UDP && header.type == UDP_SEGMENT && size == sizeof out->segment) {
            memcpy(&out->segment, data, sizeof out->segment);
        } else if (header.level == IPPROTO_IP || header.level == IPPROTO_IPV6 || header.level == IPPROTO_UDP) {
            return -EINVAL;
        }
        at += (header.length + 7) & ~7ul;
    }
    return 0;
}

int inet_copy_in(const struct message *message, uint8_t *to) {
    for (int i = 0; i < message->count; i++) {
        if (user_copy_in(to, message->vector[i].base, message->vector[i].length)) return -EFAULT;
        to += message->vector[i].length;
    }
    return 0;
}

int inet_take_error(struct inet_socket *it) {
    int error = it->socket.error;
    it->socket.error = 0;
    return error;
}

/* Takes p over. 0 or -errno. */
static int transmit(struct inet_socket *it, struct pbuf *p, const struct inet_destination *way, struct netif *netif) {
    bool six = IP_IS_V6_VAL(way->to);
    struct udp_pcb *pcb = it->udp;
    pcb->ttl = way->ttl > 0 ? (u8_t)way->ttl : six ? it->hop_limit : it->ttl;
    pcb->mcast_ttl = way->ttl >= 0 ? (u8_t)way->ttl : it->multicast_ttl;
    pcb->tos = way->tos >= 0 ? (u8_t)way->tos : six ? it->traffic_class : it->tos;
    if (it->flags & INET_MULTICAST_LOOP_OFF) udp_clear_flags(pcb, UDP_FLAGS_MULTICAST_LOOP);
    else udp_set_flags(pcb, UDP_FLAGS_MULTICAST_LOOP);
    if (it->flags & INET_NO_CHECK) udp_set_flags(pcb, UDP_FLAGS_NOCHKSUM);
    else udp_clear_flags(pcb, UDP_FLAGS_NOCHKSUM);
    /* A device that sums does so over a frame: not over a datagram in fragments, nor over a part of it (UDP-Lite). */
    u16_t sums = netif->chksum_flags;
    bool whole = p->tot_len + (six ? 48u : 28u) <= netif->mtu && !(pcb->flags & UDP_FLAGS_UDPLITE);
    if (whole && !(sums & NETIF_CHECKSUM_GEN_TCP)) netif->chksum_flags = sums & (u16_t)~NETIF_CHECKSUM_GEN_UDP;
    err_t result = udp_sendto_if_src(pcb, p, &way->to, way->port, netif, &way->source);
    netif->chksum_flags = sums;
    pbuf_free(p);
    inet_settle();
    /* What a full queue drops is dropped as on a wire; the rest is the program's to know. */
    return result == ERR_OK || result == ERR_MEM ? 0 : inet_error(result);
}

/* A datagram, or where UDP_SEGMENT says so one for each piece of that size and one for the rest (udp(7)). Takes p over; all of it is in one piece. 0 or -errno. */
static int transmit_pieces(struct inet_socket *it, struct pbuf *p, const struct inet_destination *way, struct netif *netif) {
    if (!way->segment || p->len <= way->segment) return transmit(it, p, way, netif);
    unsigned headers = IP_IS_V6_VAL(way->to) ? 48 : 28;
    int error = p->len > SEGMENTS_MOST * way->segment ? -EINVAL : way->segment + headers > netif->mtu ? -EMSGSIZE : 0;
    for (size_t at = 0; at < p->len && !error; at += way->segment) {
        u16_t size = p->len - at < way->segment ? (u16_t)(p->len - at) : way->segment;
        struct pbuf *piece = pbuf_alloc(PBUF_TRANSPORT, size, PBUF_RAM);
        if (!piece) {
            error = -ENOBUFS;
            break;
        }
        memcpy(piece->payload, (uint8_t *)p->payload + at, size);
        error = transmit(it, piece, way, netif);
    }
    pbuf_free(p);
    return error;
}

/* Where the datagram goes, by the socket and the message. 0 or -errno. */
static int find_destination(struct inet_socket *it, const struct message *message, struct inet_destination *way, struct netif **netif) {
    int error;
    *way = (struct inet_destination){.to = it->remote, .source = it->local, .port = it->remote_port, .ttl = -1, .tos = -1, .segment = it->segment};
    if (message->address.length) {
        bool four = inet_is6(it) && message->address.family == AF_INET;
        struct inet_socket as4 = {.socket.family = AF_INET};
        if ((error = inet_address_in(four ? &as4 : it, &message->address, &way->to, &way->port))) return error;
        if (!way->port) return -EINVAL;
    } else if (!it->remote_port) {
        return -EDESTADDRREQ;
    }
    if (it->shut & SHUT_SEND) return -EPIPE;
    if ((error = inet_take_error(it))) return error;
    if ((error = inet_read_control(message, way))) return error;
    return inet_find_way(it, &way->to, &way->source, way->interface, netif);
}

/* A datagram that is not whole (MSG_MORE, UDP_CORK; udp(7)): where it goes is said with its first piece. */
struct unfinished { struct pbuf *data; struct inet_destination way; struct netif *netif; };

static struct pbuf *take_unfinished(struct inet_socket *it, struct inet_destination *way, struct netif **netif) {
    struct unfinished *unfinished = it->unfinished;
    struct pbuf *p = unfinished->data;
    *way = unfinished->way;
    *netif = unfinished->netif;
    it->unfinished = NULL;
    kfree(unfinished);
    return p;
}

static int keep_unfinished(struct inet_socket *it, struct pbuf *p, const struct inet_destination *way, struct netif *netif) {
    struct unfinished *unfinished = it->unfinished ? NULL : kmalloc(sizeof *unfinished); /* another thread's, meanwhile, stays */
    if (!unfinished) {
        pbuf_free(p);
        return -ENOBUFS;
    }
    *unfinished = (struct unfinished){p, *way, netif};
    it->unfinished = unfinished;
    return 0;
}

int inet_finish_datagram(struct inet_socket *it) {
    struct inet_destination way;
    struct netif *netif;
    if (!it->unfinished || !it->udp) return 0;
    struct pbuf *p = take_unfinished(it, &way, &netif);
    return transmit_pieces(it, p, &way, netif);
}

long inet_send_datagram(struct socket *socket, struct message *message) {
    struct inet_socket *it = inet_of(socket);
    struct inet_destination way;
    struct netif *netif;
    struct pbuf *held = NULL;
    int error = autobind(it);
    if (error) return error;
    if (message->size > (inet_is6(it) ? SIZE_MOST6 : SIZE_MOST)) return -EMSGSIZE;
    if (message->flags & MSG_OOB && !inet_is6(it)) return -EOPNOTSUPP;
    if (it->unfinished) held = take_unfinished(it, &way, &netif);
    else if ((error = find_destination(it, message, &way, &netif))) return error;
    bool six = IP_IS_V6_VAL(way.to);
    size_t before = held ? held->len : 0, size = before + message->size;
    struct pbuf *p = NULL;
    if (size > (six ? SIZE_MOST6 : SIZE_MOST) || (it->mtu_discover >= 2 && !six && (way.segment ? way.segment : size) + 28 > netif->mtu)) error = -EMSGSIZE;
    else if (!(p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)size, PBUF_RAM))) error = -ENOBUFS;
    else if (inet_copy_in(message, (uint8_t *)p->payload + before)) error = -EFAULT;
    if (held && !error) memcpy(p->payload, held->payload, before);
    if (held) pbuf_free(held); /* with an error, what was held goes, too */
    if (error) {
        if (p) pbuf_free(p);
        return error;
    }
    error = message->flags & MSG_MORE || it->flags & INET_CORK ? keep_unfinished(it, p, &way, netif) : transmit_pieces(it, p, &way, netif);
    return error ? error : (long)message->size;
}

static bool has_datagram(void *argument) {
    struct inet_socket *it = argument;
    return it->datagrams || it->socket.error || it->shut & SHUT_RECEIVE;
}

static void drop_first(struct inet_socket *it) {
    struct datagram *first = it->datagrams;
    if (!(it->datagrams = first->next)) it->datagrams_end = &it->datagrams;
    it->queued -= first->charge;
}

static void tell(const struct inet_socket *it, struct message *message, const struct datagram *datagram) {
    bool six = IP_IS_V6_VAL(datagram->to);
    message_put_time(message, &it->socket, datagram->time);
    if (it->flags & INET_RXQ_OVFL && it->dropped) message_put_control(message, SOL_SOCKET, SO_RXQ_OVFL, &it->dropped, sizeof it->dropped);
    if (it->flags & INET_PKTINFO && !six) {
        uint32_t to = ip4_addr_get_u32(ip_2_ip4(&datagram->to));
        struct pktinfo info = {datagram->interface, to, to};
        message_put_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
    if (it->flags & INET_PKTINFO6) {
        struct address full;
        struct pktinfo6 info = {.interface = datagram->interface};
        inet_address_out(AF_INET6, &datagram->to, 0, &full);
        memcpy(info.address, full.bytes + 8, 16);
        message_put_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
    int number = datagram->ttl;
    if (it->flags & INET_RECVTTL && !six) message_put_control(message, IPPROTO_IP, IP_TTL, &number, sizeof number);
    if (it->flags & INET_RECVHOPLIMIT && six) message_put_control(message, IPPROTO_IPV6, IPV6_HOPLIMIT, &number, sizeof number);
    number = datagram->tos;
    if (it->flags & INET_RECVTOS && !six) message_put_control(message, IPPROTO_IP, IP_TOS, &datagram->tos, sizeof datagram->tos);
    if (it->flags & INET_RECVTCLASS && six) message_put_control(message, IPPROTO_IPV6, IPV6_TCLASS, &number, sizeof number);
}

void inet_keep_report(struct inet_socket *it, const struct icmp_report *report, const struct pbuf *whole, size_t offset) {
    u16_t size = whole->tot_len > offset ? (u16_t)(whole->tot_len - offset) : 0;
    if (it->queued + CHARGE + size > it->socket.receive_room) return;
    struct icmp_report *kept = kmalloc(sizeof *kept);
    if (!kept) return;
    *kept = *report;
    kept->next = NULL;
    kept->data = size ? pbuf_alloc(PBUF_RAW, size, PBUF_RAM) : NULL;
    if (kept->data) pbuf_copy_partial(whole, kept->data->payload, size, (u16_t)offset);
    it->queued += CHARGE + (kept->data ? size : 0);
    if (!it->reports) it->reports_end = &it->reports;
    *it->reports_end = kept;
    it->reports_end = &kept->next;
}

static struct icmp_report take_report(struct inet_socket *it) {
    struct icmp_report *first = it->reports, copy = *first;
    it->reports = first->next;
    it->queued -= CHARGE + (copy.data ? copy.data->tot_len : 0);
    kfree(first);
    return copy;
}

/* MSG_ERRQUEUE, which never waits: what was reported, with what came back of the datagram, and where that had been sent. */
static long receive_report(struct inet_socket *it, struct message *message) {
    enum { ORIGIN_ICMP = 2, ORIGIN_ICMP6 = 3 };
    if (!it->reports) return -EAGAIN;
    struct icmp_report report = take_report(it);
    struct address offender;
    struct { uint32_t error; uint8_t origin, type, code, pad; uint32_t info, data; uint8_t offender[28]; } extended = {
        .error = (uint32_t)-report.error, .origin = IP_IS_V6_VAL(report.to) ? ORIGIN_ICMP6 : ORIGIN_ICMP, .type = report.type, .code = report.code, .info = report.info};
    size_t size = report.data ? report.data->tot_len : 0, taken = size < message->size ? size : message->size;
    long error = taken ? inet_copy_out(message, report.data, 0, taken, 0) : 0;
    if (report.data) pbuf_free(report.data);
    it->socket.error = it->reports ? it->reports->error : 0;
    if (error) return error;
    inet_address_out(it->socket.family, &report.offender, 0, &offender);
    memcpy(extended.offender, offender.bytes, offender.length);
    message_put_control(message, inet_is6(it) ? IPPROTO_IPV6 : IPPROTO_IP, inet_is6(it) ? IPV6_RECVERR : IP_RECVERR, &extended, sizeof extended - sizeof extended.offender + offender.length);
    inet_address_out(it->socket.family, &report.to, report.port, &message->address);
    message->out_flags |= MSG_ERRQUEUE | (taken < size ? MSG_TRUNC : 0);
    return (long)taken;
}

long inet_receive_datagram(struct socket *socket, struct message *message) {
    struct inet_socket *it = inet_of(socket);
    if (message->flags & MSG_OOB) return -EOPNOTSUPP;
    if (message->flags & MSG_ERRQUEUE) return receive_report(it, message);
    for (bool looked = false; !it->datagrams; looked = true) {
        int error = inet_take_error(it);
        if (error) return error;
        if (it->shut & SHUT_RECEIVE) return 0;
        if (message->flags & MSG_DONTWAIT) {
            if (looked) return -EAGAIN;
            run_deferred();
            continue;
        }
        if ((error = socket_wait(&it->readers, has_datagram, it, socket->receive_timeout))) return error;
    }
    struct datagram *datagram = it->datagrams;
    bool peek = message->flags & MSG_PEEK;
    size_t size = datagram->data->tot_len, taken = size < message->size ? size : message->size;
    if (peek) pbuf_ref(datagram->data);
    else drop_first(it);
    struct datagram copy = *datagram;
    long error = inet_copy_out(message, copy.data, 0, taken, 0);
    pbuf_free(copy.data);
    if (!peek) kfree(datagram);
    if (error) return error;
    inet_address_out(socket->family, &copy.from, copy.port, &message->address);
    tell(it, message, &copy);
    if (taken < size) message->out_flags |= MSG_TRUNC;
    return message->flags & MSG_TRUNC ? (long)size : (long)taken;
}

int inet_shutdown_datagram(struct socket *socket, int how) {
    struct inet_socket *it = inet_of(socket);
    if (!it->remote_port && it->state != INET_CONNECTED) { /* raw ones are connected without a port; it takes effect all the same: who waits is woken (Linux) */
        inet_wake(it);
        return -ENOTCONN;
    }
    it->shut |= (uint8_t)(how + 1);
    inet_wake(it);
    return 0;
}

void inet_close_datagram(struct socket *socket) {
    struct inet_socket *it = inet_of(socket);
    if (it->udp) udp_remove(it->udp);
    if (it->unfinished) pbuf_free(it->unfinished->data);
    kfree(it->unfinished);
    while (it->datagrams) {
        struct datagram *first = it->datagrams;
        drop_first(it);
        pbuf_free(first->data);
        kfree(first);
    }
    while (it->reports) {
        struct icmp_report report = take_report(it);
        if (report.data) pbuf_free(report.data);
    }
    inet_free(it);
}

unsigned inet_poll_datagram(struct socket *socket, struct poll_wait *wait) {
    struct inet_socket *it = inet_of(socket);
    poll_wait_add_for(wait, &it->readers, POLLIN | POLLRDNORM | POLLRDHUP | POLLHUP | POLLERR);
    unsigned events = socket->error || it->reports ? POLLERR : 0;
    if (it->shut & SHUT_RECEIVE) events |= POLLRDHUP | POLLIN | POLLRDNORM;
    if (it->shut == (SHUT_RECEIVE | SHUT_SEND)) events |= POLLHUP;
    if (it->datagrams) events |= POLLIN | POLLRDNORM;
    return events | POLLOUT | POLLWRNORM | POLLWRBAND;
}

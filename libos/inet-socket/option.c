/* getsockopt and setsockopt of IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, and of SOL_SOCKET what is different here (ip(7), ipv6(7), tcp(7), socket(7)). */
#include "clock/clock.h"
#include "inet-socket/internal.h"
#include "lwip/priv/tcp_priv.h"

enum { SOL_UDP = 17, SO_BINDTODEVICE = 25, SO_NO_CHECK = 11, SO_RXQ_OVFL = 40, SO_BUSY_POLL = 46, SO_INCOMING_CPU = 49, SO_MEMINFO = 55,
       SO_BINDTOIFINDEX = 62, ECN = 3 };
enum { IP_TOS = 1, IP_TTL, IP_HDRINCL, IP_OPTIONS, IP_RECVOPTS = 6, IP_PKTINFO = 8, IP_MTU_DISCOVER = 10, IP_RECVERR, IP_RECVTTL, IP_RECVTOS, IP_MTU, IP_FREEBIND,
       IP_TRANSPARENT = 19, IP_BIND_ADDRESS_NO_PORT = 24, IP_MULTICAST_IF = 32, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP,
       MCAST_JOIN_GROUP = 42, MCAST_LEAVE_GROUP = 45, IP_MULTICAST_ALL = 49, IP_LOCAL_PORT_RANGE = 51 };
enum { IPV6_UNICAST_HOPS = 16, IPV6_MULTICAST_IF, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, IPV6_MTU_DISCOVER = 23, IPV6_MTU,
       IPV6_RECVERR, IPV6_V6ONLY, IPV6_MULTICAST_ALL = 29, IPV6_RECVPKTINFO = 49, IPV6_RECVHOPLIMIT = 51, IPV6_RECVTCLASS = 66, IPV6_TCLASS = 67, IPV6_AUTOFLOWLABEL = 70,
       IPV6_FREEBIND = 78 };
enum { TCP_NODELAY = 1, TCP_MAXSEG, TCP_CORK, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_SYNCNT, TCP_LINGER2, TCP_DEFER_ACCEPT, TCP_WINDOW_CLAMP, TCP_INFO,
       TCP_QUICKACK, TCP_CONGESTION, TCP_USER_TIMEOUT = 18, TCP_FASTOPEN = 23, TCP_NOTSENT_LOWAT = 25, TCP_FASTOPEN_CONNECT = 30 };
enum { UDP_CORK = 1, UDP_SEGMENT = 103, UDP_GRO = 104 };
enum { UDPLITE_SEND_CSCOV = 10, UDPLITE_RECV_CSCOV = 11, MSS_LEAST = 88, MSS_MOST = 32767 };

struct flag_option { int level, name; uint32_t flag; bool inverted; };
static const struct flag_option flag_options[] = {
    {IPPROTO_IP, IP_PKTINFO, INET_PKTINFO, false}, {IPPROTO_IP, IP_RECVTTL, INET_RECVTTL, false}, {IPPROTO_IP, IP_RECVTOS, INET_RECVTOS, false},
    {IPPROTO_IP, IP_RECVERR, INET_RECVERR, false}, {IPPROTO_IP, IP_FREEBIND, INET_FREEBIND, false}, {IPPROTO_IP, IP_TRANSPARENT, INET_TRANSPARENT, false},
    {IPPROTO_IP, IP_MULTICAST_LOOP, INET_MULTICAST_LOOP_OFF, true}, {IPPROTO_IP, IP_MULTICAST_ALL, INET_MULTICAST_ALL_OFF, true},
    {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, INET_BIND_NO_PORT, false}, {IPPROTO_IPV6, IPV6_RECVPKTINFO, INET_PKTINFO6, false}, {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, INET_RECVHOPLIMIT, false},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, INET_RECVTCLASS, false}, {IPPROTO_IPV6, IPV6_RECVERR, INET_RECVERR6, false}, {IPPROTO_IPV6, IPV6_FREEBIND, INET_FREEBIND, false},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, INET_MULTICAST_LOOP_OFF, true}, {IPPROTO_IPV6, IPV6_MULTICAST_ALL, INET_MULTICAST_ALL_OFF, true},
    {IPPROTO_UDP, UDP_GRO, INET_GRO, false}, /* datagrams are told one by one all the same */
    {SOL_SOCKET, SO_RXQ_OVFL, INET_RXQ_OVFL, false}, {SOL_SOCKET, SO_NO_CHECK, INET_NO_CHECK, false},
};

static const struct flag_option *find_flag(const struct inet_socket *it, int level, int name) {
    if (level == IPPROTO_IPV6 && !inet_is6(it)) return NULL;
    if (level == IPPROTO_UDP && it->socket.protocol != IPPROTO_UDP) return NULL;
    for (size_t i = 0; i < sizeof flag_options / sizeof *flag_options; i++)
        if (flag_options[i].level == level && flag_options[i].name == name) return &flag_options[i];
    return NULL;
}

/* The address of a group and the interface: ip_mreq, ip_mreqn, ipv6_mreq, group_req. */
static int set_membership(struct inet_socket *it, int level, int name, const uint8_t *value, uint32_t size) {
    ip_addr_t group = {0};
    uint32_t interface = 0, word;
    bool join = name == IP_ADD_MEMBERSHIP || name == IPV6_ADD_MEMBERSHIP || name == MCAST_JOIN_GROUP;
    if (name == MCAST_JOIN_GROUP || name == MCAST_LEAVE_GROUP) {
        struct address address = {.length = 28};
        uint16_t port;
        if (size < 8 + 28) return -EINVAL;
        memcpy(&interface, value, 4);
        memcpy(address.bytes, value + 8, 28);
        struct inet_socket as = {.socket.family = address.family == AF_INET6 ? AF_INET6 : AF_INET};
        int error = inet_address_in(&as, &address, &group, &port);
        if (error) return error;
    } else if (level == IPPROTO_IP) {
        if (size < 8) return -EINVAL;
        memcpy(&word, value, 4);
        ip_addr_set_ip4_u32_val(group, word);
        memcpy(&word, value + 4, 4);
        if (size >= 12) memcpy(&interface, value + 8, 4);
        for (struct inet_interface *at = inet_interfaces; at && !interface && word; at = at->next)
            if (netif_ip4_addr(&at->netif)->addr == word) interface = netif_get_index(&at->netif);
        if (!interface && word) return -ENODEV;
    } else {
        if (size < 20) return -EINVAL;
        memcpy(ip_2_ip6(&group)->addr, value, 16);
        IP_SET_TYPE_VAL(group, IPADDR_TYPE_V6);
        memcpy(&interface, value + 16, 4);
    }
    if (!ip_addr_ismulticast(&group)) return -EINVAL;
    return join ? inet_join(it, &group, interface) : inet_leave(it, &group, interface);
}

static int set_multicast_interface(struct inet_socket *it, int level, const uint8_t *value, uint32_t size) {
    uint32_t address = 0, index = 0;
    if (size < 4) return -EINVAL;
    if (level == IPPROTO_IPV6) memcpy(&index, value, 4);
    else if (size >= 12) {
        memcpy(&address, value + 4, 4);
        memcpy(&index, value + 8, 4);
    } else {
        memcpy(&address, value, 4);
    }
    if (index && !inet_interface_by_index(index)) return -ENODEV;
    if (address && !index) {
        for (struct inet_interface *at = inet_interfaces; at && !index; at = at->next)
            if (netif_ip4_addr(&at->netif)->addr == address) index = netif_get_index(&at->netif);
        if (!index) return -EADDRNOTAVAIL;
    }
    it->multicast_interface = (uint16_t)index;
    ip_addr_set_ip4_u32_val(it->multicast_source, address);
    return 0;
}

static int set_ip(struct inet_socket *it, int name, int number, const uint8_t *value, uint32_t size) {
    switch (name) {
    case IP_TOS: it->tos = (uint8_t)(inet_is_stream(it) ? number & ~ECN : number); return 0;
    case IP_TTL:
        if (number != -1 && (number < 1 || number > 255)) return -EINVAL;
        it->ttl = number == -1 ? 64 : (uint8_t)number;
        return 0;
    case IP_MTU_DISCOVER:
        if (number < 0 || number > 5) return -EINVAL;
        it->mtu_discover = (uint8_t)number;
        return 0;
    case IP_MULTICAST_TTL:
        if (inet_is_stream(it)) return -EINVAL;
        if (number < -1 || number > 255) return -EINVAL;
        it->multicast_ttl = number == -1 ? 1 : (uint8_t)number;
        return 0;
    case IP_MULTICAST_IF: return inet_is_stream(it) ? -EINVAL : set_multicast_interface(it, IPPROTO_IP, value, size);
    case IP_ADD_MEMBERSHIP: case IP_DROP_MEMBERSHIP: case MCAST_JOIN_GROUP: case MCAST_LEAVE_GROUP: return set_membership(it, IPPROTO_IP, name, value, size);
    }
    return -ENOPROTOOPT;
}

static int set_ip6(struct inet_socket *it, int name, int number, const uint8_t *value, uint32_t size) {
    if (!inet_is6(it)) return -ENOPROTOOPT;
    switch (name) {
    case IPV6_V6ONLY:
        if (it->local_port) return -EINVAL;
        it->flags = number ? it->flags | INET_V6ONLY : it->flags & ~(uint32_t)INET_V6ONLY;
        return 0;
    case IPV6_UNICAST_HOPS:
        if (number < -1 || number > 255) return -EINVAL;
        it->hop_limit = number == -1 ? 64 : (uint8_t)number;
        return 0;
    case IPV6_MULTICAST_HOPS:
        if (number < -1 || number > 255) return -EINVAL;
        it->multicast_ttl = number == -1 ? 1 : (uint8_t)number;
        return 0;
    case IPV6_TCLASS:
        if (number < -1 || number > 255) return -EINVAL;
        it->traffic_class = number == -1 ? 0 : (uint8_t)number;
        return 0;
    case IPV6_MTU_DISCOVER:
        if (number < 0 || number > 5) return -EINVAL;
        it->mtu_discover6 = (uint8_t)number;
        return 0;
    case IPV6_MULTICAST_IF: return set_multicast_interface(it, IPPROTO_IPV6, value, size);
    case IPV6_ADD_MEMBERSHIP: case IPV6_DROP_MEMBERSHIP: case MCAST_JOIN_GROUP: case MCAST_LEAVE_GROUP: return set_membership(it, IPPROTO_IPV6, name, value, size);
    case IPV6_AUTOFLOWLABEL: return 0;
    }
    return -ENOPROTOOPT;
}

/* What is asked for becomes the time until an answer to a request for a connection has been repeated so often that it is over: 1, 3, 7, ... 127, 247, ... s, as Linux counts it. */
static int defer_seconds(int asked) {
    enum { REPEATED_MOST = 255, PAUSE_MOST = 120 };
    int sum = asked > 0, pause = 1;
    for (int i = 1; i < REPEATED_MOST && sum < asked; i++) {
        pause = pause < PAUSE_MOST / 2 ? pause * 2 : PAUSE_MOST;
        sum += pause;
    }
    return sum;
}

static int set_tcp(struct inet_socket *it, int name, int number, const uint8_t *value, uint32_t size) {
    if (!inet_is_stream(it)) return -ENOPROTOOPT;
    switch (name) {
    case TCP_NODELAY:
        it->flags = number ? it->flags | INET_NODELAY : it->flags & ~(uint32_t)INET_NODELAY;
        if (number && it->pcb && it->corked && !(it->flags & INET_CORK)) inet_push(it);
        return 0;
    case TCP_CORK:
        it->flags = number ? it->flags | INET_CORK : it->flags & ~(uint32_t)INET_CORK;
        if (!number && it->pcb && it->corked) inet_push(it);
        return 0;
    case TCP_QUICKACK:
        it->flags = number ? it->flags | INET_QUICKACK : it->flags & ~(uint32_t)INET_QUICKACK;
        if (number && it->pcb && it->pcb->flags & TF_ACK_DELAY) {
            tcp_ack_now(it->pcb);
            tcp_output(it->pcb);
        }
        return 0;
    case TCP_MAXSEG:
        if (number && (number < MSS_LEAST || number > MSS_MOST)) return -EINVAL;
        it->max_segment = number;
        return 0;
    case TCP_KEEPIDLE:
        if (number < 1 || number > 32767) return -EINVAL;
        it->keep_idle = number;
        break;
    case TCP_KEEPINTVL:
        if (number < 1 || number > 32767) return -EINVAL;
        it->keep_interval = number;
        break;
    case TCP_KEEPCNT:
        if (number < 1 || number > 127) return -EINVAL;
        it->keep_count = number;
        break;
    case TCP_SYNCNT:
        if (number < 1 || number > 127) return -EINVAL;
        it->synchronisations = number;
        break;
    case TCP_LINGER2: it->linger2 = number; return 0;
    case TCP_DEFER_ACCEPT: it->defer_accept = defer_seconds(number); return 0;
    case TCP_USER_TIMEOUT:
        if (number < 0) return -EINVAL;
        it->user_timeout = number;
        break;
    case TCP_CONGESTION: return size >= 4 && (!memcmp(value, "reno", 4)) ? 0 : -ENOENT;
    case TCP_NOTSENT_LOWAT: it->notsent_low = (uint32_t)number; return 0;
    case TCP_WINDOW_CLAMP: return 0;
    default: return -ENOPROTOOPT; /* TCP_FASTOPEN among them: there is none */
    }
    inet_apply_options(it);
    return 0;
}

/* How much of a datagram the checksum covers; 0: all. */
static int set_lite(struct inet_socket *it, int name, int number) {
    if (it->socket.protocol != IPPROTO_UDPLITE || (name != UDPLITE_SEND_CSCOV && name != UDPLITE_RECV_CSCOV)) return -ENOPROTOOPT;
    *(name == UDPLITE_SEND_CSCOV ? &it->send_coverage : &it->receive_coverage) = (uint16_t)(number && number < 8 ? 8 : number > 0xffff ? 0xffff : number);
    if (it->udp) it->udp->chksum_len_tx = it->send_coverage;
    if (it->udp) it->udp->chksum_len_rx = it->receive_coverage;
    return 0;
}

static int bind_to_device(struct inet_socket *it, const uint8_t *value, uint32_t size) {
    char name[INET_NAME] = {0};
    memcpy(name, value, size < sizeof name - 1 ? size : sizeof name - 1);
    struct inet_interface *interface = name[0] ? inet_interface_by_name(name) : NULL;
    if (name[0] && !interface) return -ENODEV;
    it->interface = interface ? netif_get_index(&interface->netif) : 0;
    if (it->udp) it->udp->netif_idx = (u8_t)it->interface;
    if (it->pcb) it->pcb->netif_idx = (u8_t)it->interface;
    return 0;
}

static int set_socket(struct inet_socket *it, int name, int number, const uint8_t *value, uint32_t size) {
    switch (name) {
    case SO_BINDTODEVICE: return bind_to_device(it, value, size);
    case SO_BINDTOIFINDEX:
        if (number && !inet_interface_by_index((unsigned)number)) return -ENODEV;
        it->interface = (uint16_t)number;
        return 0;
    case SO_KEEPALIVE:
        it->socket.plain_options = number ? it->socket.plain_options | 1u << SO_KEEPALIVE : it->socket.plain_options & ~(1u << SO_KEEPALIVE);
        inet_apply_options(it);
        return 0;
    case SO_BUSY_POLL: return number < 0 ? -EINVAL : 0;
    case SO_INCOMING_CPU: return 0;
    }
    return -ENOPROTOOPT;
}

int inet_set_option(struct socket *socket, int level, int name, const void *value, uint32_t size) {
    struct inet_socket *it = inet_of(socket);
    int number = 0;
    const struct flag_option *flag = find_flag(it, level, name);
    if (size >= sizeof number) memcpy(&number, value, sizeof number);
    else if (size && level != SOL_SOCKET && level != IPPROTO_TCP) number = *(const uint8_t *)value; /* one byte will do (ip(7)) */
    bool is_bytes = (level == IPPROTO_TCP && name == TCP_CONGESTION) || (level == SOL_SOCKET && name == SO_BINDTODEVICE);
    if (size < sizeof number && !is_bytes && (level == SOL_SOCKET || level == IPPROTO_TCP || !size || level == IPPROTO_IPV6)) return level == SOL_SOCKET ? -ENOPROTOOPT : -EINVAL;
    if (flag) {
        it->flags = (number != 0) != flag->inverted ? it->flags | flag->flag : it->flags & ~flag->flag;
        return 0;
    }
    switch (level) {
    case SOL_SOCKET: return set_socket(it, name, number, value, size);
    case IPPROTO_IP: return set_ip(it, name, number, value, size);
    case IPPROTO_IPV6: return set_ip6(it, name, number, value, size);
    case IPPROTO_UDPLITE: return set_lite(it, name, number);
    case IPPROTO_UDP:
        if (socket->type != SOCK_DGRAM || socket->protocol != IPPROTO_UDP || (name != UDP_CORK && name != UDP_SEGMENT)) return -ENOPROTOOPT;
        if (name == UDP_SEGMENT) {
            if (number < 0 || number > 0xffff) return -EINVAL;
            it->segment = (uint16_t)number;
            return 0;
        }
        it->flags = number ? it->flags | INET_CORK : it->flags & ~(uint32_t)INET_CORK;
        return number ? 0 : inet_finish_datagram(it);
    case IPPROTO_TCP: {
        int result = set_tcp(it, name, number, value, size);
        inet_settle();
        return result;
    }
    }
    return -ENOPROTOOPT;
}

/* struct tcp_info (linux/tcp.h), as far as lwIP knows. */
struct tcp_info {
    uint8_t state, ca_state, retransmits, probes, backoff, options, scales, limited;
    uint32_t rto, ato, snd_mss, rcv_mss, unacked, sacked, lost, retrans, fackets, last_data_sent, last_ack_sent, last_data_recv, last_ack_recv, pmtu, rcv_ssthresh, rtt, rttvar,
        snd_ssthresh, snd_cwnd, advmss, reordering, rcv_rtt, rcv_space, total_retrans;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
};

const uint8_t inet_linux_states[TIME_WAIT + 1] = {[CLOSED] = 7, [LISTEN] = 10, [SYN_SENT] = 2, [SYN_RCVD] = 3, [ESTABLISHED] = 1, [FIN_WAIT_1] = 4, [FIN_WAIT_2] = 5,
                                                   [CLOSE_WAIT] = 8, [CLOSING] = 11, [LAST_ACK] = 9, [TIME_WAIT] = 6};
static uint8_t linux_state(const struct inet_socket *it) {
    return it->pcb ? inet_linux_states[it->pcb->state] : it->state == INET_LISTENING ? 10 : 7;
}

static void get_info(const struct inet_socket *it, struct tcp_info *out) {
    const struct tcp_pcb *pcb = it->pcb;
    *out = (struct tcp_info){.state = linux_state(it)};
    if (!pcb) return;
    out->retransmits = pcb->nrtx;
    out->probes = pcb->persist_probe;
    out->options = (uint8_t)((pcb->flags & TF_SACK ? 2 : 0) | (pcb->flags & TF_WND_SCALE ? 4 : 0));
    out->scales = (uint8_t)(pcb->snd_scale | pcb->rcv_scale << 4);
    out->rto = (uint32_t)pcb->rto * TCP_SLOW_INTERVAL * 1000;
    out->ato = TCP_FAST_INTERVAL * 1000;
    out->snd_mss = out->rcv_mss = out->advmss = pcb->mss;
    for (const struct tcp_seg *seg = pcb->unacked; seg; seg = seg->next) out->unacked++;
    out->rtt = (uint32_t)(pcb->sa >> 3) * TCP_SLOW_INTERVAL * 1000;
    out->rttvar = (uint32_t)pcb->sv * TCP_SLOW_INTERVAL * 1000;
    out->snd_ssthresh = pcb->mss ? pcb->ssthresh / pcb->mss : 0;
    out->snd_cwnd = pcb->mss ? pcb->cwnd / pcb->mss : 0;
    out->rcv_space = pcb->rcv_wnd;
    out->bytes_acked = it->bytes_out;
    out->bytes_received = it->bytes_in;
}

static int get_tcp(struct inet_socket *it, int name, int *number, void *out, uint32_t *size) {
    if (!inet_is_stream(it)) return -ENOPROTOOPT;
    switch (name) {
    case TCP_NODELAY: *number = (it->flags & INET_NODELAY) != 0; break;
    case TCP_CORK: *number = (it->flags & INET_CORK) != 0; break;
    case TCP_QUICKACK: *number = (it->flags & INET_QUICKACK) != 0; break;
    case TCP_MAXSEG: *number = it->pcb ? it->pcb->mss : it->max_segment ? it->max_segment : 536; break;
    case TCP_KEEPIDLE: *number = it->keep_idle; break;
    case TCP_KEEPINTVL: *number = it->keep_interval; break;
    case TCP_KEEPCNT: *number = it->keep_count; break;
    case TCP_SYNCNT: *number = it->synchronisations ? it->synchronisations : TCP_SYN_RETRIES; break;
    case TCP_LINGER2: *number = it->linger2 ? it->linger2 : 60; break;
    case TCP_DEFER_ACCEPT: *number = it->defer_accept; break;
    case TCP_USER_TIMEOUT: *number = it->user_timeout; break;
    case TCP_NOTSENT_LOWAT: *number = (int)it->notsent_low; break;
    case TCP_WINDOW_CLAMP: *number = 0; break;
    case TCP_CONGESTION: memset(out, 0, *size = 16); memcpy(out, "reno", 4); return 1;
    case TCP_INFO: {
        struct tcp_info info;
        get_info(it, &info);
        memcpy(out, &info, *size = sizeof info);
        return 1;
    }
    default: return -ENOPROTOOPT;
    }
    return 0;
}

static int get_mtu(const struct inet_socket *it) {
    ip_addr_t source = it->local;
    struct netif *netif = it->remote_port ? inet_route(&source, &it->remote, it->interface) : NULL;
    return netif ? netif->mtu : -ENOTCONN;
}

static int get_ip(struct inet_socket *it, int name, int *number, void *out, uint32_t *size) {
    switch (name) {
    case IP_TOS: *number = it->tos; return 0;
    case IP_TTL: *number = it->ttl; return 0;
    case IP_MTU_DISCOVER: *number = it->mtu_discover; return 0;
    case IP_MULTICAST_TTL: *number = it->multicast_ttl; return 0;
    case IP_MTU: return *number = get_mtu(it), *number < 0 ? *number : 0;
    case IP_MULTICAST_IF: {
        uint32_t address = ip4_addr_get_u32(ip_2_ip4(&it->multicast_source));
        memcpy(out, &address, *size = sizeof address);
        return 1;
    }
    case IP_OPTIONS: *size = 0; return 1;
    }
    return -ENOPROTOOPT;
}

static int get_ip6(struct inet_socket *it, int name, int *number) {
    if (!inet_is6(it)) return -ENOPROTOOPT;
    switch (name) {
    case IPV6_V6ONLY: *number = (it->flags & INET_V6ONLY) != 0; return 0;
    case IPV6_UNICAST_HOPS: *number = it->hop_limit; return 0;
    case IPV6_MULTICAST_HOPS: *number = it->multicast_ttl; return 0;
    case IPV6_TCLASS: *number = it->traffic_class; return 0;
    case IPV6_MTU_DISCOVER: *number = it->mtu_discover6; return 0;
    case IPV6_MULTICAST_IF: *number = it->multicast_interface; return 0;
    case IPV6_MTU: return *number = get_mtu(it), *number < 0 ? *number : 0;
    case IPV6_AUTOFLOWLABEL: *number = 0; return 0;
    }
    return -ENOPROTOOPT;
}

static int get_socket(struct inet_socket *it, int name, int *number, void *out, uint32_t *size) {
    switch (name) {
    case SO_ACCEPTCONN: *number = it->state == INET_LISTENING; return 0;
    case SO_BINDTODEVICE: {
        struct inet_interface *interface = inet_interface_by_index(it->interface);
        *size = interface ? (uint32_t)strlen(interface->name) + 1 : 0;
        if (interface) memcpy(out, interface->name, *size);
        return 1;
    }
    case SO_BINDTOIFINDEX: *number = it->interface; return 0;
    case SO_BUSY_POLL: *number = 0; return 0;
    case SO_INCOMING_CPU: *number = 0; return 0;
    case SO_MEMINFO: { /* of receiving: used, room; of sending: used, room; then what is queued for a moment only, and what was dropped */
        bool stream = inet_is_stream(it);
        uint32_t unsent = stream ? inet_stream_unsent(it) : 0;
        uint32_t info[] = {stream ? it->unread : it->queued, it->socket.receive_room, unsent, it->socket.send_room, 0, unsent, 0, 0, it->dropped};
        memcpy(out, info, *size = sizeof info);
        return 1;
    }
    }
    return -ENOPROTOOPT;
}

/* The helpers return 1 when they wrote the value themselves. */
int inet_get_option(struct socket *socket, int level, int name, void *out, uint32_t *size) {
    struct inet_socket *it = inet_of(socket);
    const struct flag_option *flag = find_flag(it, level, name);
    int number = 0, result = -ENOPROTOOPT;
    if (flag) number = ((it->flags & flag->flag) != 0) != flag->inverted, result = 0;
    else if (level == SOL_SOCKET) result = get_socket(it, name, &number, out, size);
    else if (level == IPPROTO_IP) result = get_ip(it, name, &number, out, size);
    else if (level == IPPROTO_IPV6) result = get_ip6(it, name, &number);
    else if (level == IPPROTO_TCP) result = get_tcp(it, name, &number, out, size);
    else if (level == IPPROTO_UDP && it->socket.protocol == level && socket->type == SOCK_DGRAM && name == UDP_CORK) number = (it->flags & INET_CORK) != 0, result = 0;
    else if (level == IPPROTO_UDP && it->socket.protocol == level && socket->type == SOCK_DGRAM && name == UDP_SEGMENT) number = it->segment, result = 0;
    else if (level == IPPROTO_UDPLITE && it->socket.protocol == level && name == UDPLITE_SEND_CSCOV) number = it->send_coverage, result = 0;
    else if (level == IPPROTO_UDPLITE && it->socket.protocol == level && name == UDPLITE_RECV_CSCOV) number = it->receive_coverage, result = 0;
    if (result < 0) return result;
    if (!result) memcpy(out, &number, *size = sizeof number);
    return 0;
}

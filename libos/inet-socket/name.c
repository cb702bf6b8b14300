/*
 * Addresses and ports (ip(7), ipv6(7)): sockaddr_in and sockaddr_in6, bind and its conflicts, ports that the system chooses. All sockets that have a local port
 * lie in `inet_ports`, hashed by it. lwIP's own checks are off (SOF_REUSEADDR on every control block): the rules here are Linux's.
 */
#include "entropy/entropy.h"
#include "inet-socket/internal.h"
#include "lwip/priv/tcp_priv.h"

struct sockaddr_in { uint16_t family, port; uint32_t address; uint8_t zero[8]; };
struct sockaddr_in6 { uint16_t family, port; uint32_t flow; uint8_t address[16]; uint32_t scope; };
enum { IN6_LEAST = 24 };
struct inet_socket *inet_ports[INET_PORT_BUCKETS];
uint64_t inet_port_free;

int inet_address_in(const struct inet_socket *it, const struct address *address, ip_addr_t *ip, uint16_t *port) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)address->bytes;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address->bytes;
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (address->length < sizeof address->family) return -EINVAL;
    if (!inet_is6(it)) {
        if (address->length < sizeof *in) return -EINVAL;
        if (address->family != AF_INET && address->family != AF_UNSPEC) return -EAFNOSUPPORT;
        ip_addr_set_ip4_u32_val(*ip, in->address);
        *port = lwip_ntohs(in->port);
        return 0;
    }
    if (address->family != AF_INET6) return address->length < IN6_LEAST ? -EINVAL : -EAFNOSUPPORT;
    if (address->length < IN6_LEAST) return -EINVAL;
    *port = lwip_ntohs(in6->port);
    if (!memcmp(in6->address, mapped, sizeof mapped)) {
        uint32_t four;
        memcpy(&four, in6->address + 12, 4);
        ip_addr_set_ip4_u32_val(*ip, four);
        return 0;
    }
    memset(ip, 0, sizeof *ip);
    memcpy(ip_2_ip6(ip)->addr, in6->address, 16);
    IP_SET_TYPE(ip, IPADDR_TYPE_V6);
    uint32_t scope = address->length >= sizeof *in6 ? in6->scope : 0;
    if (ip6_addr_has_scope(ip_2_ip6(ip), IP6_UNKNOWN)) ip6_addr_set_zone(ip_2_ip6(ip), (u8_t)(scope ? scope : it->interface));
    return 0;
}

void inet_address_out(int family, const ip_addr_t *ip, uint16_t port, struct address *out) {
    memset(out, 0, sizeof *out);
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)out->bytes;
        out->length = sizeof *in;
        *in = (struct sockaddr_in){.family = AF_INET, .port = lwip_htons(port), .address = IP_IS_V4_VAL(*ip) ? ip4_addr_get_u32(ip_2_ip4(ip)) : 0};
        return;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out->bytes;
    out->length = sizeof *in6;
    *in6 = (struct sockaddr_in6){.family = AF_INET6, .port = lwip_htons(port)};
    if (IP_IS_V6(ip)) {
        memcpy(in6->address, ip_2_ip6(ip)->addr, 16);
        in6->scope = ip6_addr_zone(ip_2_ip6(ip));
    } else if (!IP_IS_ANY_TYPE_VAL(*ip)) {
        in6->address[10] = in6->address[11] = 0xff;
        uint32_t four = ip4_addr_get_u32(ip_2_ip4(ip));
        memcpy(in6->address + 12, &four, 4);
    }
}

void inet_enter_port(struct inet_socket *it, uint16_t port) {
    struct inet_socket **bucket = &inet_ports[port % INET_PORT_BUCKETS];
    it->local_port = port;
    if ((it->next = *bucket)) it->next->link = &it->next;
    it->link = bucket;
    *bucket = it;
}

void inet_leave_port(struct inet_socket *it) {
    if (!it->link) return;
    if ((*it->link = it->next)) it->next->link = it->link;
    it->link = NULL;
    it->local_port = 0;
    it->port_bound = false;
}

/* Which kinds of addresses it takes: 1 IPv4, 2 IPv6. */
static unsigned kinds(const struct inet_socket *it, const ip_addr_t *ip) {
    if (!inet_is6(it)) return 1;
    if (!IP_IS_V6(ip)) return 1;
    return ip6_addr_isany(ip_2_ip6(ip)) && !(it->flags & INET_V6ONLY) ? 3 : 2;
}

static bool overlap(const struct inet_socket *a, const ip_addr_t *a_ip, const struct inet_socket *b) {
    if (!(kinds(a, a_ip) & kinds(b, &b->local))) return false;
    if (ip_addr_isany(a_ip) || ip_addr_isany(&b->local)) return true;
    return ip_addr_cmp(a_ip, &b->local);
}

/* Connections of sockets that are closed, as long as lwIP knows them. */
static bool lingers(const ip_addr_t *ip, uint16_t port) {
    for (int i = 0; i < 2; i++)
        for (const struct tcp_pcb *pcb = i ? tcp_tw_pcbs : tcp_active_pcbs; pcb; pcb = pcb->next)
            if (!pcb->callback_arg && pcb->local_port == port && (ip_addr_isany(ip) || ip_addr_cmp(ip, &pcb->local_ip))) return true;
    return false;
}

static bool conflicts(const struct inet_socket *it, const ip_addr_t *ip, uint16_t port) {
    bool reuse = inet_plain(it, SO_REUSEADDR), share = inet_plain(it, SO_REUSEPORT);
    for (const struct inet_socket *other = inet_ports[port % INET_PORT_BUCKETS]; other; other = other->next) {
        if (other == it || other->local_port != port || other->socket.protocol != it->socket.protocol || !overlap(it, ip, other)) continue;
        if (it->interface && other->interface && it->interface != other->interface) continue;
        if (share && inet_plain(other, SO_REUSEPORT)) continue;
        if (reuse && inet_plain(other, SO_REUSEADDR) && other->state != INET_LISTENING) continue;
        return true;
    }
    return inet_is_stream(it) && !reuse && lingers(ip, port);
}

static int take(struct inet_socket *it, const ip_addr_t *ip) {
    uint32_t count = INET_PORT_LAST - INET_PORT_FIRST + 1, start;
    entropy_fill(&start, sizeof start);
    for (uint32_t i = 0; i < count; i++) {
        uint16_t port = (uint16_t)(INET_PORT_FIRST + (start + i) % count);
        bool used = false;
        for (const struct inet_socket *other = inet_ports[port % INET_PORT_BUCKETS]; other && !used; other = other->next)
            used = other->local_port == port && other->socket.protocol == it->socket.protocol;
        if (used || (inet_is_stream(it) && lingers(ip, port))) continue;
        inet_enter_port(it, port);
        return 0;
    }
    return inet_is_stream(it) ? -EADDRINUSE : -EAGAIN;
}

int inet_take_port(struct inet_socket *it) {
    return it->local_port ? 0 : take(it, &it->local);
}

int inet_bind(struct socket *socket, const struct address *address) {
    struct inet_socket *it = inet_of(socket);
    ip_addr_t ip;
    uint16_t port;
    int error = inet_address_in(it, address, &ip, &port);
    if (error) return error;
    if (address->family == AF_UNSPEC && !ip_addr_isany(&ip)) return -EAFNOSUPPORT;
    if (inet_is6(it) && it->flags & INET_V6ONLY && !IP_IS_V6(&ip)) return -EINVAL;
    bool multicast = ip_addr_ismulticast(&ip), broadcast = !IP_IS_V6(&ip) && ip4_addr_get_u32(ip_2_ip4(&ip)) == 0xffffffff;
    if (multicast || broadcast ? inet_is_stream(it) : !ip_addr_isany(&ip) && !inet_is_own(&ip) && !(it->flags & (INET_FREEBIND | INET_TRANSPARENT))) return -EADDRNOTAVAIL;
    if (port && port < inet_port_free && !process_may(current_process(), CAP_NET_BIND_SERVICE)) return -EACCES;
    if (it->port_bound || it->state != INET_NEW || (inet_is_stream(it) ? it->local_port : it->address_bound)) return -EINVAL;
    if (socket->type == SOCK_RAW) port = 0;
    inet_leave_port(it);
    if (port && conflicts(it, &ip, port)) return -EADDRINUSE;
    it->local = ip;
    it->address_bound = !ip_addr_isany(&ip);
    if (port) inet_enter_port(it, port);
    else if (it->flags & INET_BIND_NO_PORT && inet_is_stream(it)) return 0; /* connect takes one */
    else if (socket->type != SOCK_RAW && (error = take(it, &ip))) return -EADDRINUSE;
    it->port_bound = true;
    return inet_is_stream(it) ? 0 : inet_open_datagram(it);
}

int inet_name(struct socket *socket, bool peer, struct address *out) {
    struct inet_socket *it = inet_of(socket);
    if (peer && (!it->remote_port || (inet_is_stream(it) && it->state != INET_CONNECTED))) return -ENOTCONN;
    inet_address_out(socket->family, peer ? &it->remote : &it->local, peer ? it->remote_port : socket->type == SOCK_RAW ? (uint16_t)socket->protocol : it->local_port, out);
    return 0;
}

struct inet_socket *inet_find_datagram(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port) {
    struct inet_socket *found = NULL;
    for (struct inet_socket *it = inet_ports[local_port % INET_PORT_BUCKETS]; it; it = it->next) {
        if (it->local_port != local_port || inet_is_stream(it)) continue;
        if (!ip_addr_isany(&it->local) && !ip_addr_cmp(&it->local, local)) continue;
        if (it->remote_port == remote_port && ip_addr_cmp(&it->remote, remote)) return it;
        if (!it->remote_port) found = it;
    }
    return found;
}

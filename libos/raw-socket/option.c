/* getsockopt and setsockopt of what only raw sockets have (raw(7), icmp(7), RFC 3542 sections 3.1 and 3.2); the rest is inet-socket's. */
#include "raw-socket/internal.h"

enum { SOL_RAW = 255, ICMP_FILTER = 1, ICMP6_FILTER = 1, IP_HDRINCL = 3, IPV6_CHECKSUM = 7 };

/* The filter that an option means, and its bytes; NULL: another option. */
static uint32_t *find_filter(struct raw_socket *it, int level, int name, uint32_t *size) {
    int protocol = it->inet.socket.protocol;
    if (raw_is_ping(it)) return NULL;
    if (level == SOL_RAW && name == ICMP_FILTER && protocol == IPPROTO_ICMP && !inet_is6(&it->inet)) return *size = sizeof it->filter, &it->filter;
    if (level == IPPROTO_ICMPV6 && name == ICMP6_FILTER && protocol == IPPROTO_ICMPV6) return *size = sizeof it->filter6, it->filter6;
    return NULL;
}

static bool is_checksum(const struct raw_socket *it, int level, int name) {
    return inet_is6(&it->inet) && name == IPV6_CHECKSUM && (level == SOL_RAW || level == IPPROTO_IPV6);
}

int raw_get_option(struct socket *socket, int level, int name, void *out, uint32_t *size) {
    struct raw_socket *it = raw_of(socket);
    uint32_t room;
    const uint32_t *filter = find_filter(it, level, name, &room);
    int number;
    if (filter) {
        if (*size > room) *size = room;
        memcpy(out, filter, *size);
        return 0;
    }
    if (is_checksum(it, level, name)) number = it->inet.raw->chksum_reqd ? it->inet.raw->chksum_offset : -1;
    else if (level == IPPROTO_IP && name == IP_HDRINCL && !inet_is6(&it->inet) && !raw_is_ping(it)) number = it->inet.flags & INET_HEADER_INCLUDED ? 1 : 0;
    else return inet_get_option(socket, level, name, out, size);
    if (*size > sizeof number) *size = sizeof number;
    memcpy(out, &number, *size);
    return 0;
}

int raw_set_option(struct socket *socket, int level, int name, const void *value, uint32_t size) {
    struct raw_socket *it = raw_of(socket);
    uint32_t room;
    uint32_t *filter = find_filter(it, level, name, &room);
    int number = 0, error = filter_set_option(&it->packets, level, name, value, size);
    if (error != -ENOPROTOOPT) return error;
    if (filter) {
        memcpy(filter, value, size < room ? size : room);
        return 0;
    }
    bool checksum = is_checksum(it, level, name);
    if (!checksum && (level != IPPROTO_IP || name != IP_HDRINCL || inet_is6(&it->inet) || raw_is_ping(it))) return inet_set_option(socket, level, name, value, size);
    if (size < sizeof number) return -EINVAL;
    memcpy(&number, value, sizeof number);
    if (!checksum) {
        it->inet.flags = number ? it->inet.flags | INET_HEADER_INCLUDED : it->inet.flags & ~(uint32_t)INET_HEADER_INCLUDED;
        return 0;
    }
    if (socket->protocol == IPPROTO_ICMPV6) return -EINVAL; /* its own is always there */
    if (number >= 0 && (number & 1 || number > 0xfffe)) return -EINVAL;
    it->inet.raw->chksum_reqd = number >= 0;
    if (number >= 0) it->inet.raw->chksum_offset = (u16_t)number;
    return 0;
}

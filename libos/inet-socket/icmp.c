/*
 * What ICMP reports (RFC 1122, 3.2.2.1 and 4.1.3.3; RFC 4443, 3.1): a connected datagram socket learns that nobody listens, a connection attempt that the way ends. lwIP drops
 * these messages; two raw control blocks see them first and leave them to it.
 */
#include "inet-socket/internal.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/icmp.h"
#include "lwip/prot/icmp6.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"

static void report(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port, uint8_t protocol, int error) {
    if (protocol == IPPROTO_UDP) {
        struct inet_socket *it = inet_find_datagram(local, local_port, remote, remote_port);
        if (!it || !it->remote_port) return; /* only who is connected is told (udp(7)) */
        it->socket.error = error;
        inet_wake(it);
    } else if (protocol == IPPROTO_TCP) {
        for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
            struct inet_socket *it = pcb->callback_arg;
            if (pcb->state != SYN_SENT || pcb->local_port != local_port || pcb->remote_port != remote_port || !ip_addr_cmp(&pcb->remote_ip, remote) || !it) continue;
            tcp_abort(pcb);
            it->socket.error = error;
            inet_wake(it);
            return;
        }
    }
}

static uint16_t word(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static u8_t seen4(void *argument, struct raw_pcb *raw, struct pbuf *p, const ip_addr_t *from) {
    static const uint8_t errors[] = {ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EMSGSIZE, EOPNOTSUPP, ENETUNREACH, EHOSTDOWN};
    uint8_t bytes[60 + 8 + 60 + 8];
    (void)argument;
    (void)raw;
    (void)from;
    u16_t size = pbuf_copy_partial(p, bytes, sizeof bytes, 0), at = (u16_t)((bytes[0] & 15) * 4);
    if (size < at + 8u + 20 || bytes[at] != ICMP_DUR || bytes[at + 1] >= sizeof errors || bytes[at + 1] == 4) return 0;
    const uint8_t *inner = bytes + at + 8;
    unsigned header = (inner[0] & 15u) * 4;
    if (size < at + 8u + header + 8) return 0;
    ip_addr_t local, remote;
    uint32_t address;
    memcpy(&address, inner + 12, 4);
    ip_addr_set_ip4_u32_val(local, address);
    memcpy(&address, inner + 16, 4);
    ip_addr_set_ip4_u32_val(remote, address);
    report(&local, word(inner + header), &remote, word(inner + header + 2), inner[9], -errors[bytes[at + 1]]);
    return 0;
}

static u8_t seen6(void *argument, struct raw_pcb *raw, struct pbuf *p, const ip_addr_t *from) {
    static const uint8_t errors[] = {ENETUNREACH, EACCES, EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED, EACCES, EACCES};
    uint8_t bytes[40 + 8 + 40 + 8];
    (void)argument;
    (void)raw;
    (void)from;
    u16_t size = pbuf_copy_partial(p, bytes, sizeof bytes, 0);
    if (size < sizeof bytes || bytes[6] != IPPROTO_ICMPV6 || bytes[40] != ICMP6_TYPE_DUR || bytes[41] >= sizeof errors) return 0;
    const uint8_t *inner = bytes + 48;
    ip_addr_t local = {0}, remote = {0};
    IP_SET_TYPE_VAL(local, IPADDR_TYPE_V6);
    IP_SET_TYPE_VAL(remote, IPADDR_TYPE_V6);
    memcpy(ip_2_ip6(&local)->addr, inner + 8, 16);
    memcpy(ip_2_ip6(&remote)->addr, inner + 24, 16);
    report(&local, word(inner + 40), &remote, word(inner + 42), inner[6], -errors[bytes[41]]);
    return 0;
}

void inet_icmp_start(void) {
    struct raw_pcb *four = raw_new_ip_type(IPADDR_TYPE_V4, IPPROTO_ICMP), *six = raw_new_ip_type(IPADDR_TYPE_V6, IPPROTO_ICMPV6);
    if (four) raw_recv(four, seen4, NULL);
    if (six) raw_recv(six, seen6, NULL);
}

/*
 * What ICMP reports (RFC 1122, 3.2.2.1 and 4.1.3.3; RFC 4443, 3.1): a connected datagram socket learns that nobody listens, one that asks for reports (IP_RECVERR) what became of which datagram, a connection attempt that the way ends. lwIP drops
 * these messages; two raw control blocks see them first and leave them to it.
 */
#include "inet-socket/internal.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/icmp.h"
#include "lwip/prot/icmp6.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"

/* What an ICMP message says of a packet of ours: the ports are at `inner`, in the message's bytes, and what came back behind UDP's header. */
struct reported {
    struct icmp_report report;
    bool hard;           /* it will not get better: also a socket that does not ask for reports is told (RFC 1122, 4.2.3.9) */
    ip_addr_t local;
    uint16_t local_port;
    uint8_t protocol;
    size_t data;         /* offset */
};

static void tell(const struct reported *it, const struct pbuf *p) {
    const struct icmp_report *report = &it->report;
    if (it->protocol == IPPROTO_UDP) {
        struct inet_socket *socket = inet_find_datagram(&it->local, it->local_port, &report->to, report->port);
        if (!socket) return;
        if (socket->flags & (IP_IS_V6(&report->to) ? INET_RECVERR6 : INET_RECVERR)) inet_keep_report(socket, report, p, it->data);
        else if (!socket->remote_port || !it->hard) return; /* only who is connected is told (udp(7)) */
        socket->socket.error = report->error;
        inet_wake(socket);
    } else if (it->protocol == IPPROTO_TCP) {
        for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
            struct inet_socket *socket = pcb->callback_arg;
            if (pcb->state != SYN_SENT || pcb->local_port != it->local_port || pcb->remote_port != report->port || !ip_addr_cmp(&pcb->remote_ip, &report->to) || !socket) continue;
            tcp_abort(pcb);
            socket->socket.error = report->error;
            inet_wake(socket);
            return;
        }
    }
}

static uint16_t word(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

/* By the code of "destination unreachable"; the bits say which are hard. The way's MTU (code 4) is for who asks for reports. */
static const uint8_t errors4[] = {ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EMSGSIZE, EOPNOTSUPP, ENETUNREACH, EHOSTDOWN};
static const uint8_t errors6[] = {ENETUNREACH, EACCES, EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED, EACCES, EACCES};
enum { HARD4 = 1 << 2 | 1 << 3 | 1 << 6 | 1 << 7, HARD6 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6, TOO_LONG = 4, UDP_HEADER = 8 };

static u8_t seen4(void *argument, struct raw_pcb *raw, struct pbuf *p, const ip_addr_t *from) {
    uint8_t bytes[60 + 8 + 60 + 8];
    (void)argument;
    (void)raw;
    u16_t size = pbuf_copy_partial(p, bytes, sizeof bytes, 0), at = (u16_t)((bytes[0] & 15) * 4);
    if (size < at + 8u + 20) return 0;
    uint8_t type = bytes[at], code = bytes[at + 1];
    bool away = type == ICMP_DUR && code < sizeof errors4, late = type == ICMP_TE; /* late: its time to live is over */
    const uint8_t *inner = bytes + at + 8;
    unsigned header = (inner[0] & 15u) * 4;
    if ((!away && !late) || header < 20 || size < at + 8u + header + 8) return 0;
    if (inner[9] == IPPROTO_TCP && (late || code == TOO_LONG)) return 0;
    struct reported it = {.report = {.offender = *from, .port = word(inner + header + 2), .type = type, .code = code, .error = late ? -EHOSTUNREACH : -errors4[code],
                                     .info = away && code == TOO_LONG ? word(bytes + at + 6) : 0},
                          .hard = away && HARD4 >> code & 1, .local_port = word(inner + header), .protocol = inner[9], .data = at + 8u + header + UDP_HEADER};
    uint32_t address;
    memcpy(&address, inner + 12, 4);
    ip_addr_set_ip4_u32_val(it.local, address);
    memcpy(&address, inner + 16, 4);
    ip_addr_set_ip4_u32_val(it.report.to, address);
    tell(&it, p);
    return 0;
}

static u8_t seen6(void *argument, struct raw_pcb *raw, struct pbuf *p, const ip_addr_t *from) {
    uint8_t bytes[40 + 8 + 40 + 8];
    (void)argument;
    (void)raw;
    u16_t size = pbuf_copy_partial(p, bytes, sizeof bytes, 0);
    if (size < sizeof bytes || bytes[6] != IPPROTO_ICMPV6) return 0;
    uint8_t type = bytes[40], code = bytes[41];
    bool away = type == ICMP6_TYPE_DUR && code < sizeof errors6, late = type == ICMP6_TYPE_TE, big = type == ICMP6_TYPE_PTB;
    const uint8_t *inner = bytes + 48;
    if ((!away && !late && !big) || (inner[6] == IPPROTO_TCP && !away)) return 0;
    struct reported it = {.report = {.offender = *from, .port = word(inner + 42), .type = type, .code = code, .error = late ? -EHOSTUNREACH : big ? -EMSGSIZE : -errors6[code],
                                     .info = big ? (uint32_t)word(bytes + 44) << 16 | word(bytes + 46) : 0},
                          .hard = away && HARD6 >> code & 1, .local_port = word(inner + 40), .protocol = inner[6], .data = sizeof bytes};
    IP_SET_TYPE_VAL(it.local, IPADDR_TYPE_V6);
    IP_SET_TYPE_VAL(it.report.to, IPADDR_TYPE_V6);
    memcpy(ip_2_ip6(&it.local)->addr, inner + 8, 16);
    memcpy(ip_2_ip6(&it.report.to)->addr, inner + 24, 16);
    tell(&it, p);
    return 0;
}

void inet_icmp_start(void) {
    struct raw_pcb *four = raw_new_ip_type(IPADDR_TYPE_V4, IPPROTO_ICMP), *six = raw_new_ip_type(IPADDR_TYPE_V6, IPPROTO_ICMPV6);
    if (four) raw_recv(four, seen4, NULL);
    if (six) raw_recv(six, seen6, NULL);
}

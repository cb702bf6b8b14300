/*
 * What lwIP's core asks of its platform: time, randomness, allocation (arch/cc.h says which), checksums, initial sequence numbers.
 */
#include "arch/cc.h"
#include "clock/clock.h"
#include "entropy/entropy.h"
#include "lib/string.h"
#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/memp.h"
#include "lwip/netif.h"
#include "lwip/priv/raw_priv.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"
#include "lwip/udp.h"
#include "hooks.h"
#include "lwip.h"
#include "memory/memory.h"

enum { WINDOW_LEAST = 32 << 10, WINDOW_MOST = 1 << 20 };
uint32_t lwip_port_window = WINDOW_LEAST;

void lwip_port_start(uint64_t memory) {
    uint64_t window = memory / 128;
    lwip_port_window = window < WINDOW_LEAST ? WINDOW_LEAST : window > WINDOW_MOST ? WINDOW_MOST : (uint32_t)window;
    mem_init(); /* what lwip_init does; its checks are for a TCP_WND that the preprocessor knows */
    memp_init();
    netif_init();
    udp_init();
    tcp_init();
    igmp_init();
    sys_timeouts_init();
}

uint32_t lwip_port_window_of(const struct tcp_pcb *pcb) {
    uint32_t own = pcb ? (uint32_t)(uintptr_t)pcb->ext_args[LWIP_PORT_WINDOW_SLOT].data : 0;
    return own ? own : lwip_port_window;
}

/* As many as the window asks the peer for, in segments of its size and with a quarter of small ones between them: what it may send and is dropped here nevertheless is a gap of
 * hundreds of segments in the eyes of a peer. A segment takes a whole buffer, so that very small ones count for more; and a small window may have many of them. */
uint16_t lwip_port_gap_most(const struct tcp_pcb *pcb) {
    enum { SEGMENT_LEAST = 512, SEGMENT_MOST = 1460, LEAST = 512 };
    uint32_t segment = pcb->mss < SEGMENT_LEAST ? SEGMENT_LEAST : pcb->mss > SEGMENT_MOST ? SEGMENT_MOST : pcb->mss;
    uint32_t most = TCP_WND_MAX(pcb) / segment * 5 / 4;
    return (uint16_t)(most < LEAST ? LEAST : most);
}

/* What was sent is repeated, or a closed window asked about, since the tick in the slot: the slot follows the time while neither is so. */
uint8_t lwip_port_retries_of(struct tcp_pcb *pcb, uint8_t usual) {
    uint32_t slot = (uint32_t)(uintptr_t)pcb->ext_args[LWIP_PORT_PATIENCE_SLOT].data, patience = slot & 0xffffff, requests = slot >> 24;
    if (pcb->state == SYN_SENT && requests) usual = (uint8_t)requests;
    if (!patience) return usual;
    void **since = &pcb->ext_args[LWIP_PORT_SILENCE_SLOT].data;
    if (!pcb->nrtx && pcb->persist_backoff <= 1) *since = (void *)(uintptr_t)(tcp_ticks - (pcb->rtime > 0 ? (uint32_t)pcb->rtime : 0));
    else if (tcp_ticks - (uint32_t)(uintptr_t)*since >= patience) return 0;
    return usual;
}

u32_t sys_now(void) {
    return (u32_t)(clock_monotonic_ns() / 1000000);
}

uint32_t lwip_port_random(void) {
    uint32_t value;
    entropy_fill(&value, sizeof value);
    return value;
}

void *lwip_port_calloc(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return kzalloc(total);
}

/* lwIP reads decimal numbers of name-server texts with it. */
int lwip_port_atoi(const char *text) {
    int value = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (*text - '0');
    return value;
}

/* The Internet checksum's sum (RFC 1071), not complemented, eight bytes at a step. Bytes from an odd address count as lwIP has it: as if they began a word. */
uint16_t lwip_port_checksum(const void *data, int size) {
    typedef uint64_t __attribute__((may_alias, aligned(1))) word;
    typedef uint32_t __attribute__((may_alias, aligned(1))) half;
    typedef uint16_t __attribute__((may_alias, aligned(1))) quarter;
    const uint8_t *at = data;
    uint64_t sum = 0, carry = 0;
    for (; size >= 32; size -= 32, at += 32)
        for (int i = 0; i < 4; i++) carry += __builtin_add_overflow(sum, ((const word *)at)[i], &sum);
    for (; size >= 8; size -= 8, at += 8) carry += __builtin_add_overflow(sum, *(const word *)at, &sum);
    carry += (sum & 0xffffffff) + (sum >> 32);
    if (size & 4) {
        carry += *(const half *)at;
        at += 4;
    }
    if (size & 2) {
        carry += *(const quarter *)at;
        at += 2;
    }
    if (size & 1) carry += *at;
    carry = (carry & 0xffffffff) + (carry >> 32);
    carry = (carry & 0xffff) + (carry >> 16);
    carry = (carry & 0xffff) + (carry >> 16);
    return (uint16_t)((carry & 0xffff) + (carry >> 16));
}

static uint64_t mix(uint64_t state, uint64_t value) {
    state = (state ^ value) * 0x9e3779b97f4a7c15u;
    return state ^ state >> 29;
}

/* A keyed hash of the connection's ends, plus a clock of 4 microseconds (RFC 6528, section 3). */
u32_t lwip_port_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port) {
    static uint64_t key[2];
    if (!key[0]) entropy_fill(key, sizeof key);
    uint64_t state = key[0];
    for (unsigned i = 0; i < 4; i++) {
        state = mix(state, IP_IS_V6(local) ? ip_2_ip6(local)->addr[i] : i ? 0 : ip4_addr_get_u32(ip_2_ip4(local)));
        state = mix(state, IP_IS_V6(remote) ? ip_2_ip6(remote)->addr[i] : i ? 0 : ip4_addr_get_u32(ip_2_ip4(remote)));
    }
    state = mix(mix(state, (uint64_t)local_port << 16 | remote_port), key[1]);
    return (u32_t)(state >> 16) + (u32_t)(clock_monotonic_ns() >> 12);
}

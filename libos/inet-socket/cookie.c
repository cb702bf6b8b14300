/*
 * SYN cookies (RFC 4987, 3.6): a request that finds a listener's half-open connections at their limit is answered and forgotten. What is needed later lies in the answer's
 * sequence number, which the acknowledgment brings back: 5 bits of time, 3 bits for the size of the peer's segments, 24 bits of a keyed hash over all that and both ends.
 * Owns: the key, and the rule when a number still counts (two minutes). Window scaling and selective acknowledgments are not remembered; nothing here holds memory.
 * Context: lwIP's hook for segments that come to a listener.
 */
#include "clock/clock.h"
#include "entropy/entropy.h"
#include "inet-socket/internal.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

enum { SLICE_SECONDS = 64, SLICES = 32, HASH_BITS = 24, CLASS_BITS = 3, OPTION_END = 0, OPTION_NOTHING = 1, OPTION_SEGMENT = 2 };
static const uint16_t sizes[1 << CLASS_BITS] = {536, 1220, 1300, 1400, 1440, 1452, 1460, 8960}; /* what links in use leave for a segment */
static uint64_t last_sent; /* ns; 0: never */

static uint32_t slice_now(void) { return (uint32_t)(clock_monotonic_ns() / (SLICE_SECONDS * 1000000000ull)); }

/* ChaCha20's block function as a keyed hash: each further block's key is the one before it. */
static void absorb(uint32_t key[8], uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, [12] = a, b, c, d}, out[16];
    memcpy(state + 4, key, 32);
    chacha20_block(state, (uint8_t *)out);
    memcpy(key, out, 32);
}

static uint32_t hash(uint16_t local_port, uint16_t remote_port, uint32_t number, uint32_t slice, uint32_t class) {
    static uint32_t secret[8];
    static bool is_drawn;
    uint32_t key[8];
    if (!is_drawn) entropy_fill(secret, sizeof secret);
    is_drawn = true;
    memcpy(key, secret, sizeof key);
    const ip_addr_t *ends[] = {ip_current_src_addr(), ip_current_dest_addr()};
    absorb(key, (uint32_t)local_port << 16 | remote_port, number, slice, class);
    for (unsigned i = 0; i < 2; i++) {
        const uint32_t *words = IP_IS_V6(ends[i]) ? ip_2_ip6(ends[i])->addr : &ip_2_ip4(ends[i])->addr;
        if (IP_IS_V6(ends[i])) absorb(key, words[0], words[1], words[2], words[3]);
        else absorb(key, words[0], 0, 0, 0);
    }
    return key[0] & ((1u << HASH_BITS) - 1);
}

/* What the peer says that its segments may hold, as a class. */
static uint32_t read_class(const struct tcp_hdr *header, bool has_all) {
    const uint8_t *at = (const uint8_t *)header + TCP_HLEN, *end = (const uint8_t *)header + TCPH_HDRLEN_BYTES(header);
    uint32_t size = 536, class = 0;
    while (has_all && at < end && *at != OPTION_END) {
        if (*at == OPTION_NOTHING) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at) break;
        if (*at == OPTION_SEGMENT && at[1] == 4) size = (uint32_t)at[2] << 8 | at[3];
        at += at[1];
    }
    while (class + 1 < sizeof sizes / sizeof *sizes && sizes[class + 1] <= size) class++;
    return class;
}

void inet_cookie_answer(struct tcp_pcb_listen *listening, const struct tcp_hdr *header, bool has_all_options) {
    uint32_t slice = slice_now(), class = read_class(header, has_all_options);
    uint32_t number = (slice % SLICES) << (CLASS_BITS + HASH_BITS) | class << HASH_BITS | hash(header->dest, header->src, header->seqno, slice, class);
    const ip_addr_t *own = ip_current_dest_addr(), *peer = ip_current_src_addr();
    struct netif *netif = ip_route(own, peer);
    struct pbuf *p = netif ? pbuf_alloc(PBUF_IP, TCP_HLEN + 4, PBUF_RAM) : NULL;
    if (!p) return;
    uint32_t window = lwip_port_window_of((const struct tcp_pcb *)listening);
    uint16_t size = tcp_eff_send_mss(TCP_MSS, own, peer);
    struct tcp_hdr *answer = p->payload;
    *answer = (struct tcp_hdr){
        .src = lwip_htons(header->dest), .dest = lwip_htons(header->src), .seqno = lwip_htonl(number), .ackno = lwip_htonl(header->seqno + 1),
        .wnd = lwip_htons((uint16_t)(window < 0xffff ? window : 0xffff)),
    };
    TCPH_HDRLEN_FLAGS_SET(answer, (TCP_HLEN + 4) / 4, TCP_SYN | TCP_ACK);
    memcpy(answer + 1, (const uint8_t[]){OPTION_SEGMENT, 4, (uint8_t)(size >> 8), (uint8_t)size}, 4);
    IF__NETIF_CHECKSUM_ENABLED(netif, NETIF_CHECKSUM_GEN_TCP) answer->chksum = ip_chksum_pseudo(p, IP_PROTO_TCP, p->tot_len, own, peer);
    ip_output_if(p, own, peer, listening->ttl, listening->tos, IP_PROTO_TCP, netif);
    pbuf_free(p);
    last_sent = clock_monotonic_ns();
}

/* The class of the peer's segments where its acknowledgment brings back a number of ours; -1. */
static int check(const struct tcp_hdr *header) {
    uint32_t number = header->ackno - 1, now = slice_now(), age = (now - (number >> (CLASS_BITS + HASH_BITS))) % SLICES;
    uint32_t class = number >> HASH_BITS & ((1u << CLASS_BITS) - 1);
    if (age > 1 || age > now) return -1;
    return hash(header->dest, header->src, header->seqno - 1, now - age, class) == (number & ((1u << HASH_BITS) - 1)) ? (int)class : -1;
}

bool inet_cookie_take(struct tcp_pcb_listen *listening, const struct tcp_hdr *header) {
    if (!last_sent || clock_monotonic_ns() - last_sent > 2 * SLICE_SECONDS * 1000000000ull) return false;
    int class = check(header);
    struct tcp_pcb *pcb = class < 0 ? NULL : tcp_alloc(listening->prio);
    if (!pcb) return false;
    /* As lwIP has it after its answer to a request (tcp_listen_input), with nothing to send again. */
    ip_addr_copy(pcb->local_ip, *ip_current_dest_addr());
    ip_addr_copy(pcb->remote_ip, *ip_current_src_addr());
    pcb->local_port = listening->local_port;
    pcb->remote_port = header->src;
    pcb->state = SYN_RCVD;
    pcb->rcv_nxt = header->seqno;
    pcb->lastack = pcb->snd_wl2 = header->ackno - 1;
    pcb->snd_nxt = pcb->snd_lbb = header->ackno;
    pcb->snd_wl1 = header->seqno - 2; /* the window is the one that comes next */
    pcb->snd_wnd = pcb->snd_wnd_max = header->wnd;
    pcb->callback_arg = listening->callback_arg;
    pcb->listener = listening;
    pcb->so_options = listening->so_options & SOF_INHERITED;
    pcb->netif_idx = listening->netif_idx;
    pcb->mss = tcp_eff_send_mss(sizes[class], &pcb->local_ip, &pcb->remote_ip);
    TCP_REG_ACTIVE(pcb);
    if (tcp_ext_arg_invoke_callbacks_passive_open(listening, pcb) != ERR_OK) {
        tcp_abandon(pcb, 0);
        return false;
    }
    pcb->rcv_ann_right_edge = pcb->rcv_nxt + pcb->rcv_ann_wnd;
    return true;
}

/*
 * What a stream sends again before its timer does: loss recovery by selective acknowledgments (RFC 6675, with the first steps of RFC 5827 near a stream's end). lwIP by itself sends one segment
 * again after three duplicate acknowledgments and waits for its timer for each further one that is missing.
 * Owns: two bits of each unacknowledged segment's flags, which lwIP does not use, and the two extension arguments of a connection below.
 * Rules: a segment is lost when SACKED_MOST later ones have arrived; it is sent again by going back to `unsent`, which lwIP sends in order as far as cwnd reaches from the last
 * acknowledged byte; so cwnd says here how much more may be in flight. A segment that is missing again is seen by the arrival of what was sent behind it. The timer (TF_RTO) ends a recovery:
 * lwIP then sends everything again.
 */
#include "inet-socket/internal.h"
#include "lwip/priv/tcp_priv.h"

enum { ARRIVED = 0x40, AGAIN = 0x80, SACKED_MOST = 3, BLOCKS_MOST = 4, OPTION_END = 0, OPTION_NOTHING = 1, OPTION_SACK = 5 };
_Static_assert(!((ARRIVED | AGAIN) & (TF_SEG_OPTS_MSS | TF_SEG_OPTS_TS | TF_SEG_DATA_CHECKSUMMED | TF_SEG_OPTS_WND_SCALE | TF_SEG_OPTS_SACK_PERM)), "bits of lwIP");

/* 0, or 1 << 32 and the sequence number at which the recovery is over. */
#define IN_RECOVERY(pcb) ((pcb)->ext_args[LWIP_PORT_RECOVERY_SLOT].data)
/* The next new byte when a segment was last sent again. */
#define SENT_BEHIND(pcb) ((pcb)->ext_args[LWIP_PORT_AGAIN_SLOT].data)

struct block { u32_t begin, end; };

static u32_t begin_of(const struct tcp_seg *segment) { return lwip_ntohl(segment->tcphdr->seqno); }
static u32_t end_of(const struct tcp_seg *segment) { return begin_of(segment) + TCP_TCPLEN(segment); }

static u32_t read_word(const u8_t *at) { return (u32_t)at[0] << 24 | (u32_t)at[1] << 16 | (u32_t)at[2] << 8 | at[3]; }

/* The blocks of what has arrived behind `acknowledged` (RFC 2018); others tell of what came twice (RFC 2883). */
static unsigned read_blocks(const struct tcp_hdr *header, u32_t acknowledged, u32_t next, struct block *blocks) {
    const u8_t *at = (const u8_t *)header + TCP_HLEN, *end = (const u8_t *)header + TCPH_HDRLEN_BYTES(header);
    while (at < end && *at != OPTION_END) {
        if (*at == OPTION_NOTHING) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at) return 0;
        if (*at == OPTION_SACK) {
            unsigned count = 0;
            for (const u8_t *block = at + 2; block + 8 <= at + at[1] && count < BLOCKS_MOST; block += 8) {
                struct block it = {read_word(block), read_word(block + 4)};
                if (TCP_SEQ_GT(it.begin, acknowledged) && TCP_SEQ_LT(it.begin, it.end) && TCP_SEQ_LEQ(it.end, next)) blocks[count++] = it;
            }
            return count;
        }
        at += at[1];
    }
    return 0;
}

static void forget(struct tcp_pcb *pcb) {
    for (struct tcp_seg *it = pcb->unacked; it; it = it->next) it->flags &= (u8_t)~(ARRIVED | AGAIN);
    for (struct tcp_seg *it = pcb->unsent; it; it = it->next) it->flags &= (u8_t)~(ARRIVED | AGAIN);
    IN_RECOVERY(pcb) = NULL;
}

/* How many of a connection's segments that are on their way have arrived, and the end of the last of them. */
struct board { unsigned count, arrived; u32_t last; };

static struct board mark(struct tcp_pcb *pcb, u32_t acknowledged, const struct block *blocks, unsigned count) {
    struct board board = {0, 0, acknowledged};
    for (struct tcp_seg *it = pcb->unacked; it; it = it->next) {
        u32_t begin = begin_of(it), end = end_of(it);
        if (TCP_SEQ_LEQ(end, acknowledged)) continue;
        for (unsigned i = 0; i < count; i++)
            if (TCP_SEQ_GEQ(begin, blocks[i].begin) && TCP_SEQ_LEQ(end, blocks[i].end)) it->flags |= ARRIVED;
        board.count++;
        if (!(it->flags & ARRIVED)) continue;
        board.arrived++;
        board.last = end;
    }
    return board;
}

/* The first second without an answer: RFC 6298, section 2. lwIP has three. */
void inet_recovery_begin(struct tcp_pcb *pcb) { pcb->rto = pcb->sv = 1000 / TCP_SLOW_INTERVAL; }

/* Before lwIP sees an acknowledgment. */
void inet_recover(struct tcp_pcb *pcb, const struct tcp_hdr *header, const u8_t *further_options) {
    if (!(pcb->flags & TF_SACK) || further_options || (TCPH_FLAGS(header) & (TCP_ACK | TCP_SYN | TCP_RST)) != TCP_ACK) return;
    u32_t acknowledged = header->ackno;
    if (!pcb->unacked || TCP_SEQ_LT(acknowledged, pcb->lastack) || TCP_SEQ_GT(acknowledged, pcb->snd_nxt)) return;
    if (pcb->flags & TF_RTO) {
        forget(pcb);
        return;
    }
    struct block blocks[BLOCKS_MOST];
    unsigned count = TCPH_HDRLEN_BYTES(header) > TCP_HLEN ? read_blocks(header, acknowledged, pcb->snd_nxt, blocks) : 0;
    pcb->dupacks = 0; /* lwIP counts in vain */
    if (IN_RECOVERY(pcb) && TCP_SEQ_GEQ(acknowledged, (u32_t)(uintptr_t)IN_RECOVERY(pcb))) {
        IN_RECOVERY(pcb) = NULL;
        pcb->cwnd = pcb->ssthresh;
        pcb->bytes_acked = 0;
    }
    if (!IN_RECOVERY(pcb) && !count) return;

    struct board board = mark(pcb, acknowledged, blocks, count);
    if (IN_RECOVERY(pcb) && TCP_SEQ_GEQ(board.last, (u32_t)(uintptr_t)SENT_BEHIND(pcb) + SACKED_MOST * pcb->mss))
        for (struct tcp_seg *it = pcb->unacked; it; it = it->next) it->flags &= (u8_t)~AGAIN;
    /* Near the end there are not enough later ones. */
    unsigned enough = board.count > SACKED_MOST || pcb->unsent ? SACKED_MOST : board.count > 1 ? board.count - 1 : 1;

    /* What is on its way; what is lost is not. */
    u32_t flight = 0, missing = 0;
    unsigned later = board.arrived;
    for (struct tcp_seg *it = pcb->unacked; it; it = it->next) {
        if (TCP_SEQ_LEQ(end_of(it), acknowledged)) continue;
        if (it->flags & ARRIVED) later--;
        else if (later >= enough && !(it->flags & AGAIN)) missing += it->len;
        else flight += it->len;
    }
    if (!IN_RECOVERY(pcb)) {
        if (!missing) return;
        /* RFC 9438, 4.6: seven tenths. */
        u32_t threshold = (u32_t)((uint64_t)(pcb->snd_nxt - acknowledged) * 7 / 10);
        pcb->ssthresh = threshold > 2u * pcb->mss ? threshold : 2u * pcb->mss;
        IN_RECOVERY(pcb) = (void *)(uintptr_t)(1ull << 32 | pcb->snd_nxt);
        for (struct tcp_seg *it = pcb->unacked; it; it = it->next) it->flags &= (u8_t)~AGAIN;
    }
    pcb->bytes_acked = 0;
    later = board.arrived;
    struct tcp_seg **into = &pcb->unsent;
    bool first = true;
    for (struct tcp_seg **link = &pcb->unacked; *link && missing;) {
        struct tcp_seg *it = *link;
        bool over = TCP_SEQ_LEQ(end_of(it), acknowledged);
        if (!over && it->flags & ARRIVED) later--;
        if (over || it->flags & (ARRIVED | AGAIN) || later < enough || it->p->ref != 1) { /* the device may still read it */
            link = &it->next;
            continue;
        }
        if (!first && flight + it->len > pcb->ssthresh) break;
        first = false;
        flight += it->len;
        it->flags |= AGAIN;
        *link = it->next;
        while (*into && TCP_SEQ_LT(begin_of(*into), begin_of(it))) into = &(*into)->next;
        it->next = *into;
        *into = it;
        SENT_BEHIND(pcb) = (void *)(uintptr_t)pcb->snd_nxt;
        pcb->rttest = 0; /* Karn's rule */
    }
    pcb->cwnd = pcb->snd_nxt - acknowledged + (flight < pcb->ssthresh ? pcb->ssthresh - flight : 0);
}

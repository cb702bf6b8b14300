/*
 * What a stream sends again before its timer does: loss recovery by selective acknowledgments (RFC 6675, with the first steps of RFC 5827 near a stream's end). lwIP by itself sends one segment
 * again after three duplicate acknowledgments and waits for its timer for each further one that is missing.
 * Owns: three bits of each unacknowledged segment's flags, which lwIP does not use, and the extension arguments of a connection below.
 * Rules: a segment is lost when as many later ones have arrived as the path was seen to mix up, at least SACKED_LEAST: how far a segment that was sent once came behind its successors
 * says that (RFC 4653's aim; the degree grows as RFC 8985's window does where it cannot be seen, and an expired timer ends it). Until then each arrival lets another one go.
 * A recovery of which the peer has got everything twice (RFC 2883) was none: it is undone (RFC 3708). A lost segment is sent again by going back to `unsent`, which lwIP sends in order as far as cwnd reaches from the last
 * acknowledged byte; so cwnd says here how much more may be in flight. A segment that is missing again is seen by the arrival of what was sent behind it. The timer (TF_RTO) ends a recovery:
 * lwIP then sends everything again.
 */
#include "inet-socket/internal.h"
#include "lwip/priv/tcp_priv.h"

enum { TWICE = 0x20, ARRIVED = 0x40, AGAIN = 0x80, BITS = TWICE | ARRIVED | AGAIN, SACKED_LEAST = 3, DEGREE_MOST = 300, BLOCKS_MOST = 4, OPTION_END = 0, OPTION_NOTHING = 1, OPTION_SACK = 5 };
_Static_assert(!(BITS & (TF_SEG_OPTS_MSS | TF_SEG_OPTS_TS | TF_SEG_DATA_CHECKSUMMED | TF_SEG_OPTS_WND_SCALE | TF_SEG_OPTS_SACK_PERM)), "bits of lwIP");

/* 0, or 1 << 32 and the sequence number at which the recovery is over. */
#define IN_RECOVERY(pcb) ((pcb)->ext_args[LWIP_PORT_RECOVERY_SLOT].data)

/* Two numbers in an extension argument, which may be read as what it holds. */
typedef uint32_t __attribute__((may_alias)) half;
typedef uint64_t __attribute__((may_alias)) whole;
#define LOW(slot) (((half *)&(slot).data)[0])
#define HIGH(slot) (((half *)&(slot).data)[1])
/* The next new byte when a segment was last sent again. */
#define SENT_BEHIND(pcb) LOW((pcb)->ext_args[LWIP_PORT_AGAIN_SLOT])
/* How much of cwnd stands for what has arrived out of order, outside of a recovery. */
#define ADDED(pcb) HIGH((pcb)->ext_args[LWIP_PORT_AGAIN_SLOT])
/* How many segments the path mixes up, beyond SACKED_LEAST. */
#define DEGREE(pcb) LOW((pcb)->ext_args[LWIP_PORT_ORDER_SLOT])
/* Of the last recovery: the segments sent again of which nothing says that they came twice (0: it cannot be undone), which they are (a bit for each 64th place), and what it took. */
#define DOUBTED(pcb) HIGH((pcb)->ext_args[LWIP_PORT_ORDER_SLOT])
#define PLACES(pcb) (*(whole *)&(pcb)->ext_args[LWIP_PORT_PLACES_SLOT].data)
#define CWND_BEFORE(pcb) LOW((pcb)->ext_args[LWIP_PORT_BEFORE_SLOT])
#define THRESHOLD_BEFORE(pcb) HIGH((pcb)->ext_args[LWIP_PORT_BEFORE_SLOT])

struct block { u32_t begin, end; };

static u32_t begin_of(const struct tcp_seg *segment) { return lwip_ntohl(segment->tcphdr->seqno); }
static u32_t end_of(const struct tcp_seg *segment) { return begin_of(segment) + TCP_TCPLEN(segment); }

static u32_t read_word(const u8_t *at) { return (u32_t)at[0] << 24 | (u32_t)at[1] << 16 | (u32_t)at[2] << 8 | at[3]; }

/* The blocks of what has arrived behind `acknowledged` (RFC 2018). `twice` is what came twice, if the first one tells of that (RFC 2883, 4), else empty. */
static unsigned read_blocks(const struct tcp_hdr *header, u32_t acknowledged, u32_t next, struct block *blocks, struct block *twice) {
    const u8_t *at = (const u8_t *)header + TCP_HLEN, *end = (const u8_t *)header + TCPH_HDRLEN_BYTES(header);
    while (at < end && *at != OPTION_END) {
        if (*at == OPTION_NOTHING) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at) return 0;
        if (*at == OPTION_SACK) {
            unsigned count = 0;
            struct block first = {0, 0};
            for (const u8_t *block = at + 2; block + 8 <= at + at[1] && count < BLOCKS_MOST; block += 8) {
                struct block it = {read_word(block), read_word(block + 4)};
                if (block == at + 10 && twice->begin == twice->end && TCP_SEQ_GEQ(first.begin, it.begin) && TCP_SEQ_LEQ(first.end, it.end)) *twice = first;
                if (block == at + 2) {
                    first = it;
                    if (TCP_SEQ_LT(it.begin, acknowledged)) *twice = it;
                }
                if (TCP_SEQ_GT(it.begin, acknowledged) && TCP_SEQ_LT(it.begin, it.end) && TCP_SEQ_LEQ(it.end, next)) blocks[count++] = it;
            }
            return count;
        }
        at += at[1];
    }
    return 0;
}

static void forget(struct tcp_pcb *pcb) {
    for (struct tcp_seg *it = pcb->unacked; it; it = it->next) it->flags = (u8_t)((it->flags & ~BITS) | TWICE);
    for (struct tcp_seg *it = pcb->unsent; it && TCP_SEQ_LT(begin_of(it), pcb->snd_nxt); it = it->next) it->flags = (u8_t)((it->flags & ~BITS) | TWICE);
    IN_RECOVERY(pcb) = NULL;
    ADDED(pcb) = DEGREE(pcb) = DOUBTED(pcb) = 0;
}

/* How many of a connection's segments that are on their way have arrived, their bytes, and the end of the last of them. */
struct board { unsigned count, arrived; u32_t bytes, last; };

static uint64_t place_of(const struct tcp_pcb *pcb, u32_t begin) { return 1ull << (begin / pcb->mss % 64); }

/* The path mixes up so many. */
static void learn(struct tcp_pcb *pcb, u32_t segments) {
    if (segments > DEGREE_MOST) segments = DEGREE_MOST;
    if (segments > SACKED_LEAST + DEGREE(pcb)) DEGREE(pcb) = segments - SACKED_LEAST;
}

/* What was sent again had arrived before. */
static void doubt(struct tcp_pcb *pcb, struct block twice) {
    if (!(PLACES(pcb) & place_of(pcb, twice.begin)) || twice.end - twice.begin > 64u * pcb->mss) return;
    for (u32_t at = twice.begin; DOUBTED(pcb) && TCP_SEQ_LT(at, twice.end); at += pcb->mss)
        if (PLACES(pcb) & place_of(pcb, at)) DOUBTED(pcb)--;
    if (DOUBTED(pcb)) return;
    PLACES(pcb) = 0;
    IN_RECOVERY(pcb) = NULL;
    learn(pcb, 2 * (SACKED_LEAST + DEGREE(pcb)));
    if (pcb->ssthresh < THRESHOLD_BEFORE(pcb)) pcb->ssthresh = THRESHOLD_BEFORE(pcb);
    if (pcb->cwnd - ADDED(pcb) < CWND_BEFORE(pcb)) pcb->cwnd = CWND_BEFORE(pcb) + ADDED(pcb);
}

static struct board mark(struct tcp_pcb *pcb, u32_t acknowledged, const struct block *blocks, unsigned count) {
    struct board board = {0, 0, 0, acknowledged};
    u32_t before = pcb->lastack;
    for (struct tcp_seg *it = pcb->unacked; it; it = it->next)
        if (it->flags & ARRIVED) before = end_of(it);
    for (struct tcp_seg *it = pcb->unacked; it; it = it->next) {
        u32_t begin = begin_of(it), end = end_of(it);
        bool arrived = TCP_SEQ_LEQ(end, acknowledged);
        for (unsigned i = 0; i < count; i++)
            if (TCP_SEQ_GEQ(begin, blocks[i].begin) && TCP_SEQ_LEQ(end, blocks[i].end)) arrived = true;
        if (arrived && !(it->flags & (ARRIVED | TWICE)) && TCP_SEQ_LT(end, before)) learn(pcb, (before - end) / pcb->mss + 1);
        if (arrived) it->flags |= ARRIVED;
        if (TCP_SEQ_LEQ(end, acknowledged)) continue;
        board.count++;
        if (!(it->flags & ARRIVED)) continue;
        board.arrived++;
        board.bytes += it->len;
        board.last = end;
    }
    return board;
}

/* The first second without an answer: RFC 6298, section 2. lwIP has three. */
void inet_recovery_begin(struct tcp_pcb *pcb) { pcb->rto = pcb->sv = 1000 / TCP_SLOW_INTERVAL; }

/* Slow start grows by what arrives (RFC 5681, 3.1 bounds that by two segments only to spare old networks, RFC 3465, 2.3): lwIP counts two segments at most of an acknowledgment. */
static void grow(struct tcp_pcb *pcb, u32_t acknowledged) {
    u32_t acked = acknowledged - pcb->lastack, most = 2u * pcb->mss;
    if (pcb->cwnd >= pcb->ssthresh || acked <= most) return;
    u32_t room = pcb->ssthresh - pcb->cwnd;
    pcb->cwnd += acked - most < room ? acked - most : room;
}

/* Before lwIP sees an acknowledgment. */
void inet_recover(struct tcp_pcb *pcb, const struct tcp_hdr *header, const u8_t *further_options) {
    if (!(pcb->flags & TF_SACK) || further_options || (TCPH_FLAGS(header) & (TCP_ACK | TCP_SYN | TCP_RST)) != TCP_ACK) return;
    u32_t acknowledged = header->ackno;
    if (TCP_SEQ_GT(acknowledged, pcb->snd_nxt)) return;
    if (pcb->flags & TF_RTO) {
        forget(pcb);
        return;
    }
    struct block blocks[BLOCKS_MOST], twice = {0, 0};
    unsigned count = TCPH_HDRLEN_BYTES(header) > TCP_HLEN ? read_blocks(header, acknowledged, pcb->snd_nxt, blocks, &twice) : 0;
    if (twice.begin != twice.end && DOUBTED(pcb)) doubt(pcb, twice); /* one that was overtaken tells of it, too */
    if (TCP_SEQ_LT(acknowledged, pcb->lastack)) return;
    pcb->cwnd -= ADDED(pcb);
    bool mixed = ADDED(pcb) != 0;
    ADDED(pcb) = 0;
    if (!IN_RECOVERY(pcb)) grow(pcb, acknowledged);
    if (!pcb->unacked) return;
    pcb->dupacks = 0; /* lwIP counts in vain */
    if (IN_RECOVERY(pcb) && TCP_SEQ_GEQ(acknowledged, (u32_t)(uintptr_t)IN_RECOVERY(pcb))) {
        IN_RECOVERY(pcb) = NULL;
        pcb->cwnd = pcb->ssthresh;
        pcb->bytes_acked = 0;
    }
    if (!IN_RECOVERY(pcb) && !count && !mixed) return;

    struct board board = mark(pcb, acknowledged, blocks, count);
    unsigned degree = SACKED_LEAST + DEGREE(pcb);
    if (IN_RECOVERY(pcb) && TCP_SEQ_GEQ(board.last, SENT_BEHIND(pcb) + degree * pcb->mss))
        for (struct tcp_seg *it = pcb->unacked; it; it = it->next) it->flags &= (u8_t)~AGAIN;
    /* Near the end, and where the peer has no room, there are not enough later ones. */
    bool more = pcb->unsent && end_of(pcb->unsent) - pcb->lastack <= pcb->snd_wnd;
    unsigned enough = more ? degree : board.count > SACKED_LEAST ? SACKED_LEAST : board.count > 1 ? board.count - 1 : 1;

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
        if (!missing) {
            ADDED(pcb) = board.bytes;
            pcb->cwnd += board.bytes;
            return;
        }
        /* RFC 9438, 4.6: seven tenths. */
        u32_t out = pcb->snd_nxt - acknowledged, threshold = (u32_t)((uint64_t)(out < pcb->cwnd ? out : pcb->cwnd) * 7 / 10);
        CWND_BEFORE(pcb) = pcb->cwnd;
        THRESHOLD_BEFORE(pcb) = pcb->ssthresh;
        PLACES(pcb) = DOUBTED(pcb) = 0;
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
        it->flags |= AGAIN | TWICE;
        PLACES(pcb) |= place_of(pcb, begin_of(it));
        DOUBTED(pcb)++;
        *link = it->next;
        while (*into && TCP_SEQ_LT(begin_of(*into), begin_of(it))) into = &(*into)->next;
        it->next = *into;
        *into = it;
        SENT_BEHIND(pcb) = pcb->snd_nxt;
        pcb->rttest = 0; /* Karn's rule */
    }
    pcb->cwnd = pcb->snd_nxt - acknowledged + (flight < pcb->ssthresh ? pcb->ssthresh - flight : 0);
}

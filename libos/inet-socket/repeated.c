/*
 * Bytes that a stream gets twice: its peer is told of them, once (DSACK: RFC 2883, 4), so that it knows what it need not have sent again and takes back what it did about a loss that was none.
 * lwIP throws such bytes away and acknowledges what it had before.
 */
#include "inet-socket/internal.h"
#include "lwip/priv/tcp_priv.h"

enum { BLOCKS = LWIP_TCP_MAX_SACK_NUM };

/* Which of the blocks behind a gap has all of it; BLOCKS: none. */
static unsigned find_block(const struct tcp_pcb *pcb, u32_t begin, u32_t end) {
    for (unsigned i = 0; i < BLOCKS && LWIP_TCP_SACK_VALID(pcb, i); i++)
        if (TCP_SEQ_GEQ(begin, pcb->rcv_sacks[i].left) && TCP_SEQ_LEQ(end, pcb->rcv_sacks[i].right)) return i;
    return BLOCKS;
}

void inet_tell_repeated(struct tcp_pcb *pcb, const struct tcp_hdr *header, const struct pbuf *p) {
    u32_t begin = header->seqno, end = begin + p->tot_len;
    unsigned whole = BLOCKS;
    if (!(pcb->flags & TF_SACK) || !p->tot_len || pcb->state == TIME_WAIT) return;
    if (TCP_SEQ_LT(begin, pcb->rcv_nxt)) {
        if (TCP_SEQ_GT(end, pcb->rcv_nxt)) end = pcb->rcv_nxt;
        if (pcb->rcv_nxt - begin > TCP_WND_MAX(pcb)) return; /* of long ago, or of somebody else */
    } else if ((whole = find_block(pcb, begin, end)) == BLOCKS) {
        return;
    }
    struct tcp_sack_range kept[BLOCKS];
    memcpy(kept, pcb->rcv_sacks, sizeof kept);
    unsigned at = 0;
    pcb->rcv_sacks[at++] = (struct tcp_sack_range){.left = begin, .right = end};
    if (whole < BLOCKS) pcb->rcv_sacks[at++] = kept[whole];
    for (unsigned i = 0; at < BLOCKS; i++)
        if (i != whole) pcb->rcv_sacks[at++] = kept[i];
    tcp_send_empty_ack(pcb);
    memcpy(pcb->rcv_sacks, kept, sizeof kept);
}

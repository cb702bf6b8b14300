/*
 * Urgent data of streams (tcp(7), MSG_OOB): one byte, in the stream like the others. A read ends before it, and the next one leaves it out unless SO_OOBINLINE is set; MSG_OOB reads it
 * out of its place. A later one takes the place of an earlier.
 */
#include "inet-socket/internal.h"
#include "lwip/priv/tcp_priv.h"

static uint64_t position(const struct inet_socket *it) { return it->bytes_in - it->unread; }

void inet_urgent_told(struct tcp_pcb *pcb, const struct tcp_hdr *header) {
    struct inet_socket *it = pcb->callback_arg;
    uint32_t pointer = lwip_ntohs(header->urgp), at = header->seqno + (pointer ? pointer - 1 : 0);
    if (!it || it->shut & SHUT_RECEIVE || at - pcb->rcv_nxt > pcb->rcv_wnd) return; /* before what is expected, or out of the window */
    uint64_t place = it->bytes_in + (at - pcb->rcv_nxt);
    if (it->urgent && place <= it->urgent_at) return;
    it->urgent = URGENT_TOLD;
    it->urgent_at = place;
    socket_tell_urgent(&it->socket);
}

bool inet_urgent_there(const struct inet_socket *it) { return it->urgent == URGENT_TOLD && it->urgent_at < it->bytes_in; }

size_t inet_urgent_distance(const struct inet_socket *it) { return it->urgent ? it->urgent_at - position(it) : SIZE_MAX; }

void inet_urgent_passed(struct inet_socket *it) {
    if (it->urgent && it->urgent_at < position(it)) it->urgent = URGENT_NONE;
}

long inet_receive_urgent(struct inet_socket *it, struct message *message) {
    if (inet_plain(it, SO_OOBINLINE) || it->urgent != URGENT_TOLD) return -EINVAL;
    if (!inet_urgent_there(it)) return it->shut & SHUT_RECEIVE ? 0 : -EAGAIN;
    const struct pbuf *p = it->first;
    size_t offset = inet_urgent_distance(it);
    for (; offset >= p->len; p = p->next) offset -= p->len;
    uint8_t byte = ((const uint8_t *)p->payload)[offset];
    if (!(message->flags & MSG_PEEK)) it->urgent = URGENT_READ;
    message->out_flags |= MSG_OOB;
    if (!message->size) {
        message->out_flags |= MSG_TRUNC;
        return 0;
    }
    const struct iovec *vector = message->vector;
    while (!vector->length) vector++;
    return !(message->flags & MSG_TRUNC) && user_copy_out(vector->base, &byte, 1) ? -EFAULT : 1;
}

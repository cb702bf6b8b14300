/*
 * Streams: data in and out. Sending makes TCP segments here: a program's bytes are copied once, into the memory that the device will read. lwIP gets whole segments;
 * small pieces wait here while Nagle's rule (RFC 1122, 4.2.3.4), MSG_MORE or TCP_CORK hold them, and are put together meanwhile.
 * Received data lies in the buffers in which it arrived; small pieces that nobody reads are put together, so that they hold no more memory than they are.
 */
#include "clock/clock.h"
#include "inet-socket/internal.h"
#include "lwip/memp.h"
#include "lwip/priv/tcp_priv.h"
#include "signal/signal.h"

/* Absent where the signal component is. */
extern __typeof(signal_raise) signal_raise __attribute__((weak));
enum { SEGMENT_MOST = 16384, PUSH_EVERY = 65536, SMALL = 512, FIRST_WINDOW = 10 };
#define CORK_NS 200000000ull

uint32_t inet_stream_unsent(const struct inet_socket *it) {
    uint32_t held = it->corked ? it->corked->len : 0;
    return it->pcb && it->pcb->state >= ESTABLISHED ? it->pcb->snd_lbb - it->pcb->lastack + held : held;
}

/* TCP_NOTSENT_LOWAT: so much that lwIP has not sent once lets nothing more in. */
static bool is_ahead(const struct inet_socket *it) {
    return it->notsent_low && it->pcb && it->pcb->snd_lbb - it->pcb->snd_nxt + (it->corked ? it->corked->len : 0) >= it->notsent_low;
}

bool inet_stream_writable(const struct inet_socket *it) {
    return inet_stream_unsent(it) <= it->socket.send_room / 3 * 2 && !is_ahead(it);
}

uint32_t inet_stream_low(const struct inet_socket *it) {
    uint32_t most = it->pcb ? lwip_port_window_of(it->pcb) / 2 : 1;
    return it->shut & SHUT_RECEIVE ? 1 : it->socket.receive_low < most ? it->socket.receive_low : most;
}

/* One segment to lwIP: as its tcp_write would queue it, but with the data where it is. Takes p over. flags: of TCP_PSH and TCP_URG (its last byte is urgent). */
static int enqueue(struct inet_socket *it, struct pbuf *p, unsigned flags) {
    struct tcp_pcb *pcb = it->pcb;
    struct tcp_seg *seg = memp_malloc(MEMP_TCP_SEG), **link = &pcb->unsent;
    if (!seg || pcb->snd_queuelen >= TCP_SND_QUEUELEN) {
        if (seg) memp_free(MEMP_TCP_SEG, seg);
        pbuf_free(p);
        return -ENOBUFS;
    }
    if (!it->begun) { /* RFC 6928: ten segments to begin with */
        it->begun = true;
        if (pcb->cwnd < FIRST_WINDOW * (tcpwnd_size_t)pcb->mss) pcb->cwnd = FIRST_WINDOW * (tcpwnd_size_t)pcb->mss;
    }
    uint16_t length = p->tot_len;
    pbuf_add_header(p, TCP_HLEN);
    *seg = (struct tcp_seg){.p = p, .len = length, .tcphdr = p->payload};
    seg->tcphdr->src = lwip_htons(pcb->local_port);
    seg->tcphdr->dest = lwip_htons(pcb->remote_port);
    seg->tcphdr->seqno = lwip_htonl(pcb->snd_lbb);
    seg->tcphdr->urgp = flags & TCP_URG ? lwip_htons(length) : 0;
    TCPH_HDRLEN_FLAGS_SET(seg->tcphdr, TCP_HLEN / 4, flags);
    while (*link) link = &(*link)->next;
    *link = seg;
    pcb->snd_lbb += length;
    pcb->snd_buf -= length;
    pcb->snd_queuelen++;
    return 0;
}

void inet_push(struct inet_socket *it) {
    struct pbuf *p = it->corked;
    it->corked = NULL;
    timer_remove(&it->cork_timer);
    if (!it->pcb) {
        if (p) pbuf_free(p);
        return;
    }
    if (p && enqueue(it, p, TCP_PSH)) { /* out of memory with data accepted: the stream has a hole, so it ends */
        tcp_abort(it->pcb);
        return;
    }
    tcp_output(it->pcb);
    lwip_timers_tcp();
}

static void uncork(struct timer *timer) {
    inet_push((struct inet_socket *)((char *)timer - offsetof(struct inet_socket, cork_timer)));
}

struct cursor { const struct iovec *vector; int count; size_t offset; };
static int copy_in(struct cursor *cursor, uint8_t *to, size_t size) {
    while (size) {
        size_t piece = cursor->vector->length - cursor->offset;
        if (!piece) {
            cursor->vector++;
            cursor->offset = 0;
            continue;
        }
        if (piece > size) piece = size;
        if (user_copy_in(to, (const char *)cursor->vector->base + cursor->offset, piece)) return -EFAULT;
        cursor->offset += piece;
        to += piece;
        size -= piece;
    }
    return 0;
}

static bool can_send(void *argument) {
    struct inet_socket *it = argument;
    it->no_room = true;
    return it->socket.error || it->shut & SHUT_SEND || !it->pcb || (it->state == INET_CONNECTED && inet_stream_writable(it));
}

static int broken(struct inet_socket *it, unsigned flags) {
    int error = it->socket.error ? it->socket.error : -EPIPE;
    it->socket.error = 0;
    if (error == -EPIPE && !(flags & MSG_NOSIGNAL) && signal_raise) signal_raise(SIGPIPE);
    return error;
}

/* 0: connected, with room. */
static int wait_for_room(struct inet_socket *it, unsigned flags) {
    for (;;) {
        if (it->socket.error || it->shut & SHUT_SEND) return broken(it, flags);
        if (it->state != INET_CONNECTED && it->state != INET_CONNECTING) return broken(it, flags);
        if (it->state == INET_CONNECTED && inet_stream_unsent(it) < it->socket.send_room && !is_ahead(it)) return 0;
        if (it->state == INET_CONNECTED) tcp_output(it->pcb);
        it->no_room = true;
        if (flags & MSG_DONTWAIT) {
            run_deferred(); /* acknowledgments by loopback may lie there */
            if (can_send(it)) continue;
            return -EAGAIN;
        }
        int error = socket_wait(&it->writers, can_send, it, it->socket.send_timeout);
        if (error) return error;
    }
}

static size_t segment_size(const struct inet_socket *it) {
    size_t mss = it->pcb->mss, half = it->pcb->snd_wnd_max / 2;
    if (half && mss > half) mss = half; /* a segment that no window of the peer's has room for would wait for lwIP's persist timer */
    if (it->max_segment && mss > (size_t)it->max_segment) mss = (size_t)it->max_segment;
    return mss > SEGMENT_MOST ? SEGMENT_MOST : mss;
}

static bool holds_back(const struct inet_socket *it, bool more) {
    return more || it->flags & INET_CORK || (!(it->flags & INET_NODELAY) && (it->pcb->unacked || it->pcb->unsent));
}

/* The next piece of at most `left` bytes: behind what is held back, or a segment of its own. Bytes or -errno. */
static long send_piece(struct inet_socket *it, struct cursor *cursor, size_t left, unsigned flags) {
    size_t mss = segment_size(it), held = it->corked ? it->corked->len : 0, room = it->corked ? it->corked_room : 0;
    struct pbuf *p = it->corked;
    bool more = flags & MSG_MORE, urgent = flags & MSG_OOB;
    size_t piece = left < mss - (held < mss ? held : mss) ? left : mss - (held < mss ? held : mss);
    if (p && piece > room - held) piece = room - held;
    bool partial = held + piece < mss && piece == left, hold = partial && !urgent && holds_back(it, more);
    it->corked = NULL; /* it is not sent while bytes are added */
    timer_remove(&it->cork_timer);
    if (!p) {
        room = hold ? mss < SEGMENT_MOST ? mss : piece < 2048 ? 2048 : SEGMENT_MOST : piece;
        if (!(p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)room, PBUF_RAM))) return -ENOBUFS;
        p->len = p->tot_len = 0;
    }
    if (copy_in(cursor, (uint8_t *)p->payload + held, piece)) piece = 0;
    p->len = p->tot_len = (u16_t)(held + piece);
    if (!it->pcb || !p->len) {
        bool fault = it->pcb != NULL;
        pbuf_free(p);
        return fault ? -EFAULT : 0;
    }
    if (it->corked) inet_push(it); /* another thread's, meanwhile */
    if (!it->pcb) {
        pbuf_free(p);
        return 0;
    }
    if (hold && p->len < room) {
        it->corked = p;
        it->corked_room = (uint32_t)room;
        if (more || it->flags & INET_CORK) {
            it->cork_timer.deadline_ns = clock_monotonic_ns() + CORK_NS;
            it->cork_timer.run = uncork;
            timer_add(&it->cork_timer);
        } else if (!it->pcb->unacked && !it->pcb->unsent) {
            inet_push(it); /* acknowledged while the bytes were copied */
        }
        return piece ? (long)piece : -EFAULT;
    }
    int error = enqueue(it, p, (piece == left ? TCP_PSH : 0) | (piece == left && urgent ? TCP_URG : 0));
    return error ? error : piece ? (long)piece : -EFAULT;
}

long inet_send_stream(struct socket *socket, struct message *message) {
    struct inet_socket *it = inet_of(socket);
    struct cursor cursor = {message->vector, message->count, 0};
    size_t done = 0, unpushed = 0;
    long error = 0;
    if (message->flags & MSG_FASTOPEN) return -EOPNOTSUPP;
    if (it->state == INET_CONNECTING && it->pcb && message->flags & MSG_DONTWAIT) run_deferred();
    if (!message->size) return it->socket.error || it->shut & SHUT_SEND || it->state != INET_CONNECTED ? wait_for_room(it, message->flags) : 0;
    while (done < message->size) {
        if ((error = wait_for_room(it, message->flags))) break;
        long piece = send_piece(it, &cursor, message->size - done, message->flags);
        if (piece < 0) {
            error = piece;
            break;
        }
        done += (size_t)piece;
        unpushed += (size_t)piece;
        if (unpushed >= PUSH_EVERY && it->pcb) {
            tcp_output(it->pcb);
            unpushed = 0;
        }
    }
    if (it->pcb && it->state == INET_CONNECTED) {
        if (it->pcb->unsent) tcp_output(it->pcb);
        lwip_timers_tcp();
    }
    inet_settle();
    return done ? (long)done : error;
}

/* ---- Receiving ---- */

void inet_append(struct inet_socket *it, struct pbuf *p) {
    struct pbuf *last = it->last;
    it->unread += p->tot_len;
    if (last && p->tot_len <= SMALL && inet_room_behind(last) >= p->tot_len && last != it->first) {
        pbuf_copy_partial(p, (uint8_t *)last->payload + last->len, p->tot_len, 0);
        last->len = (u16_t)(last->len + p->tot_len);
        pbuf_free(p);
        return;
    }
    while (p) {
        struct pbuf *next = p->next;
        p->next = NULL;
        if (!p->len) {
            pbuf_free(p);
        } else {
            *(it->first ? &it->last->next : &it->first) = p;
            it->last = p;
        }
        p = next;
    }
}

static void drop_first(struct inet_socket *it) {
    struct pbuf *p = it->first;
    if (!(it->first = p->next)) it->last = NULL;
    p->next = NULL;
    pbuf_free(p);
}

void inet_drop_unread(struct inet_socket *it) {
    while (it->first) drop_first(it);
    it->unread = 0;
}

long inet_copy_out(const struct message *message, const struct pbuf *p, size_t offset, size_t size, size_t at) {
    const struct iovec *vector = message->vector;
    for (int left = message->count; left && at >= vector->length; left--) at -= (vector++)->length;
    while (size) {
        size_t piece = p->len - offset, room = vector->length - at;
        if (!piece) {
            p = p->next;
            offset = 0;
            continue;
        }
        if (!room) {
            vector++;
            at = 0;
            continue;
        }
        if (piece > size) piece = size;
        if (piece > room) piece = room;
        if (user_copy_out((char *)vector->base + at, (const char *)p->payload + offset, piece)) return -EFAULT;
        offset += piece;
        at += piece;
        size -= piece;
    }
    return 0;
}

static bool can_receive(void *argument) {
    struct inet_socket *it = argument;
    return it->first || it->socket.error || it->shut & SHUT_RECEIVE || (it->state != INET_CONNECTED && it->state != INET_CONNECTING);
}

/* 1: there are data; 0: the end; -errno. */
static int wait_for_data(struct inet_socket *it, unsigned flags) {
    for (bool looked = false;; looked = true) {
        if (it->first) return 1;
        if (it->socket.error) {
            int error = it->socket.error;
            it->socket.error = 0;
            return error;
        }
        if (it->shut & SHUT_RECEIVE) return 0;
        if (it->state != INET_CONNECTED && it->state != INET_CONNECTING) return -ENOTCONN;
        if (flags & MSG_DONTWAIT) {
            if (looked) return -EAGAIN;
            run_deferred();
            continue;
        }
        int error = socket_wait(&it->readers, can_receive, it, it->socket.receive_timeout);
        if (error) return error;
    }
}

/* MSG_TRUNC on a stream: the bytes are taken and not copied (tcp(7)). */
static long take_some(struct inet_socket *it, const struct message *message, size_t most, size_t at) {
    size_t taken = 0;
    while (taken < most && it->first) {
        struct pbuf *p = it->first;
        size_t piece = p->len < most - taken ? p->len : most - taken;
        if (!(message->flags & MSG_TRUNC)) {
            const void *begin = p->payload;
            pbuf_ref(p);
            long error = inet_copy_out(message, p, 0, piece, at + taken);
            bool same = it->first == p && p->payload == begin;
            pbuf_free(p);
            if (error) return taken ? (long)taken : error;
            if (!same) break; /* another thread read meanwhile */
        }
        taken += piece;
        it->unread -= (uint32_t)piece;
        if (piece == p->len) {
            drop_first(it);
        } else {
            p->payload = (uint8_t *)p->payload + piece;
            p->len = (u16_t)(p->len - piece);
        }
    }
    return (long)taken;
}

/* MSG_PEEK, from `skip` on. 0: another thread read meanwhile. */
static long look(struct inet_socket *it, const struct message *message, size_t skip, size_t size) {
    struct pbuf *first = it->first;
    const struct pbuf *p = first;
    const void *begin = first->payload;
    uint8_t bytes[512];
    long error = 0;
    bool same = true;
    pbuf_ref(first);
    for (size_t at = 0, offset = skip, piece; at < size && same && !error; at += piece, offset += piece) {
        for (; offset >= p->len; p = p->next) offset -= p->len;
        piece = p->len - offset < sizeof bytes ? p->len - offset : sizeof bytes;
        if (piece > size - at) piece = size - at;
        memcpy(bytes, (const uint8_t *)p->payload + offset, piece);
        struct pbuf view = {.payload = bytes, .len = (u16_t)piece};
        error = inet_copy_out(message, &view, 0, piece, at);
        same = it->first == first && first->payload == begin;
    }
    pbuf_free(first);
    return error ? error : same ? (long)size : 0;
}

struct peek { struct inet_socket *it; size_t wanted; };
static bool can_peek(void *argument) {
    const struct peek *peek = argument;
    return peek->it->unread >= peek->wanted || peek->it->socket.error || peek->it->shut & SHUT_RECEIVE;
}

long inet_receive_stream(struct socket *socket, struct message *message) {
    struct inet_socket *it = inet_of(socket);
    size_t done = 0;
    if (message->flags & MSG_OOB) return inet_receive_urgent(it, message);
    if (message->flags & MSG_ERRQUEUE) return -EAGAIN; /* nothing is ever put there */
    if ((it->state == INET_LISTENING || it->state == INET_NEW) && !socket->error) return -ENOTCONN;
    if (!message->size) {
        int state = wait_for_data(it, message->flags);
        return state < 0 ? state : 0;
    }
    size_t low = inet_stream_low(it), enough = message->flags & MSG_PEEK ? 1 : message->flags & MSG_WAITALL || low > message->size ? message->size : low;
    while (done < message->size) {
        bool satisfied = done >= enough;
        if (satisfied && !it->first) break;
        int state = wait_for_data(it, message->flags);
        if (state <= 0) {
            if (!done && state < 0) return state;
            break;
        }
        size_t wanted = message->size - done, distance = inet_urgent_distance(it), skip = 0;
        if (!distance && done) break;
        if (!distance && !inet_plain(it, SO_OOBINLINE)) { /* it is left out */
            if (!(message->flags & MSG_PEEK)) {
                take_some(it, &(struct message){.flags = MSG_TRUNC}, 1, 0);
                inet_urgent_passed(it);
                inet_window_give_back(it, 1);
                continue;
            }
            skip = 1;
        } else if (distance && distance < wanted) {
            wanted = distance;
        }
        if (message->flags & MSG_PEEK) {
            if (message->flags & MSG_WAITALL && it->unread < wanted && !(it->shut & SHUT_RECEIVE) && !(message->flags & MSG_DONTWAIT)) {
                struct peek peek = {it, wanted};
                int error = socket_wait(&it->readers, can_peek, &peek, socket->receive_timeout);
                if (error && error != -EAGAIN) return error;
            }
            if (it->unread == skip) { /* nothing behind the urgent byte */
                struct peek peek = {it, skip + 1};
                int error = message->flags & MSG_DONTWAIT ? -EAGAIN : socket_wait(&it->readers, can_peek, &peek, socket->receive_timeout);
                if (error) return it->shut & SHUT_RECEIVE ? 0 : error;
                if (it->unread <= skip) return 0;
            }
            size_t size = it->unread - skip < wanted ? it->unread - skip : wanted;
            long seen = message->flags & MSG_TRUNC || !size ? (long)size : look(it, message, skip, size);
            if (!seen && size) continue;
            return seen;
        }
        long taken = take_some(it, message, wanted, done);
        if (taken < 0) return done ? (long)done : taken;
        done += (size_t)taken;
        inet_urgent_passed(it);
        inet_window_give_back(it, (size_t)taken);
    }
    return (long)done;
}

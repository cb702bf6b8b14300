/* Streams: connect, listen, accept, the end (tcp(7)). What lwIP tells of a connection comes here by callbacks, in bottom halves or from within calls. */
#include "clock/clock.h"
#include "inet-socket/internal.h"
#include "lwip/priv/tcp_priv.h"
#include "hooks.h"

enum { HALF_OPEN_MOST = 255, TIME_WAIT_MOST = 1024 };
static struct listener *listeners;

static void detach(struct inet_socket *it) {
    struct tcp_pcb *pcb = it->pcb;
    it->pcb = NULL;
    if (!pcb) return;
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
}

static void ended(struct inet_socket *it, int error) {
    timer_remove(&it->cork_timer);
    if (it->corked) pbuf_free(it->corked);
    it->corked = NULL;
    it->pcb = NULL;
    it->shut = SHUT_RECEIVE | SHUT_SEND;
    if (it->state == INET_CONNECTED) it->state = INET_CLOSED; /* CONNECTING without a control block: it failed, and connect says so */
    if (error) it->socket.error = error;
}

static void enqueue_child(struct inet_socket *child) {
    struct inet_socket *parent = child->parent;
    *(parent->queue_first ? &parent->queue_last->queue_next : &parent->queue_first) = child;
    parent->queue_last = child;
    child->queue_next = NULL;
    parent->queue_length++;
    wait_queue_wake(&parent->readers, parent->queue_length == 1 ? -1 : 1);
}

/* An accepted connection that TCP_DEFER_ACCEPT keeps back. */
static bool is_deferred(const struct inet_socket *it) { return it->defer_accept < 0; }

/* It has data or its time is over. */
static void offer(struct timer *timer) {
    struct inet_socket *it = (struct inet_socket *)((char *)timer - offsetof(struct inet_socket, cork_timer));
    timer_remove(timer);
    it->defer_accept = 0;
    enqueue_child(it);
}

static void defer(struct inet_socket *it, int seconds) {
    it->defer_accept = -1;
    it->cork_timer.deadline_ns = clock_monotonic_ns() + (uint64_t)seconds * 1000000000;
    it->cork_timer.run = offer;
    timer_add(&it->cork_timer);
}

static void failed(void *argument, err_t error) {
    struct inet_socket *it = argument;
    if (!it) return;
    bool connecting = it->state == INET_CONNECTING;
    int number = error == ERR_CLSD ? 0 : error == ERR_RST ? connecting ? -ECONNREFUSED : it->peer_closed ? -EPIPE : -ECONNRESET : -ETIMEDOUT;
    ended(it, number);
    if (is_deferred(it)) {
        inet_drop_unread(it);
        inet_free(it);
        return;
    }
    inet_wake(it);
}

static err_t received(void *argument, struct tcp_pcb *pcb, struct pbuf *p, err_t error) {
    struct inet_socket *it = argument;
    (void)error;
    if (p) {
        it->bytes_in += p->tot_len;
        inet_append(it, p);
        if (it->flags & INET_QUICKACK || it->is_local) tcp_ack_now(pcb); /* on one machine an acknowledgment costs less than a wait for one */
    } else {
        it->peer_closed = true;
        it->shut |= SHUT_RECEIVE;
        if (pcb->state == TIME_WAIT || pcb->state == CLOSING) { /* both sides are closed: lwIP needs the socket no more, and would not say when it ends */
            detach(it);
            ended(it, 0);
        }
        wait_queue_wake(&it->writers, -1);
    }
    if (is_deferred(it)) offer(&it->cork_timer);
    wait_queue_wake(&it->readers, -1);
    return ERR_OK;
}

/* lwIP's estimate of the round trip knows no least value: an acknowledgment that a peer delays must not look lost (RFC 6298, 2.4, with Linux's 200 ms). */
static err_t acknowledged(void *argument, struct tcp_pcb *pcb, u16_t size) {
    struct inet_socket *it = argument;
    enum { RTO_LEAST = 200 / TCP_SLOW_INTERVAL + 1 };
    if (pcb->rto < RTO_LEAST) pcb->rto = RTO_LEAST;
    it->bytes_out += size;
    if (it->corked && !(it->flags & INET_CORK) && !it->cork_timer.link && !pcb->unacked) inet_push(it);
    if (!it->pcb) return ERR_ABRT;
    if (it->no_room && inet_stream_writable(it)) {
        it->no_room = false;
        wait_queue_wake(&it->writers, -1);
    }
    return ERR_OK;
}

static err_t connected(void *argument, struct tcp_pcb *pcb, err_t error) {
    struct inet_socket *it = argument;
    (void)error;
    (void)pcb;
    it->state = INET_CONNECTED;
    inet_wake(it);
    return ERR_OK;
}

static void attach(struct inet_socket *it, struct tcp_pcb *pcb) {
    it->pcb = pcb;
    it->is_local = inet_is_own(&pcb->remote_ip);
    tcp_arg(pcb, it);
    tcp_recv(pcb, received);
    tcp_sent(pcb, acknowledged);
    tcp_err(pcb, failed);
    tcp_set_flags(pcb, TF_NODELAY); /* stream.c does Nagle's rule itself, with the small pieces put together */
    inet_apply_options(it);
}

void inet_apply_options(struct inet_socket *it) {
    struct tcp_pcb *pcb = it->pcb;
    if (!pcb) return;
    ip_set_option(pcb, SOF_REUSEADDR);
    if (inet_plain(it, SO_KEEPALIVE)) ip_set_option(pcb, SOF_KEEPALIVE);
    else ip_reset_option(pcb, SOF_KEEPALIVE);
    pcb->keep_idle = (u32_t)it->keep_idle * 1000;
    pcb->keep_intvl = (u32_t)it->keep_interval * 1000;
    pcb->keep_cnt = (u32_t)it->keep_count;
    bool six = IP_IS_V6_VAL(pcb->remote_ip);
    pcb->ttl = six ? it->hop_limit : it->ttl;
    pcb->tos = six ? it->traffic_class : it->tos;
    pcb->netif_idx = (u8_t)it->interface;
    enum { TICKS_MOST = 0xffffff };
    uint32_t ticks = ((uint32_t)it->user_timeout + TCP_SLOW_INTERVAL - 1) / TCP_SLOW_INTERVAL;
    tcp_ext_arg_set(pcb, LWIP_PORT_PATIENCE_SLOT, (void *)(uintptr_t)((ticks < TICKS_MOST ? ticks : TICKS_MOST) | (uint32_t)it->synchronisations << 24));
    lwip_timers_tcp();
}

/* ---- Connecting ---- */

static bool has_settled(void *argument) {
    struct inet_socket *it = argument;
    return it->state != INET_CONNECTING || !it->pcb;
}

static void forget_connection(struct inet_socket *it) {
    it->state = INET_NEW;
    it->shut = 0;
    it->peer_closed = it->begun = false;
    it->urgent = URGENT_NONE;
    it->window_debt = 0;
    it->remote_port = 0;
    if (!it->port_bound) inet_leave_port(it);
    if (!it->address_bound) ip_addr_set_any_val(inet_is6(it), it->local);
    ip_addr_set_any_val(inet_is6(it), it->remote);
}

static int disconnect(struct inet_socket *it) {
    struct tcp_pcb *pcb = it->pcb;
    if (it->state == INET_LISTENING) return -EISCONN;
    detach(it);
    if (pcb) tcp_abort(pcb);
    ended(it, pcb && it->state == INET_CONNECTED ? -ECONNRESET : 0);
    inet_drop_unread(it);
    forget_connection(it);
    inet_wake(it);
    inet_settle();
    return 0;
}

static int settle(struct inet_socket *it) {
    it->connect_untold = false;
    if (it->state == INET_CONNECTED || it->state == INET_CLOSED) return 0;
    int error = it->socket.error ? it->socket.error : -ECONNABORTED;
    it->socket.error = 0;
    forget_connection(it);
    return error;
}

static int begin(struct inet_socket *it, ip_addr_t *to, uint16_t port) {
    if (ip_addr_isany(to)) {
        if (IP_IS_V6(to)) IP_ADDR6_HOST(to, 0, 0, 0, 1);
        else ip_addr_set_ip4_u32_val(*to, PP_HTONL(0x7f000001));
    }
    if (inet_is6(it) && it->flags & INET_V6ONLY && !IP_IS_V6(to)) return -ENETUNREACH;
    if (ip_addr_ismulticast(to)) return -ENETUNREACH;
    ip_addr_t source = it->local;
    if (ip_addr_isany(&source)) ip_addr_set_any_val(IP_IS_V6(to), source);
    else if (IP_IS_V6(&source) != IP_IS_V6(to)) return -ENETUNREACH;
    if (!inet_route(&source, to, it->interface)) return -ENETUNREACH;
    int error = inet_take_port(it);
    if (error) return -EADDRNOTAVAIL;
    struct tcp_pcb *pcb = tcp_new_ip_type(IP_IS_V6(to) ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4);
    if (!pcb) return -ENOBUFS;
    pcb->local_ip = source;
    pcb->local_port = it->local_port;
    pcb->remote_ip = *to;
    attach(it, pcb);
    inet_window_begin(it);
    it->state = INET_CONNECTING;
    it->shut = 0;
    err_t result = tcp_connect(pcb, to, port, connected);
    if (result) {
        detach(it);
        tcp_close(pcb);
        forget_connection(it);
        return result == ERR_USE ? -EADDRNOTAVAIL : result == ERR_RTE ? -ENETUNREACH : inet_error(result);
    }
    it->local = pcb->local_ip;
    it->remote = *to;
    it->remote_port = port;
    return 0;
}

int inet_connect_stream(struct socket *socket, const struct address *address, bool wait) {
    struct inet_socket *it = inet_of(socket);
    if (address->length < sizeof address->family) return -EINVAL;
    if (address->family == AF_UNSPEC) return disconnect(it);
    if (it->state == INET_CONNECTING && !it->pcb) return settle(it);
    if (it->state == INET_CONNECTING && !wait) return -EALREADY;
    if (it->state != INET_CONNECTING) {
        ip_addr_t to;
        uint16_t port;
        int error = inet_address_in(it, address, &to, &port);
        if (error) return error;
        if (it->connect_untold) { /* connect was told of the beginning only (connect(2), EINPROGRESS) */
            it->connect_untold = false;
            return 0;
        }
        if (it->state != INET_NEW) return -EISCONN;
        if ((error = begin(it, &to, port))) return error;
        it->connect_untold = !wait;
        if (!wait) inet_settle();
        if (!wait) return -EINPROGRESS;
    }
    int error = socket_wait(&it->writers, has_settled, it, socket->send_timeout);
    if (error) return error == -EAGAIN ? -EINPROGRESS : error;
    return settle(it);
}

/* ---- Listening ---- */

static struct inet_socket *choose(const struct listener *listener, const ip_addr_t *remote, uint16_t port) {
    uint32_t count = 0, hash = port * 2654435761u;
    for (struct inet_socket *it = listener->first; it; it = it->listener_next) count++;
    if (count <= 1) return listener->first;
    const uint32_t *words = IP_IS_V6(remote) ? ip_2_ip6(remote)->addr : &ip_2_ip4(remote)->addr;
    for (unsigned i = 0; i < (IP_IS_V6(remote) ? 4u : 1u); i++) hash = (hash ^ words[i]) * 2654435761u;
    struct inet_socket *it = listener->first;
    for (uint32_t i = (hash >> 16) % count; i; i--) it = it->listener_next;
    return it;
}

static bool is_full(const struct inet_socket *it) { return it->queue_length > it->queue_most; }

/* A request for a connection between ends whose last one is in TIME_WAIT: when it begins behind the old one's end, the old one goes (RFC 1122, 4.2.2.13). lwIP would
 * reset it. The segment is taken through lwIP once more, as it came. */
static int begin_anew(struct tcp_pcb *old, struct tcp_hdr *header, const u8_t *further_options, struct pbuf *p) {
    if (further_options || TCPH_FLAGS(header) & (TCP_ACK | TCP_RST) || !TCP_SEQ_GT(header->seqno, old->rcv_nxt)) return 0;
    tcp_abandon(old, 0);
    inet_tcp_again(header, p);
    return 1;
}

/* A connection request that nobody has room for is dropped, so that the client tries again; where half-open ones fill the listener, it is answered without being remembered. */
static int to_listener(struct tcp_pcb_listen *listening, struct tcp_hdr *header, const u8_t *further_options, struct pbuf *p) {
    unsigned kind = TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST);
    if (kind != TCP_SYN && kind != TCP_ACK) return 0;
    const struct inet_socket *it = choose(listening->callback_arg, ip_current_src_addr(), header->src);
    if (kind == TCP_ACK) {
        if (!it || further_options || is_full(it) || !inet_cookie_take(listening, header)) return 0;
        inet_tcp_again(header, p);
        return 1;
    }
    if (!it || is_full(it)) return 1;
    if (listening->accepts_pending < HALF_OPEN_MOST) return 0;
    inet_cookie_answer(listening, header, !further_options);
    return 1;
}

int lwip_port_tcp_in(struct tcp_pcb *pcb, struct tcp_hdr *header, const u8_t *further_options, struct pbuf *p) {
    if (pcb->state == TIME_WAIT && TCPH_FLAGS(header) & TCP_SYN) return begin_anew(pcb, header, further_options, p);
    if (pcb->state != LISTEN) {
        if (inet_window_closed(pcb, header, further_options, p)) return 1;
        if (pcb->state >= ESTABLISHED && TCPH_FLAGS(header) & TCP_URG) inet_urgent_told(pcb, header);
        if (pcb->state >= ESTABLISHED) {
            inet_recover(pcb, header, further_options);
            inet_tell_repeated(pcb, header, p);
        }
        return 0;
    }
    return to_listener((struct tcp_pcb_listen *)pcb, header, further_options, p);
}

/* lwIP looks through all of TIME_WAIT for each segment of a new connection; of more than that many the oldest go, as Linux has it by tcp_max_tw_buckets. */
static void bound_time_wait(void) {
    unsigned count = 0;
    struct tcp_pcb *last = NULL;
    for (struct tcp_pcb *pcb = tcp_tw_pcbs; pcb; pcb = pcb->next) count++, last = pcb; /* new ones are put first */
    if (count > TIME_WAIT_MOST) tcp_abandon(last, 0);
}

static err_t accepted(void *argument, struct tcp_pcb *pcb, err_t error) {
    struct listener *listener = argument;
    if (error || !pcb || !listener) return ERR_VAL;
    bound_time_wait();
    struct inet_socket *parent = choose(listener, &pcb->remote_ip, pcb->remote_port);
    struct inet_socket *it = parent ? inet_create(parent->socket.family, SOCK_STREAM, IPPROTO_TCP) : NULL;
    if (!it) return ERR_MEM;
    it->socket.receive_timeout = parent->socket.receive_timeout;
    it->socket.send_timeout = parent->socket.send_timeout;
    it->socket.send_room = parent->socket.send_room;
    it->socket.receive_room = parent->socket.receive_room;
    it->socket.receive_fixed = parent->socket.receive_fixed;
    it->socket.receive_low = parent->socket.receive_low;
    it->socket.mark = parent->socket.mark;
    it->socket.priority = parent->socket.priority;
    it->socket.plain_options = parent->socket.plain_options;
    it->socket.times = parent->socket.times;
    memcpy(it->socket.linger, parent->socket.linger, sizeof it->socket.linger);
    it->flags = parent->flags;
    it->ttl = parent->ttl;
    it->tos = parent->tos;
    it->hop_limit = parent->hop_limit;
    it->traffic_class = parent->traffic_class;
    it->keep_idle = parent->keep_idle;
    it->keep_interval = parent->keep_interval;
    it->keep_count = parent->keep_count;
    it->user_timeout = parent->user_timeout;
    it->notsent_low = parent->notsent_low;
    it->interface = parent->interface;
    it->local = pcb->local_ip;
    it->remote = pcb->remote_ip;
    it->remote_port = pcb->remote_port;
    it->state = INET_CONNECTED;
    it->parent = parent;
    it->address_bound = it->port_bound = true;
    inet_enter_port(it, pcb->local_port);
    attach(it, pcb);
    if (parent->defer_accept) defer(it, parent->defer_accept);
    else enqueue_child(it);
    return ERR_OK;
}

static int share_listener(struct inet_socket *it) {
    ip_addr_t address = it->local;
    if (inet_is6(it) && ip_addr_isany(&address) && !(it->flags & INET_V6ONLY)) address = *IP_ANY_TYPE;
    for (struct listener *other = listeners; other; other = other->next)
        if (other->port == it->local_port && IP_GET_TYPE(&other->address) == IP_GET_TYPE(&address) && ip_addr_cmp(&other->address, &address) &&
            other->pcb->netif_idx == it->interface) {
            if (!inet_plain(it, SO_REUSEPORT) || !inet_plain(other->first, SO_REUSEPORT)) return -EADDRINUSE;
            it->listener = other;
            it->listener_next = other->first;
            other->first = it;
            return 0;
        }
    struct listener *listener = kzalloc(sizeof *listener);
    struct tcp_pcb *pcb = listener ? tcp_new_ip_type(IP_GET_TYPE(&address)) : NULL, *listening = NULL;
    if (pcb) {
        pcb->local_ip = address;
        pcb->local_port = it->local_port;
        pcb->netif_idx = (u8_t)it->interface;
        pcb->ttl = it->ttl;
        pcb->tos = it->tos;
        ip_set_option(pcb, SOF_REUSEADDR);
        inet_window_listen(it, pcb);
        if (!(listening = tcp_listen_with_backlog(pcb, HALF_OPEN_MOST))) tcp_close(pcb);
    }
    if (!listening) {
        kfree(listener);
        return -ENOBUFS;
    }
    *listener = (struct listener){.pcb = listening, .first = it, .next = listeners, .address = address, .port = it->local_port};
    listeners = listener;
    it->listener = listener;
    it->listener_next = NULL;
    tcp_arg(listening, listener);
    tcp_accept(listening, accepted);
    return 0;
}

static void stop_listening(struct inet_socket *it) {
    struct listener *listener = it->listener;
    struct inet_socket **link = &listener->first;
    while (*link != it) link = &(*link)->listener_next;
    *link = it->listener_next;
    it->listener = NULL;
    if (!listener->first) {
        struct listener **at = &listeners;
        while (*at != listener) at = &(*at)->next;
        *at = listener->next;
        tcp_close(listener->pcb);
        kfree(listener);
    }
    for (struct inet_socket *child; (child = it->queue_first);) {
        it->queue_first = child->queue_next;
        struct tcp_pcb *pcb = child->pcb;
        detach(child);
        if (pcb) tcp_abort(pcb);
        inet_drop_unread(child);
        inet_free(child);
    }
    it->queue_length = 0;
    /* Those that TCP_DEFER_ACCEPT keeps back refer to this socket, too. */
    for (struct tcp_pcb *pcb = tcp_active_pcbs, *next; pcb; pcb = next) {
        struct inet_socket *child = pcb->callback_arg;
        next = pcb->next;
        if (pcb->state == SYN_RCVD || !child || child->parent != it || !is_deferred(child)) continue;
        detach(child);
        timer_remove(&child->cork_timer);
        tcp_abort(pcb);
        inet_drop_unread(child);
        inet_free(child);
    }
}

int inet_listen(struct socket *socket, int backlog) {
    struct inet_socket *it = inet_of(socket);
    if (it->state != INET_NEW && it->state != INET_LISTENING) return -EINVAL;
    it->queue_most = backlog < 0 || backlog > INET_BACKLOG_MOST ? INET_BACKLOG_MOST : (uint32_t)backlog;
    if (it->state == INET_LISTENING) return 0;
    int error = inet_take_port(it);
    if (!error) error = share_listener(it);
    if (!error) it->state = INET_LISTENING;
    return error;
}

static bool can_accept(void *argument) {
    struct inet_socket *it = argument;
    return it->queue_first || it->state != INET_LISTENING;
}

int inet_accept(struct socket *socket, bool wait, struct socket **out, struct address *peer) {
    struct inet_socket *it = inet_of(socket);
    if (it->state != INET_LISTENING) return -EINVAL;
    if (!it->queue_first) run_deferred();
    if (!can_accept(it)) {
        int error = wait ? socket_wait(&it->readers, can_accept, it, socket->receive_timeout) : -EAGAIN;
        if (error) return error;
    }
    struct inet_socket *child = it->queue_first;
    if (!child) return -EINVAL;
    if (!(it->queue_first = child->queue_next)) it->queue_last = NULL;
    it->queue_length--;
    child->parent = NULL;
    inet_address_out(child->socket.family, &child->remote, child->remote_port, peer);
    *out = &child->socket;
    return 0;
}

/* ---- The end ---- */

int inet_shutdown_stream(struct socket *socket, int how) {
    struct inet_socket *it = inet_of(socket);
    unsigned bits = (unsigned)how + 1;
    if (it->state == INET_LISTENING) {
        if (!(bits & SHUT_RECEIVE)) return 0;
        stop_listening(it);
        it->state = INET_NEW;
        inet_wake(it);
        inet_settle();
        return 0;
    }
    if (it->state == INET_CONNECTING && it->pcb) {
        if (bits & SHUT_RECEIVE) disconnect(it);
        return 0;
    }
    if (it->state != INET_CONNECTED) return -ENOTCONN;
    bool newly = bits & SHUT_SEND && !(it->shut & SHUT_SEND);
    if (newly && it->pcb) inet_push(it);
    it->shut |= (uint8_t)bits;
    if (newly && it->pcb) tcp_shutdown(it->pcb, 0, 1);
    lwip_timers_tcp();
    inet_wake(it);
    inet_settle();
    return 0;
}

static bool all_acknowledged(void *argument) {
    struct inet_socket *it = argument;
    it->no_room = true;
    return !it->pcb || (!it->pcb->unsent && !it->pcb->unacked);
}

void inet_close_stream(struct socket *socket) {
    struct inet_socket *it = inet_of(socket);
    bool unread = it->unread != 0;
    if (it->state == INET_LISTENING) stop_listening(it);
    if (it->pcb && it->corked) inet_push(it);
    if (it->pcb && it->state == INET_CONNECTED && !unread && socket->linger[0] && socket->linger[1] > 0 && !current_process()->ending) {
        if (!(it->shut & SHUT_SEND)) tcp_shutdown(it->pcb, 0, 1);
        it->shut |= SHUT_SEND;
        uint64_t seconds = (uint32_t)socket->linger[1] < 100000 ? (uint32_t)socket->linger[1] : 100000;
        wait_until(&it->writers, all_acknowledged, it, clock_monotonic_ns() + seconds * 1000000000, true);
        if (it->pcb && it->pcb->unacked) unread = true; /* what is not through by now is given up */
    }
    struct tcp_pcb *pcb = it->pcb;
    detach(it);
    timer_remove(&it->cork_timer);
    if (it->corked) pbuf_free(it->corked);
    inet_drop_unread(it);
    if (pcb) {
        pcb->rcv_wnd = TCP_WND_MAX(pcb); /* lwIP resets where it believes data unread; that is decided here */
        if (unread || (socket->linger[0] && !socket->linger[1] && it->state == INET_CONNECTED)) tcp_abort(pcb);
        else if (tcp_close(pcb)) tcp_abort(pcb);
        lwip_timers_tcp();
    }
    inet_free(it);
    inet_settle();
}

unsigned inet_poll_stream(struct socket *socket, struct poll_wait *wait) {
    struct inet_socket *it = inet_of(socket);
    poll_wait_add_for(wait, &it->readers, POLLIN | POLLRDNORM | POLLPRI | POLLRDHUP | POLLHUP | POLLERR);
    poll_wait_add_for(wait, &it->writers, POLLOUT | POLLWRNORM | POLLHUP | POLLERR);
    if (it->state == INET_LISTENING) return it->queue_first ? POLLIN | POLLRDNORM : 0;
    unsigned events = socket->error ? POLLERR : 0;
    if (it->state == INET_NEW || it->state == INET_CLOSED || it->shut == (SHUT_RECEIVE | SHUT_SEND)) events |= POLLHUP;
    if (it->shut & SHUT_RECEIVE) events |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (it->state == INET_CONNECTING && it->pcb) return events;
    bool skips = !inet_urgent_distance(it) && !inet_plain(it, SO_OOBINLINE); /* the next byte is not for a read */
    if (inet_urgent_there(it)) events |= POLLPRI;
    if (it->unread && it->unread >= inet_stream_low(it) + skips) events |= POLLIN | POLLRDNORM;
    if (it->shut & SHUT_SEND || inet_stream_writable(it)) events |= POLLOUT | POLLWRNORM;
    else it->no_room = true;
    return events;
}

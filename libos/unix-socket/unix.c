/*
 * AF_UNIX sockets (unix(7)): state, connections, polling, the end. Owns the list of all of them. A socket is referenced by its file, by its peers, and by
 * senders that wait; it stops answering when its file is closed and is freed with the last reference. Two connected sockets refer to each
 * other until one is closed, which drops both references.
 */
#include "lib/string.h"
#include "unix-socket/internal.h"

/* Absent where the network is. */
extern long inet_interface_ioctl(int family, unsigned long request, unsigned long argument) __attribute__((weak, visibility("hidden")));
struct unix_socket *unix_all;
static const struct socket_ops ops;

void unix_get(struct unix_socket *it) { it->references++; }

void unix_put(struct unix_socket *it) {
    if (--it->references) return;
    struct unix_socket **link = &unix_all;
    while (*link != it) link = &(*link)->next;
    *link = it->next;
    kfree(it);
}

struct unix_socket *unix_create(int type, int protocol) {
    struct unix_socket *it = kzalloc(sizeof *it);
    if (!it) return NULL;
    socket_start(&it->socket, &ops, AF_UNIX, type, protocol);
    it->references = 1;
    it->peer_credentials = (struct credentials_message){0, ~0u, ~0u};
    it->next = unix_all;
    unix_all = it;
    return it;
}

struct unix_socket *unix_of_file(const struct file *file) {
    struct socket *socket = socket_of(file);
    return socket && socket->ops == &ops ? unix_of(socket) : NULL;
}

struct credentials_message unix_credentials(void) {
    struct process *process = current_process();
    return (struct credentials_message){process->pid, process->credentials.euid, process->credentials.egid};
}

static int create(int type, int protocol, struct socket **out) {
    if (protocol && protocol != AF_UNIX) return -EPROTONOSUPPORT;
    if (type == SOCK_RAW) type = SOCK_DGRAM; /* as Linux has it */
    if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET) return -ESOCKTNOSUPPORT;
    rights_collect_many();
    struct unix_socket *it = unix_create(type, protocol);
    if (!it) return -ENOMEM;
    *out = &it->socket;
    return 0;
}

static void join(struct unix_socket *a, struct unix_socket *b) {
    unix_get(a->peer = b);
    unix_get(b->peer = a);
    a->state = b->state = UNIX_CONNECTED;
}

static int pair(struct socket *one, struct socket *two) {
    struct unix_socket *a = unix_of(one), *b = unix_of(two);
    join(a, b);
    a->peer_credentials = b->peer_credentials = unix_credentials();
    return 0;
}

static void wake_all(struct unix_socket *it) {
    wait_queue_wake(&it->readers, -1);
    wait_queue_wake(&it->writers, -1);
    wait_queue_wake(&it->senders, -1);
}

static int listen(struct socket *socket, int backlog) {
    struct unix_socket *it = unix_of(socket);
    if (unix_is_datagram(it)) return -EOPNOTSUPP;
    if (!it->name || it->state == UNIX_CONNECTED) return -EINVAL;
    it->state = UNIX_LISTENING;
    it->backlog_most = backlog < 0 || backlog > 4096 ? 4096 : (uint32_t)backlog;
    it->peer_credentials = unix_credentials();
    wait_queue_wake(&it->senders, -1);
    return 0;
}

static bool has_place(void *argument) {
    struct unix_socket *listener = argument;
    return listener->backlog <= listener->backlog_most || listener->dead || listener->state != UNIX_LISTENING || listener->shut & SHUT_RECEIVE;
}

static void disconnect(struct unix_socket *it) {
    struct unix_socket *peer = it->peer;
    it->peer = NULL;
    if (peer) unix_put(peer);
}

static int connect_datagram(struct unix_socket *it, const struct address *address) {
    struct unix_socket *target = NULL;
    if (address->length >= 2 && address->family != AF_UNSPEC) {
        int error = unix_find(address, SOCK_DGRAM, &target);
        if (error) return error;
        if (it->pass_credentials && !it->name && (error = unix_bind_free(it))) return unix_put(target), error;
        if (target->peer && target->peer != it) return unix_put(target), -EPERM;
    }
    disconnect(it);
    it->peer = target;
    it->state = target ? UNIX_CONNECTED : UNIX_NEW;
    wait_queue_wake(&it->writers, -1);
    return 0;
}

static int connect(struct socket *socket, const struct address *address, bool wait) {
    struct unix_socket *it = unix_of(socket), *listener;
    if (address->length < 2) return -EINVAL;
    if (unix_is_datagram(it)) return connect_datagram(it, address);
    for (;;) {
        int error = unix_find(address, socket->type, &listener);
        if (error) return error;
        if (listener->state != UNIX_LISTENING || listener->shut & SHUT_RECEIVE) error = -ECONNREFUSED;
        else if (it->state == UNIX_CONNECTED) error = -EISCONN;
        else if (it->state == UNIX_LISTENING) error = -EINVAL;
        else if (!has_place(listener) && !wait) error = -EAGAIN;
        else if (!has_place(listener)) {
            error = socket_wait(&listener->senders, has_place, listener, socket->send_timeout);
            unix_put(listener);
            if (error) return error;
            continue; /* it may have gone meanwhile */
        }
        if (!error && it->pass_credentials && !it->name) error = unix_bind_free(it);
        struct unix_socket *other = error ? NULL : unix_create(socket->type, 0);
        if (!other) {
            unix_put(listener);
            return error ? error : -ENOMEM;
        }
        join(it, other);
        if ((other->name = listener->name)) other->name->references++;
        it->peer_credentials = listener->peer_credentials;
        other->peer_credentials = unix_credentials();
        other->pass_credentials = listener->pass_credentials;
        *(listener->backlog_last ? &listener->backlog_last->backlog_next : &listener->backlog_first) = other;
        listener->backlog_last = other;
        listener->backlog++;
        wait_queue_wake(&listener->readers, -1);
        wait_queue_wake(&it->writers, -1);
        unix_put(listener);
        return 0;
    }
}

static bool can_accept(void *argument) {
    struct unix_socket *it = argument;
    return it->backlog_first || it->state != UNIX_LISTENING || it->shut & SHUT_RECEIVE;
}

static void name_out(const struct unix_name *name, struct address *out) {
    *out = name ? name->address : (struct address){.length = 2, .family = AF_UNIX};
}

static struct unix_socket *take_waiting(struct unix_socket *it) {
    struct unix_socket *other = it->backlog_first;
    it->backlog_first = other->backlog_next;
    if (!it->backlog_first) it->backlog_last = NULL;
    other->backlog_next = NULL;
    it->backlog--;
    return other;
}

static int accept(struct socket *socket, bool wait, struct socket **out, struct address *peer) {
    struct unix_socket *it = unix_of(socket);
    if (unix_is_datagram(it)) return -EOPNOTSUPP;
    if (it->state != UNIX_LISTENING) return -EINVAL;
    if (!can_accept(it)) {
        int error = wait ? socket_wait(&it->readers, can_accept, it, socket->receive_timeout) : -EAGAIN;
        if (error) return error;
    }
    if (!it->backlog_first) return -EINVAL;
    struct unix_socket *other = take_waiting(it);
    name_out(other->peer ? other->peer->name : NULL, peer);
    wait_queue_wake(&it->senders, -1);
    *out = &other->socket;
    return 0;
}

static int name(struct socket *socket, bool peer, struct address *out) {
    struct unix_socket *it = unix_of(socket);
    if (peer && !it->peer) return -ENOTCONN;
    name_out(peer ? it->peer->name : it->name, out);
    return 0;
}

/* What one side does not send any more the other does not receive. */
static int shutdown(struct socket *socket, int how) {
    struct unix_socket *it = unix_of(socket), *peer = it->peer;
    unsigned bits = (unsigned)how + 1;
    it->shut |= (uint8_t)bits;
    wake_all(it);
    if (peer && !unix_is_datagram(it)) {
        peer->shut |= (uint8_t)((bits & SHUT_RECEIVE ? SHUT_SEND : 0) | (bits & SHUT_SEND ? SHUT_RECEIVE : 0));
        wake_all(peer);
    }
    return 0;
}

static void end(struct unix_socket *it) {
    struct unix_socket *peer = it->peer;
    bool unread = unix_unread(it);
    it->dead = true;
    it->socket.file = NULL;
    if (peer && !unix_is_datagram(it)) {
        peer->shut = SHUT_RECEIVE | SHUT_SEND;
        if (unread) peer->socket.error = -ECONNRESET;
        if (peer->peer == it) disconnect(peer);
        wake_all(peer);
    }
    disconnect(it);
    if (unix_is_datagram(it)) { /* its senders learn of it at their next try */
        for (struct unix_socket *other = unix_all; other; other = other->next)
            if (other->peer == it) wait_queue_wake(&other->writers, -1);
    }
    while (it->backlog_first) {
        struct unix_socket *waiting = take_waiting(it);
        if (waiting->peer) waiting->peer->socket.error = -ECONNRESET;
        end(waiting);
    }
    unix_drain(it);
    unix_name_put(it->name);
    it->name = NULL;
    it->bound = false;
    wake_all(it);
    unix_put(it);
}

static void close_socket(struct socket *socket) {
    end(unix_of(socket));
    rights_collect();
}

static unsigned poll(struct socket *socket, struct poll_wait *wait) {
    struct unix_socket *it = unix_of(socket);
    poll_wait_add_for(wait, &it->readers, POLLIN | POLLRDNORM | POLLPRI | POLLRDHUP | POLLHUP | POLLERR);
    poll_wait_add_for(wait, &it->writers, POLLOUT | POLLWRNORM | POLLWRBAND | POLLHUP | POLLERR);
    unsigned events = socket->error ? POLLERR : 0;
    if (it->shut == (SHUT_RECEIVE | SHUT_SEND)) events |= POLLHUP;
    if (it->shut & SHUT_RECEIVE) events |= POLLRDHUP | POLLIN | POLLRDNORM;
    if (it->first || it->backlog_first) events |= POLLIN | POLLRDNORM;
    if (it->urgent) events |= POLLPRI;
    if (it->state == UNIX_NEW && !unix_is_datagram(it)) events |= POLLHUP;
    if (it->state != UNIX_LISTENING && unix_writable(it)) events |= POLLOUT | POLLWRNORM | POLLWRBAND;
    return events;
}

static int get_option(struct socket *socket, int level, int option, void *out, uint32_t *size) {
    struct unix_socket *it = unix_of(socket);
    int number;
    if (level != SOL_SOCKET) return -ENOPROTOOPT;
    switch (option) {
    case SO_PEERCRED: memcpy(out, &it->peer_credentials, *size = sizeof it->peer_credentials); return 0;
    case SO_PASSCRED: number = it->pass_credentials; break;
    case SO_ACCEPTCONN: number = it->state == UNIX_LISTENING; break;
    default: return -ENOPROTOOPT;
    }
    memcpy(out, &number, *size = sizeof number);
    return 0;
}

static int set_option(struct socket *socket, int level, int option, const void *value, uint32_t size) {
    int number;
    if (level != SOL_SOCKET || option != SO_PASSCRED) return -ENOPROTOOPT;
    if (size < sizeof number) return -EINVAL;
    memcpy(&number, value, sizeof number);
    unix_of(socket)->pass_credentials = number != 0;
    return 0;
}

static long control(struct socket *socket, unsigned long request, unsigned long argument) {
    struct unix_socket *it = unix_of(socket);
    int bytes = 0;
    if (request == TIOCOUTQ) {
        bytes = it->peer ? (int)it->peer->queued : 0;
    } else if (request == SIOCATMARK) {
        bytes = unix_at_mark(it);
    } else {
        if (request != FIONREAD) return inet_interface_ioctl ? inet_interface_ioctl(AF_UNIX, request, argument) : -ENOTTY;
        if (it->state == UNIX_LISTENING) return -EINVAL;
        for (struct packet *packet = it->first; packet; packet = unix_is_datagram(it) ? NULL : packet->next) bytes += (int)packet->left;
    }
    return user_copy_out((void *)argument, &bytes, sizeof bytes);
}

static const struct socket_ops ops = {
    .bind = unix_bind, .connect = connect, .listen = listen, .accept = accept, .name = name, .send = unix_send, .receive = unix_receive, .shutdown = shutdown,
    .pair = pair, .get_option = get_option, .set_option = set_option, .ioctl = control, .poll = poll, .close = close_socket,
};
HULL_REGISTER(socket_family, 1, struct socket_family, unix_family) = {AF_UNIX, create};

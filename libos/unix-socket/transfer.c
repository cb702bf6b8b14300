/*
 * Sending and receiving. A packet is made whole before it is put into the peer's queue: copying from the program may sleep, so what was true of the
 * peer is asked again afterwards. A stream's reader takes from several packets, but never beyond descriptors or other credentials, nor beyond the place of
 * an urgent byte (MSG_OOB, since Linux 5.15): a read ends before it, and the next one leaves it out unless SO_OOBINLINE is set.
 */
#include "clock/clock.h"
#include "lib/string.h"
#include "signal/signal.h"
#include "unix-socket/internal.h"

/* Absent where the signal component is. */
extern __typeof(signal_raise) signal_raise __attribute__((weak));
enum { CHUNK_ROOM = PAGE_SIZE - sizeof(struct chunk), PIECE_MOST = 32768, DATAGRAMS_MOST = 10 };
struct cmsghdr { size_t length; int level, type; };

static void packet_free(struct packet *packet) {
    for (struct chunk *chunk = packet->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        kfree(chunk);
    }
    if (packet->pack) rights_drop(packet->pack);
    unix_name_put(packet->from);
    kfree(packet);
}

static struct packet *take_first(struct unix_socket *it) {
    struct packet *packet = it->first;
    it->first = packet->next;
    if (!it->first) it->last = NULL;
    it->queued -= packet->charge;
    it->packets--;
    if (it->urgent == packet) it->urgent = NULL;
    if (packet->pack) rights_arrived(packet->pack);
    return packet;
}

void unix_drain(struct unix_socket *it) {
    while (it->first) packet_free(take_first(it));
}

bool unix_unread(const struct unix_socket *it) {
    const struct packet *packet = it->first;
    while (packet && packet->urgent && !packet->left) packet = packet->next;
    return packet;
}

static bool is_mark(const struct packet *packet) { return packet->urgent && !packet->left; }

bool unix_at_mark(const struct unix_socket *it) {
    return it->first && (it->first == it->urgent || (is_mark(it->first) && (!it->urgent || it->first->next == it->urgent)));
}

/* Where in a vector a copy stands. */
struct cursor { const struct iovec *vector; int left; size_t offset; };
static bool cursor_at(struct cursor *cursor, uint8_t **program, size_t *room) {
    while (cursor->left && cursor->offset == cursor->vector->length) cursor->vector++, cursor->left--, cursor->offset = 0;
    if (!cursor->left) return false;
    *program = (uint8_t *)cursor->vector->base + cursor->offset;
    *room = cursor->vector->length - cursor->offset;
    return true;
}

static int fill(struct packet *packet, struct cursor *cursor, size_t size) {
    struct chunk **link = &packet->chunks, *chunk = NULL;
    uint8_t *program;
    size_t room, chunk_room = 0;
    while (size && cursor_at(cursor, &program, &room)) {
        if (!chunk || chunk->end == chunk_room) {
            chunk_room = size < CHUNK_ROOM ? size : CHUNK_ROOM;
            if (!(chunk = kmalloc(sizeof *chunk + chunk_room))) return -ENOBUFS;
            *chunk = (struct chunk){0};
            *link = chunk;
            link = &chunk->next;
        }
        if (room > size) room = size;
        if (room > chunk_room - chunk->end) room = chunk_room - chunk->end;
        if (user_copy_in(chunk->data + chunk->end, program, room)) return -EFAULT;
        chunk->end += (uint32_t)room;
        packet->left += room;
        cursor->offset += room;
        size -= room;
    }
    return 0;
}

static int read_control(const struct message *message, struct packet *packet) {
    struct cmsghdr header;
    for (size_t at = 0; at + sizeof header <= message->control_size; at += (header.length + 7) & ~7ul) {
        memcpy(&header, message->control + at, sizeof header);
        if (header.length < sizeof header || header.length > message->control_size - at) return -EINVAL;
        const uint8_t *data = message->control + at + sizeof header;
        size_t size = header.length - sizeof header;
        if (header.level != SOL_SOCKET) continue;
        if (header.type == SCM_RIGHTS) {
            int error = rights_take(&packet->pack, data, size / sizeof(int));
            if (error) return error;
        } else if (header.type == SCM_CREDENTIALS) {
            const struct credentials *own = &current_process()->credentials;
            struct credentials_message given;
            if (size != sizeof given) return -EINVAL;
            memcpy(&given, data, sizeof given);
            bool own_uid = given.uid == own->uid || given.uid == own->euid || given.uid == own->suid;
            bool own_gid = given.gid == own->gid || given.gid == own->egid || given.gid == own->sgid;
            if (own->euid && (given.pid != current_process()->pid || !own_uid || !own_gid)) return -EPERM;
            if (given.pid != current_process()->pid && !process_find(given.pid)) return -ESRCH;
            packet->credentials = given;
            packet->has_credentials = true;
        } else {
            return -EINVAL;
        }
    }
    return 0;
}

static size_t room_to(const struct unix_socket *from, const struct unix_socket *to) {
    return to->queued < from->socket.send_room ? from->socket.send_room - to->queued : 0;
}

bool unix_writable(const struct unix_socket *it) {
    const struct unix_socket *peer = it->peer;
    if (!peer) return true;
    if (unix_is_datagram(it) && peer->packets > DATAGRAMS_MOST && !peer->dead) return false;
    return peer->queued * 4 <= it->socket.send_room;
}

struct demand { struct unix_socket *from, *to; size_t charge; };
static bool can_send(void *argument) {
    struct demand *demand = argument;
    struct unix_socket *from = demand->from, *to = demand->to;
    if (to->dead || to->shut & SHUT_RECEIVE || from->shut & SHUT_SEND || from->dead) return true;
    if (unix_is_datagram(to) && to != from && to->packets > DATAGRAMS_MOST) return false;
    return !to->queued || room_to(from, to) >= demand->charge;
}

/* Why nothing can be sent any more; 0: it can. */
static int broken(const struct unix_socket *from, const struct unix_socket *to) {
    if (from->shut & SHUT_SEND) return -EPIPE;
    if (to->dead) return unix_is_datagram(to) ? -ECONNREFUSED : -EPIPE;
    return to->shut & SHUT_RECEIVE ? -EPIPE : 0;
}

/* to: referenced by the caller. */
static int send_packet(struct unix_socket *it, struct unix_socket *to, struct message *message, struct packet *packet) {
    packet->charge = packet->left + PACKET_CHARGE;
    struct demand demand = {it, to, packet->charge < it->socket.send_room ? packet->charge : it->socket.send_room};
    if (!can_send(&demand)) {
        int error = message->flags & MSG_DONTWAIT ? -EAGAIN : socket_wait(&to->senders, can_send, &demand, it->socket.send_timeout);
        if (error) return error;
    }
    int error = broken(it, to);
    if (error) return error;
    if (!packet->has_credentials) packet->credentials = unix_credentials();
    if (to->socket.times) packet->time = clock_realtime_ns();
    if ((packet->from = it->name)) packet->from->references++;
    *(to->last ? &to->last->next : &to->first) = packet;
    to->last = packet;
    to->queued += packet->charge;
    to->packets++;
    if (packet->pack) rights_sent(packet->pack);
    if (packet->urgent) {
        to->urgent = packet;
        socket_tell_urgent(&to->socket);
    }
    wait_queue_wake(&to->readers, -1);
    return 0;
}

static long send_all(struct unix_socket *it, struct unix_socket *to, struct message *message) {
    struct cursor cursor = {message->vector, message->count, 0};
    bool stream = it->socket.type == SOCK_STREAM, first = true;
    size_t done = 0;
    int error = broken(it, to);
    while (!error && (first || done < message->size)) {
        size_t size = message->size - done;
        struct packet *packet = kzalloc(sizeof *packet);
        if (!packet) {
            error = -ENOBUFS;
            break;
        }
        if (message->flags & MSG_OOB && !(packet->urgent = size == 1)) size--; /* the last byte goes by itself */
        if (stream && size > PIECE_MOST) size = PIECE_MOST;
        if (first) error = read_control(message, packet);
        if (!error) error = fill(packet, &cursor, size);
        if (!error && !(stream && !message->size)) error = send_packet(it, to, message, packet);
        else if (!error) packet_free(packet), packet = NULL; /* a stream has no empty packets */
        if (error) packet_free(packet);
        else done += size;
        first = false;
    }
    return done ? (long)done : error;
}

long unix_send(struct socket *socket, struct message *message) {
    struct unix_socket *it = unix_of(socket), *to = it->peer;
    long result = 0;
    bool held = false; /* a reference on `to` */
    if (message->flags & MSG_OOB && (socket->type != SOCK_STREAM || !message->size)) return -EOPNOTSUPP;
    if (message->address.length && !unix_is_datagram(it)) {
        if (socket->type == SOCK_STREAM) return it->peer ? -EISCONN : -EOPNOTSUPP;
        message->address.length = 0;
    }
    if (!unix_is_datagram(it) && socket->error) {
        result = socket->error;
        socket->error = 0;
        if (result == -ECONNRESET) result = -EPIPE;
    } else if (message->address.length) {
        if ((result = unix_find(&message->address, SOCK_DGRAM, &to))) return result;
        held = true;
        if (to->peer && to->peer != it) result = -EPERM;
    } else if (!to) {
        result = it->shut & SHUT_SEND ? -EPIPE : -ENOTCONN;
    } else {
        unix_get(to);
        held = true;
    }
    if (!result && socket->type != SOCK_STREAM && message->size + PACKET_CHARGE > socket->send_room) result = -EMSGSIZE;
    if (!result && it->pass_credentials && !it->name && unix_is_datagram(it)) result = unix_bind_free(it);
    if (!result) result = send_all(it, to, message);
    if (result == -ECONNREFUSED && it->peer && it->peer == to && !message->address.length) { /* it is gone for good */
        it->peer = NULL;
        it->state = UNIX_NEW;
        unix_put(to);
    }
    if (held) unix_put(to);
    if (result == -EPIPE && socket->type == SOCK_STREAM && !(message->flags & MSG_NOSIGNAL) && signal_raise) signal_raise(SIGPIPE);
    return result;
}

static bool is_inline(const struct unix_socket *it) { return it->socket.plain_options >> SO_OOBINLINE & 1; }

/* Whether an ordinary read, or for streams a look, would find something. */
static bool is_readable(const struct unix_socket *it) {
    const struct packet *packet = it->first;
    while (packet && (is_mark(packet) || (packet == it->urgent && !is_inline(it)))) packet = packet->next;
    return packet;
}

static bool can_receive(void *argument) {
    struct unix_socket *it = argument;
    return is_readable(it) || it->socket.error || it->shut & SHUT_RECEIVE || it->dead;
}

/* Copies out of a packet; not peeking, what was copied is gone. Bytes or -EFAULT. */
static long copy_out(struct packet *packet, struct cursor *cursor, bool peek) {
    struct chunk *chunk = packet->chunks;
    uint32_t at = chunk ? chunk->begin : 0;
    uint8_t *program;
    size_t room, done = 0;
    while (chunk && cursor_at(cursor, &program, &room)) {
        if (room > chunk->end - at) room = chunk->end - at;
        if (room && user_copy_out(program, chunk->data + at, room)) return done ? (long)done : -EFAULT;
        cursor->offset += room;
        done += room;
        at += (uint32_t)room;
        if (!peek) {
            chunk->begin = at;
            packet->left -= room;
        }
        if (at < chunk->end) continue;
        struct chunk *next = chunk->next;
        if (!peek) {
            packet->chunks = next;
            kfree(chunk);
        }
        chunk = next;
        at = chunk ? chunk->begin : 0;
    }
    return (long)done;
}

void unix_room_made(struct unix_socket *it) {
    wait_queue_wake(&it->senders, -1);
    if (!unix_is_datagram(it)) {
        if (it->peer) wait_queue_wake(&it->peer->writers, -1);
        return;
    }
    for (struct unix_socket *other = unix_all; other; other = other->next)
        if (other->peer == it) wait_queue_wake(&other->writers, -1);
}

/* What goes with a packet: address, credentials, descriptors. */
static void give_particulars(struct unix_socket *it, struct message *message, struct packet *packet, struct file_pack *pack) {
    if (packet->from) message->address = packet->from->address;
    if (it->socket.type != SOCK_STREAM) message_put_time(message, &it->socket, packet->time);
    if (it->pass_credentials) message_put_control(message, SOL_SOCKET, SCM_CREDENTIALS, &packet->credentials, sizeof packet->credentials);
    if (pack) rights_give(message, pack);
}

/* Others have their turn while it waits. */
static int wait_for_data(struct unix_socket *it, struct message *message) {
    run_deferred();
    while (!can_receive(it)) {
        if (message->flags & MSG_DONTWAIT) return -EAGAIN;
        turn_end(&it->turn);
        int error = socket_wait(&it->readers, can_receive, it, it->socket.receive_timeout);
        turn_take(&it->turn);
        if (error) return error;
    }
    if (is_readable(it) || !it->socket.error) return 0;
    int error = it->socket.error;
    it->socket.error = 0;
    return error;
}

static long receive_message(struct unix_socket *it, struct message *message) {
    bool peek = message->flags & MSG_PEEK;
    struct cursor cursor = {message->vector, message->count, 0};
    int error = wait_for_data(it, message);
    if (error) return error;
    if (!it->first) return it->socket.type == SOCK_SEQPACKET || it->shut & SHUT_RECEIVE ? 0 : -EAGAIN;
    struct packet *packet = it->first;
    struct file_pack *pack = packet->pack;
    if (!peek) {
        take_first(it);
        packet->pack = NULL;
    } else if (pack && !(pack = rights_copy(pack))) {
        return -ENOMEM;
    }
    size_t size = packet->left;
    long result = copy_out(packet, &cursor, peek);
    if (result >= 0) {
        give_particulars(it, message, packet, pack);
        if ((size_t)result < size) message->out_flags |= MSG_TRUNC;
        if (message->flags & MSG_TRUNC) result = (long)size;
    } else if (pack) {
        rights_drop(pack);
    }
    if (!peek) {
        packet_free(packet);
        unix_room_made(it);
    }
    return result;
}

static bool same_sender(const struct packet *a, const struct packet *b) {
    return a->credentials.pid == b->credentials.pid && a->credentials.uid == b->credentials.uid && a->credentials.gid == b->credentials.gid;
}

static void drop_first(struct unix_socket *it) {
    packet_free(take_first(it));
    unix_room_made(it);
}

/* What is read after `packet` was come to with so much done: itself, one behind it, or NULL: nothing, the read ends or waits. */
static struct packet *pass_urgent(struct unix_socket *it, struct packet *packet, bool peek, bool begun) {
    if (is_mark(packet)) {
        if (begun && !it->urgent) return NULL;
        packet = packet->next;
        if (!peek) drop_first(it);
    }
    if (!packet || packet != it->urgent) return packet;
    if (begun) return NULL;
    if (peek) return is_inline(it) ? packet : packet->next;
    it->urgent = NULL;
    if (is_inline(it)) return packet;
    drop_first(it); /* nobody asked for it */
    return it->first;
}

static long receive_urgent(struct unix_socket *it, struct message *message) {
    struct packet *packet = it->urgent;
    struct cursor cursor = {message->vector, message->count, 0};
    if (it->state != UNIX_CONNECTED || is_inline(it) || !packet) return -EINVAL;
    if (!(message->flags & MSG_PEEK)) it->urgent = NULL;
    long result = copy_out(packet, &cursor, message->flags & MSG_PEEK);
    message->out_flags |= MSG_OOB;
    return result ? result : -EFAULT;
}

static long receive_stream(struct unix_socket *it, struct message *message) {
    bool peek = message->flags & MSG_PEEK, begun = false;
    struct cursor cursor = {message->vector, message->count, 0};
    struct packet like = {0};
    long done = 0;
    if (it->state != UNIX_CONNECTED) return -EINVAL;
    if (!message->size) return 0;
    for (struct packet *packet = NULL;;) {
        if (!peek || !packet) packet = it->first;
        if (!packet) {
            if (begun && (!(message->flags & MSG_WAITALL) || peek || (size_t)done == message->size)) break;
            int error = it->shut & SHUT_RECEIVE && !is_readable(it) && !it->socket.error ? 1 : wait_for_data(it, message);
            if (error > 0) break;
            if (error) return done ? done : error;
            if (!is_readable(it)) break;
            continue;
        }
        if (packet->urgent && !(packet = pass_urgent(it, packet, peek, begun))) {
            if (begun) break;
            continue;
        }
        if (begun && it->pass_credentials && !same_sender(packet, &like)) break;
        like.credentials = packet->credentials;
        long piece = copy_out(packet, &cursor, peek);
        if (piece < 0) return done ? done : piece;
        done += piece;
        struct file_pack *pack = packet->pack;
        if (pack && peek) {
            pack = rights_copy(pack);
        } else if (pack) {
            rights_arrived(pack);
            packet->pack = NULL;
        }
        if (!begun) give_particulars(it, message, packet, pack);
        else if (pack) rights_give(message, pack);
        begun = true;
        bool stop = pack != NULL || (size_t)done == message->size;
        if (!peek && !packet->left) {
            if (packet == it->first) take_first(it);
            packet_free(packet);
            unix_room_made(it);
        }
        if (stop) break;
        if (peek && !(packet = packet->next)) break;
        if (!peek && it->first && it->first->pack) break; /* descriptors begin a read of their own */
    }
    return done;
}

long unix_receive(struct socket *socket, struct message *message) {
    struct unix_socket *it = unix_of(socket);
    bool is_stream = socket->type == SOCK_STREAM, urgent = message->flags & MSG_OOB;
    if (!is_stream && urgent) return -EOPNOTSUPP;
    if (socket->type == SOCK_SEQPACKET && it->state != UNIX_CONNECTED) return -ENOTCONN;
    turn_take(&it->turn);
    long result = !is_stream ? receive_message(it, message) : urgent ? receive_urgent(it, message) : receive_stream(it, message);
    turn_end(&it->turn);
    return result;
}

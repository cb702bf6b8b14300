/*
 * Sockets as files, and the calls that make and name them. Owns the list of families: a linker table. A socket lives as long as its file, and
 * longer where its family says so.
 */
#include "socket/internal.h"
#include "channel/channel.h"
#include "clock/clock.h"
#include "lib/string.h"
#include "signal/signal.h"

/* Absent where the signal component is. */
extern __typeof(signal_send) signal_send __attribute__((weak));
extern __typeof(signal_send_thread) signal_send_thread __attribute__((weak));

enum { SOCK_NONBLOCK = O_NONBLOCK, SOCK_CLOEXEC = O_CLOEXEC, TYPE_MASK = 15 };
extern const struct socket_family __hull_socket_family_start[], __hull_socket_family_end[];

static long socket_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)position;
    struct message message;
    message_begin(&message, vector, count, 0);
    return socket_transfer(file, &message, false);
}

static long socket_write(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)position;
    struct message message;
    message_begin(&message, vector, count, 0);
    return socket_transfer(file, &message, true);
}

static unsigned socket_poll(struct file *file, struct poll_wait *wait) {
    struct socket *socket = file->data;
    return socket->ops->poll(socket, wait);
}

/* As Linux's sigio_perm. */
static bool may_signal(const struct file_owner *owner, const struct process *process) {
    return !owner->uid || owner->uid == process->credentials.uid || owner->uid == process->credentials.suid;
}

void socket_tell_urgent(struct socket *socket) {
    const struct signal_info info = {.number = SIGURG, .code = SI_KERNEL};
    if (!signal_send || !socket->file || !socket->file->owner.id) return;
    const struct file_owner *owner = &socket->file->owner;
    if (owner->kind == OWNER_THREAD) {
        struct thread *thread = thread_find(owner->id);
        if (thread && may_signal(owner, thread->process)) signal_send_thread(thread, &info);
        return;
    }
    for (struct process *process = &first_process; process; process = process->next)
        if ((owner->kind == OWNER_GROUP ? process->group : process->pid) == owner->id && may_signal(owner, process)) signal_send(process, &info);
}

/* FIOSETOWN, SIOCSPGRP and what asks for it are fcntl's F_SETOWN and F_GETOWN, for sockets (ioctl_tty(2) has the numbers for terminals only). */
enum { FIOSETOWN = 0x8901, SIOCSPGRP, FIOGETOWN, SIOCGPGRP };

static long socket_ioctl(struct file *file, unsigned long request, unsigned long argument) {
    struct socket *socket = file->data;
    int number;
    if (request == FIOSETOWN || request == SIOCSPGRP)
        return user_copy_in(&number, (const void *)argument, sizeof number) ? -EFAULT : file_set_owner(file, number);
    if (request == FIOGETOWN || request == SIOCGPGRP) {
        number = file_owner_number(file);
        return user_copy_out((void *)argument, &number, sizeof number);
    }
    return socket->ops->ioctl ? socket->ops->ioctl(socket, request, argument) : -ENOTTY;
}

static int socket_stat(struct file *file, struct linux_stat *out) {
    out->mode = S_IFSOCK | 0777;
    out->ino = ((struct socket *)file->data)->serial;
    out->dev = 8;
    return 0;
}

static void socket_close(struct file *file) {
    struct socket *socket = file->data;
    socket->ops->close(socket);
}

static const struct file_ops ops = {
    .kind = "socket", .read = socket_read, .write = socket_write, .ioctl = socket_ioctl, .stat = socket_stat, .poll = socket_poll, .close = socket_close,
};

/* A family may give its files further operations. */
static bool is_socket(const struct file *file) { return file->ops->close == socket_close; }

struct socket *socket_of(const struct file *file) { return is_socket(file) ? file->data : NULL; }

struct file *socket_file(struct socket *socket, unsigned flags) {
    return socket->file = file_create(&ops, O_RDWR | (flags & O_NONBLOCK), socket);
}

void socket_start(struct socket *socket, const struct socket_ops *operations, int family, int type, int protocol) {
    static uint64_t serial = 1;
    *socket = (struct socket){.ops = operations, .family = family, .type = type, .protocol = protocol, .serial = serial++, .send_room = SOCKET_ROOM_MOST, .receive_room = SOCKET_ROOM_MOST,
                              .receive_low = 1};
}

int socket_wait(struct wait_queue *queue, bool (*condition)(void *), void *argument, uint64_t timeout) {
    int error = wait_until(queue, condition, argument, timeout ? clock_monotonic_ns() + timeout : 0, timeout ? WAIT_BREAKS : true);
    if (error == -EINTR && timeout) current_thread()->wait_limited = true;
    return error == -ETIMEDOUT ? -EAGAIN : error;
}

struct socket *socket_find(int descriptor, long *error) {
    struct file *file = file_lookup(descriptor);
    *error = !file ? -EBADF : !is_socket(file) ? -ENOTSOCK : 0;
    return *error ? NULL : file->data;
}

int address_in(struct address *address, const void *program, uint32_t length) {
    memset(address, 0, sizeof *address);
    if (length > ADDRESS_MOST) return -EINVAL;
    address->length = length;
    return user_copy_in(address->bytes, program, length);
}

int address_out(const struct address *address, void *program, uint32_t *length) {
    uint32_t room;
    if (!program) return 0;
    if (user_copy_in(&room, length, sizeof room)) return -EFAULT;
    if ((int32_t)room < 0) return -EINVAL;
    if (room > address->length) room = address->length;
    return user_copy_out(program, address->bytes, room) || user_copy_out(length, &address->length, sizeof *length) ? -EFAULT : 0;
}

static int create(int family, int type, int protocol, struct socket **out) {
    int kind = type & TYPE_MASK;
    if (type & ~(TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC)) return -EINVAL;
    if (kind < SOCK_STREAM || kind > 10) return -EINVAL;
    for (const struct socket_family *f = __hull_socket_family_start; f < __hull_socket_family_end; f++)
        if (f->family == family) return f->create(kind, protocol, out);
    static bool told;
    if (family == AF_PACKET && !told) log_line("packet sockets are not in this image, expected the component packet-socket (--add packet-socket)");
    told |= family == AF_PACKET;
    return -EAFNOSUPPORT;
}

/* Gives the socket a file and a descriptor; on failure it is closed. */
static int install(struct socket *socket, int flags) {
    struct file *file = socket_file(socket, (unsigned)flags);
    if (!file) {
        socket->ops->close(socket);
        return -ENOMEM;
    }
    int descriptor = file_install(file, 0, flags & SOCK_CLOEXEC);
    if (descriptor < 0) file_put(file);
    return descriptor;
}

SYSCALL_DEFINE(socket, int family, int type, int protocol) {
    struct socket *socket;
    int error = create(family, type, protocol, &socket);
    return error ? error : install(socket, type);
}

SYSCALL_DEFINE(socketpair, int family, int type, int protocol, int *out) {
    struct socket *pair[2];
    int numbers[2], error = create(family, type, protocol, &pair[0]);
    if (error) return error;
    error = pair[0]->ops->pair ? create(family, type, protocol, &pair[1]) : -EOPNOTSUPP;
    if (error) {
        pair[0]->ops->close(pair[0]);
        return error;
    }
    pair[0]->ops->pair(pair[0], pair[1]);
    numbers[0] = install(pair[0], type);
    if (numbers[0] < 0) {
        pair[1]->ops->close(pair[1]);
        return numbers[0];
    }
    numbers[1] = install(pair[1], type);
    if (numbers[1] >= 0 && !user_copy_out(out, numbers, sizeof numbers)) return 0;
    file_uninstall(numbers[0]);
    if (numbers[1] < 0) return numbers[1];
    file_uninstall(numbers[1]);
    return -EFAULT;
}

SYSCALL_DEFINE(bind, int descriptor, const void *program, uint32_t length) {
    struct address address;
    long error;
    struct socket *socket = socket_find(descriptor, &error);
    if (!socket) return error;
    error = address_in(&address, program, length);
    return error ? error : socket->ops->bind(socket, &address);
}

SYSCALL_DEFINE(listen, int descriptor, int backlog) {
    long error;
    struct socket *socket = socket_find(descriptor, &error);
    return socket ? socket->ops->listen ? socket->ops->listen(socket, backlog) : -EOPNOTSUPP : error;
}

SYSCALL_DEFINE(connect, int descriptor, const void *program, uint32_t length) {
    struct address address;
    long error;
    struct socket *socket = socket_find(descriptor, &error);
    if (!socket) return error;
    if ((error = address_in(&address, program, length))) return error;
    struct file *file = socket->file;
    file_get(file);
    error = socket->ops->connect(socket, &address, !(file->flags & O_NONBLOCK));
    file_put(file);
    return error;
}

SYSCALL_DEFINE(accept4, int descriptor, void *program, uint32_t *length, int flags) {
    struct address peer = {0};
    struct socket *made;
    long error;
    struct socket *socket = socket_find(descriptor, &error);
    if (!socket) return error;
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) return -EINVAL;
    if (!socket->ops->accept) return -EOPNOTSUPP;
    struct file *file = socket->file;
    file_get(file);
    error = socket->ops->accept(socket, !(file->flags & O_NONBLOCK), &made, &peer);
    file_put(file);
    if (error) return error;
    int number = install(made, flags);
    if (number < 0 || !(error = address_out(&peer, program, length))) return number;
    file_uninstall(number);
    return error;
}

SYSCALL_DEFINE(accept, int descriptor, void *program, uint32_t *length) { return sys_accept4(descriptor, program, length, 0); }

static long get_name(int descriptor, bool peer, void *program, uint32_t *length) {
    struct address address = {0};
    long error;
    struct socket *socket = socket_find(descriptor, &error);
    if (!socket) return error;
    error = socket->ops->name(socket, peer, &address);
    return error ? error : program ? address_out(&address, program, length) : -EFAULT;
}

SYSCALL_DEFINE(getsockname, int descriptor, void *program, uint32_t *length) { return get_name(descriptor, false, program, length); }
SYSCALL_DEFINE(getpeername, int descriptor, void *program, uint32_t *length) { return get_name(descriptor, true, program, length); }

SYSCALL_DEFINE(shutdown, int descriptor, int how) {
    long error;
    struct socket *socket = socket_find(descriptor, &error);
    if (!socket) return error;
    return how < 0 || how > 2 ? -EINVAL : socket->ops->shutdown(socket, how);
}

/* The calls that transfer: send, receive and their kinds. What they have in common is one struct message. */
#include "socket/internal.h"
#include "clock/clock.h"
#include "lib/string.h"

struct msghdr { /* as sendmsg(2) has it */
    void *name;
    uint32_t name_length, pad;
    struct iovec *vector;
    size_t count;
    void *control;
    size_t control_size;
    uint32_t flags, pad2;
};
struct mmsghdr { struct msghdr header; uint32_t length, pad; };
struct cmsghdr { size_t length; int level, type; };
enum { VECTOR_ON_STACK = 8, CONTROL_MOST = 20480, BATCH_MOST = 1024 };
#define SIZE_MOST 0x7ffff000ul

long socket_transfer(struct file *file, struct message *message, bool send) {
    struct socket *socket = file->data;
    message->size = 0;
    for (int i = 0; i < message->count; i++) message->size += message->vector[i].length;
    if (file->flags & O_NONBLOCK) message->flags |= MSG_DONTWAIT;
    file_get(file);
    long result = send ? socket->ops->send(socket, message) : socket->ops->receive(socket, message);
    file_put(file);
    return result;
}

size_t message_put_control(struct message *message, int level, int type, const void *data, size_t size) {
    struct cmsghdr header = {sizeof header + size, level, type};
    size_t room = message->control_size - message->control_used;
    if (!message->control || room < sizeof header) {
        message->out_flags |= MSG_CTRUNC;
        return 0;
    }
    if (room < header.length) {
        message->out_flags |= MSG_CTRUNC;
        header.length = room;
    }
    size_t taken = header.length - sizeof header, space = (header.length + 7) & ~7ul;
    uint8_t *at = message->control + message->control_used;
    if (user_copy_out(at, &header, sizeof header) || user_copy_out(at + sizeof header, data, taken)) return 0;
    message->control_used += space < room ? space : room;
    return taken;
}

void message_put_time(struct message *message, const struct socket *socket, uint64_t ns) {
    if (!socket->times) return;
    if (!ns) ns = clock_realtime_ns();
    int64_t time[2] = {(int64_t)(ns / 1000000000), (int64_t)(ns % 1000000000 / (socket->times == SOCKET_NANOSECONDS ? 1 : 1000))};
    message_put_control(message, SOL_SOCKET, socket->times == SOCKET_NANOSECONDS ? SO_TIMESTAMPNS : SO_TIMESTAMP, time, sizeof time);
}

SYSCALL_DEFINE(sendto, int descriptor, const void *buffer, size_t size, unsigned flags, const void *program, uint32_t length) {
    struct iovec one = {(void *)buffer, size > SIZE_MOST ? SIZE_MOST : size};
    struct message message;
    message_begin(&message, &one, 1, flags);
    long error;
    struct socket *socket = socket_find(descriptor, &error);
    if (!socket) return error;
    if (program && (error = address_in(&message.address, program, length))) return error;
    return socket_transfer(socket->file, &message, true);
}

SYSCALL_DEFINE(recvfrom, int descriptor, void *buffer, size_t size, unsigned flags, void *program, uint32_t *length) {
    struct iovec one = {buffer, size > SIZE_MOST ? SIZE_MOST : size};
    struct message message;
    message_begin(&message, &one, 1, flags);
    long error;
    struct socket *socket = socket_find(descriptor, &error);
    if (!socket) return error;
    long result = socket_transfer(socket->file, &message, false);
    if (result >= 0 && program && (error = address_out(&message.address, program, length))) return error;
    return result;
}

static long vector_in(struct iovec *vector, const struct msghdr *header) {
    size_t room = SIZE_MOST;
    if (user_copy_in(vector, header->vector, header->count * sizeof *vector)) return -EFAULT;
    for (size_t i = 0; i < header->count; i++) {
        if ((intptr_t)vector[i].length < 0) return -EINVAL;
        if (vector[i].length > room) vector[i].length = room;
        room -= vector[i].length;
    }
    return 0;
}

static long send_header(struct file *file, const struct msghdr *header, struct message *message) {
    long error = header->name ? address_in(&message->address, header->name, header->name_length) : 0;
    if (error) return error;
    if (header->control && header->control_size) {
        if (header->control_size > CONTROL_MOST) return -ENOBUFS;
        if (!(message->control = kmalloc(header->control_size))) return -ENOBUFS;
        message->control_size = header->control_size;
        error = user_copy_in(message->control, header->control, header->control_size);
    }
    long result = error ? error : socket_transfer(file, message, true);
    kfree(message->control);
    return result;
}

static long receive_header(struct file *file, struct msghdr *program, const struct msghdr *header, struct message *message) {
    message->control = header->control;
    message->control_size = header->control ? header->control_size : 0;
    long result = socket_transfer(file, message, false);
    if (result < 0) return result;
    if (header->name) {
        uint32_t length = message->address.length < header->name_length ? message->address.length : header->name_length;
        if (user_copy_out(header->name, message->address.bytes, length)) return -EFAULT;
        if (user_copy_out(&program->name_length, &message->address.length, sizeof program->name_length)) return -EFAULT;
    }
    if (user_copy_out(&program->control_size, &message->control_used, sizeof program->control_size)) return -EFAULT;
    return user_copy_out(&program->flags, &message->out_flags, sizeof program->flags) ? -EFAULT : result;
}

static long transfer(struct file *file, struct msghdr *program, unsigned flags, bool send) {
    struct msghdr header;
    struct iovec few[VECTOR_ON_STACK], *vector = few;
    if (user_copy_in(&header, program, sizeof header)) return -EFAULT;
    if (header.count > FILE_MAX_IOVECS) return -EMSGSIZE;
    if (header.name && (int32_t)header.name_length < 0) return -EINVAL;
    if (header.name_length > ADDRESS_MOST) header.name_length = ADDRESS_MOST;
    if (header.count > VECTOR_ON_STACK && !(vector = kmalloc(header.count * sizeof *vector))) return -ENOMEM;
    struct message message;
    message_begin(&message, vector, (int)header.count, flags);
    long result = vector_in(vector, &header);
    if (!result) result = send ? send_header(file, &header, &message) : receive_header(file, program, &header, &message);
    if (vector != few) kfree(vector);
    return result;
}

static long one(int descriptor, struct msghdr *program, unsigned flags, bool send) {
    long error;
    struct socket *socket = socket_find(descriptor, &error);
    if (!socket) return error;
    struct file *file = socket->file;
    file_get(file);
    long result = transfer(file, program, flags, send);
    file_put(file);
    return result;
}

SYSCALL_DEFINE(sendmsg, int descriptor, struct msghdr *header, unsigned flags) { return one(descriptor, header, flags, true); }
SYSCALL_DEFINE(recvmsg, int descriptor, struct msghdr *header, unsigned flags) { return one(descriptor, header, flags, false); }

static long many(int descriptor, struct mmsghdr *headers, unsigned count, unsigned flags, bool send, uint64_t deadline) {
    long done = 0, error = 0;
    if (count > BATCH_MOST) count = BATCH_MOST;
    while (done < count && !error) {
        long result = one(descriptor, &headers[done].header, flags & ~(unsigned)MSG_WAITFORONE, send);
        if (result < 0) {
            error = result;
        } else {
            uint32_t length = (uint32_t)result;
            if (user_copy_out(&headers[done].length, &length, sizeof length)) error = -EFAULT;
            else done++;
            if (flags & MSG_WAITFORONE) flags |= MSG_DONTWAIT;
            if (deadline && clock_monotonic_ns() >= deadline) break;
        }
    }
    return done ? done : error;
}

SYSCALL_DEFINE(sendmmsg, int descriptor, struct mmsghdr *headers, unsigned count, unsigned flags) {
    return many(descriptor, headers, count, flags, true, 0);
}

SYSCALL_DEFINE(recvmmsg, int descriptor, struct mmsghdr *headers, unsigned count, unsigned flags, const struct linux_timespec *timeout) {
    struct linux_timespec time;
    uint64_t deadline = 0;
    if (timeout) { /* looked at after each message only (recvmmsg(2), BUGS) */
        if (user_copy_in(&time, timeout, sizeof time)) return -EFAULT;
        if (time.seconds < 0 || (uint64_t)time.nanoseconds > 999999999) return -EINVAL;
        if (time.seconds < 9000000000) deadline = clock_monotonic_ns() + (uint64_t)time.seconds * 1000000000 + (uint64_t)time.nanoseconds;
    }
    return many(descriptor, headers, count, flags, false, deadline);
}

/* getsockopt and setsockopt: the options of every family here, the others by the family. */
#include "socket/internal.h"
#include "lib/string.h"
#include "task/task.h"

#define PLAIN (1u << SO_DEBUG | 1u << SO_REUSEADDR | 1u << SO_DONTROUTE | 1u << SO_BROADCAST | 1u << SO_KEEPALIVE | 1u << SO_OOBINLINE | 1u << SO_REUSEPORT)
enum { VALUE_MOST = 64, RESULT_MOST = 256, SEND_LEAST = 4608, RECEIVE_LEAST = 2304, PRIORITY_MOST = 6 };
struct timeval { int64_t seconds, microseconds; };

static int set_timeout(uint64_t *out, const void *value, uint32_t size) {
    struct timeval t;
    if (size < sizeof t) return -EINVAL;
    memcpy(&t, value, sizeof t);
    if ((uint64_t)t.microseconds > 999999) return -EDOM;
    *out = t.seconds < 0 || t.seconds > 4000000000 ? 0 : (uint64_t)t.seconds * 1000000000 + (uint64_t)t.microseconds * 1000;
    return 0;
}

static uint32_t room_of(int wanted, uint32_t least) {
    uint32_t room = (wanted < 0 || wanted > SOCKET_ROOM_MOST ? SOCKET_ROOM_MOST : (uint32_t)wanted) * 2; /* twice, for bookkeeping (socket(7)) */
    return room < least ? least : room;
}

static int set_common(struct socket *socket, int name, const void *value, uint32_t size) {
    int number;
    if (name == SO_RCVTIMEO) return set_timeout(&socket->receive_timeout, value, size);
    if (name == SO_SNDTIMEO) return set_timeout(&socket->send_timeout, value, size);
    if (size < sizeof number) return -EINVAL;
    memcpy(&number, value, sizeof number);
    switch (name) {
    case SO_SNDBUF: case SO_SNDBUFFORCE: socket->send_room = room_of(number, SEND_LEAST); return 0;
    case SO_RCVBUF: case SO_RCVBUFFORCE:
        socket->receive_room = room_of(number, RECEIVE_LEAST);
        socket->receive_fixed = true;
        if (socket->ops->receive_room_set) socket->ops->receive_room_set(socket);
        return 0;
    case SO_RCVLOWAT: socket->receive_low = number < 0 ? INT32_MAX : number ? (uint32_t)number : 1; return 0;
    case SO_PRIORITY:
        if ((number < 0 || number > PRIORITY_MOST) && current_process()->credentials.euid) return -EPERM;
        socket->priority = number;
        return 0;
    case SO_MARK:
        if (current_process()->credentials.euid) return -EPERM;
        socket->mark = number;
        return 0;
    case SO_TIMESTAMP: case SO_TIMESTAMPNS: socket->times = !number ? SOCKET_NO_TIMES : name == SO_TIMESTAMP ? SOCKET_MICROSECONDS : SOCKET_NANOSECONDS; return 0;
    case SO_LINGER:
        if (size < sizeof socket->linger) return -EINVAL;
        memcpy(socket->linger, value, sizeof socket->linger);
        return 0;
    }
    if (name < 0 || name > 31 || !(PLAIN >> name & 1)) return -ENOPROTOOPT;
    socket->plain_options = number ? socket->plain_options | 1u << name : socket->plain_options & ~(1u << name);
    return 0;
}

static int get_common(struct socket *socket, int name, void *out, uint32_t *size) {
    int number = 0;
    switch (name) {
    case SO_RCVTIMEO: case SO_SNDTIMEO: {
        uint64_t ns = name == SO_RCVTIMEO ? socket->receive_timeout : socket->send_timeout;
        struct timeval t = {(int64_t)(ns / 1000000000), (int64_t)(ns % 1000000000 / 1000)};
        memcpy(out, &t, *size = sizeof t);
        return 0;
    }
    case SO_LINGER: memcpy(out, socket->linger, *size = sizeof socket->linger); return 0;
    case SO_TYPE: number = socket->type; break;
    case SO_DOMAIN: number = socket->family; break;
    case SO_PROTOCOL: number = socket->protocol; break;
    case SO_ERROR:
        number = -socket->error;
        socket->error = 0;
        break;
    case SO_SNDBUF: number = (int)socket->send_room; break;
    case SO_RCVBUF: number = (int)socket->receive_room; break;
    case SO_RCVLOWAT: number = (int)socket->receive_low; break;
    case SO_SNDLOWAT: number = 1; break;
    case SO_PRIORITY: number = socket->priority; break;
    case SO_MARK: number = socket->mark; break;
    case SO_COOKIE: memcpy(out, &socket->serial, *size = sizeof socket->serial); return 0;
    case SO_TIMESTAMP: number = socket->times == SOCKET_MICROSECONDS; break;
    case SO_TIMESTAMPNS: number = socket->times == SOCKET_NANOSECONDS; break;
    case SO_ACCEPTCONN: break;
    default:
        if (name < 0 || name > 31 || !(PLAIN >> name & 1)) return -ENOPROTOOPT;
        number = socket->plain_options >> name & 1;
    }
    memcpy(out, &number, *size = sizeof number);
    return 0;
}

SYSCALL_DEFINE(setsockopt, int descriptor, int level, int name, const void *program, uint32_t size) {
    uint8_t value[VALUE_MOST] = {0};
    long error;
    struct socket *socket = socket_find(descriptor, &error);
    if (!socket) return error;
    if ((int32_t)size < 0) return -EINVAL;
    if (size > VALUE_MOST) size = VALUE_MOST;
    if (user_copy_in(value, program, size)) return -EFAULT;
    error = socket->ops->set_option ? socket->ops->set_option(socket, level, name, value, size) : -ENOPROTOOPT;
    if (error != -ENOPROTOOPT) return error;
    return level == SOL_SOCKET ? set_common(socket, name, value, size) : socket->family == AF_UNIX ? -EOPNOTSUPP : -ENOPROTOOPT;
}

SYSCALL_DEFINE(getsockopt, int descriptor, int level, int name, void *program, uint32_t *length) {
    uint8_t value[RESULT_MOST]; /* the family may fill all of it */
    int asked = 0;
    uint32_t room, size = RESULT_MOST;
    long error;
    struct socket *socket = socket_find(descriptor, &error);
    if (!socket) return error;
    if (user_copy_in(&room, length, sizeof room)) return -EFAULT;
    if ((int32_t)room < 0) return -EINVAL;
    if (room >= sizeof asked && socket->family == AF_PACKET) (void)user_copy_in(&asked, program, sizeof asked); /* PACKET_HDRLEN: of which version? */
    memcpy(value, &asked, sizeof asked);
    error = socket->ops->get_option ? socket->ops->get_option(socket, level, name, value, &size) : -ENOPROTOOPT;
    if (error == -ENOPROTOOPT)
        error = level == SOL_SOCKET ? get_common(socket, name, value, &size) : socket->family == AF_UNIX ? -EOPNOTSUPP : -ENOPROTOOPT;
    if (error) return error;
    if (room > size) room = size;
    return user_copy_out(program, value, room) || user_copy_out(length, &room, sizeof room) ? -EFAULT : 0;
}

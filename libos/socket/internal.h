/* Private to socket. */
#ifndef HULL_SOCKET_INTERNAL_H
#define HULL_SOCKET_INTERNAL_H
#include "memory/memory.h"
#include "socket/socket.h"
#include "syscall/syscall.h"
#include "task/task.h"

/* The socket of a descriptor, or NULL and *error: -EBADF, -ENOTSOCK. */
struct socket *socket_find(int descriptor, long *error);
int address_in(struct address *, const void *program, uint32_t length);
int address_out(const struct address *, void *program, uint32_t *length); /* program NULL: nothing */
/* No address, no control data. The address's bytes stay as they are: its length says that there are none. */
static inline void message_begin(struct message *message, const struct iovec *vector, int count, unsigned flags) {
    message->vector = vector;
    message->count = count;
    message->address.length = 0;
    message->control = NULL;
    message->control_size = message->control_used = 0;
    message->flags = flags;
    message->out_flags = 0;
}
/* Both with the file held. flags: MSG_*. */
long socket_transfer(struct file *, struct message *, bool send);
#endif

/*
 * A pipe's ring, for who makes files over it: pipe(2) here, `fifo`. Context: calls.
 * Owns nothing but the ring; its maker counts the open ends in `reading` and `writing` and leaves by pipe_leave.
 */
#ifndef HULL_PIPE_PIPE_H
#define HULL_PIPE_PIPE_H
#include "file/file.h"

struct pipe {
    struct wait_queue readers, writers;
    uint8_t *ring;
    uint32_t room, size, head, tail; /* free-running; room, what it may hold, and size, what the ring has so far, are powers of two */
    uint32_t reading, writing; /* open ends of each kind */
    uint64_t serial;
};
struct pipe *pipe_create(void); /* no ends yet; NULL: out of memory */
void pipe_free(struct pipe *);
bool pipe_leave(struct pipe *, bool reader, bool writer); /* an end is closed; true: it was the last, and the pipe is gone */
/* As file_ops.read, write, ioctl, fcntl; flags are the file's. */
long pipe_take(struct pipe *, uint32_t flags, const struct iovec *vector, int count);
long pipe_give(struct pipe *, uint32_t flags, const struct iovec *vector, int count);
long pipe_control(struct pipe *, unsigned long request, unsigned long argument);
struct pipe *pipe_of_file(struct file *); /* NULL: it is no pipe and no fifo */
/* Waits for something to read: bytes, 0 at the end of file; or for room: bytes, -EPIPE with SIGPIPE. may_wait false: -EAGAIN. -EINTR. */
long pipe_wait_data(struct pipe *, bool may_wait);
long pipe_wait_room(struct pipe *, bool may_wait);
static inline uint32_t pipe_room(const struct pipe *pipe) { return pipe->room - (pipe->tail - pipe->head); }
long pipe_size_command(struct pipe *, unsigned command, unsigned long argument);
#endif

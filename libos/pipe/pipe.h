/*
 * A pipe's ring, for who makes files over it: pipe(2) here, `fifo`. Context: calls.
 * Owns nothing but the ring; its maker counts the open ends in `reading` and `writing` and leaves by pipe_leave.
 */
#ifndef HULL_PIPE_PIPE_H
#define HULL_PIPE_PIPE_H
#include "file/file.h"
#include "memory/memory.h"

/* What one write of packet mode (pipe(2), O_DIRECT) brought: positions as `head` and `tail` have them. */
struct pipe_packet { struct pipe_packet *next; uint32_t begin, end; };
struct pipe {
    struct wait_queue readers, writers;
    uint8_t *ring;
    uint32_t room, size, head, tail; /* free-running; room, what it may hold, and size, what the ring has so far, are powers of two */
    struct pipe_packet *first, *last; /* oldest first; bytes between them are of ordinary writes */
    uint32_t packets;
    struct turn turn; /* who copies, from or to a program that may sleep in a page fault, has ring, head, tail and packets to itself */
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
/* A packet takes a page's place, as it has a page of its own in Linux. */
static inline uint32_t pipe_room(const struct pipe *pipe) { return pipe->packets < pipe->room / PAGE_SIZE ? pipe->room - (pipe->tail - pipe->head) : 0; }
static inline bool pipe_writable(const struct pipe *pipe) { return pipe_room(pipe) >= PAGE_SIZE; }
/* Copies into libOS memory without taking, from so many bytes behind the head on; bytes up to the next end of a packet, and whether they are of one. */
size_t pipe_look(const struct pipe *, uint32_t offset, uint8_t *to, size_t size, bool *packet);
/* Takes what was looked at at `head`, unless another reader was quicker. */
void pipe_skip(struct pipe *, uint32_t head, size_t size);
long pipe_size_command(struct pipe *, unsigned command, unsigned long argument);
#endif

/*
 * Pipes. Owns one ring of bytes and the two files of pipe(2), one an end; `fifo` makes files of its own over the same ring. Readers and
 * writers sleep on a queue each. Writes of at most PIPE_BUF bytes are whole (pipe(7)). The last writer gone: end of file; the last reader
 * gone: EPIPE and SIGPIPE.
 */
#include "abi/linux_file.h"
#include "file/file.h"
#include "memory/memory.h"
#include "pipe/pipe.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/task.h"

#define PIPE_ROOM 65536u
#define PIPE_BUF 4096u
#define PIPE_ROOM_MOST (1u << 20)
/* Absent where the signal component is. */
extern __typeof(signal_raise) signal_raise __attribute__((weak));

struct demand { struct pipe *pipe; uint32_t least; };

static bool can_read(void *argument) {
    struct pipe *pipe = argument;
    return pipe->tail != pipe->head || !pipe->writing;
}

static bool can_write(void *argument) {
    struct demand *demand = argument;
    struct pipe *pipe = demand->pipe;
    return pipe->room - (pipe->tail - pipe->head) >= demand->least || !pipe->reading;
}

long pipe_take(struct pipe *pipe, uint32_t flags, const struct iovec *vector, int count) {
    size_t wanted = 0;
    for (int i = 0; i < count; i++) wanted += vector[i].length;
    if (!wanted) return 0;
    if (!can_read(pipe)) {
        if (flags & O_NONBLOCK) return -EAGAIN;
        int error = wait_until(&pipe->readers, can_read, pipe, 0, true);
        if (error) return error;
    }
    long done = 0;
    for (int i = 0; i < count; i++) {
        uint8_t *to = vector[i].base;
        size_t left = vector[i].length;
        while (left && pipe->tail != pipe->head) {
            uint32_t at = pipe->head & (pipe->size - 1), piece = pipe->size - at;
            if (piece > pipe->tail - pipe->head) piece = pipe->tail - pipe->head;
            if (piece > left) piece = (uint32_t)left;
            if (user_copy_out(to, pipe->ring + at, piece)) {
                if (!done) return -EFAULT;
                goto out;
            }
            pipe->head += piece;
            to += piece;
            left -= piece;
            done += piece;
        }
    }
out:
    if (done) wait_queue_wake(&pipe->writers, -1);
    return done;
}

/* What it holds moves into a ring of another size. */
static bool move(struct pipe *pipe, uint32_t size) {
    uint32_t held = pipe->tail - pipe->head;
    uint8_t *ring = kmalloc(size);
    if (!ring) return false;
    for (uint32_t i = 0; i < held; i++) ring[i] = pipe->ring[(pipe->head + i) & (pipe->size - 1)];
    kfree(pipe->ring);
    pipe->ring = ring;
    pipe->head = 0;
    pipe->tail = held;
    pipe->size = size;
    return true;
}

/* The ring is made larger by need: most pipes never hold more than a page. Without memory it stays as it is, for good. */
static void grow(struct pipe *pipe, size_t more) {
    uint64_t wanted = (uint64_t)(pipe->tail - pipe->head) + more;
    uint32_t size = pipe->size;
    while (size < wanted && size < pipe->room) size *= 2;
    if (size > pipe->size && !move(pipe, size)) pipe->room = pipe->size;
}

/* Copies what fits; bytes or -EFAULT. */
static long fill(struct pipe *pipe, const uint8_t *from, size_t size) {
    long done = 0;
    if (pipe->size < pipe->room && size > pipe->size - (pipe->tail - pipe->head)) grow(pipe, size);
    while (size && pipe->tail - pipe->head < pipe->room) {
        uint32_t at = pipe->tail & (pipe->size - 1), piece = pipe->size - at, fits = pipe->room - (pipe->tail - pipe->head);
        if (piece > fits) piece = fits;
        if (piece > size) piece = (uint32_t)size;
        if (user_copy_in(pipe->ring + at, from, piece)) return done ? done : -EFAULT;
        pipe->tail += piece;
        from += piece;
        size -= piece;
        done += piece;
    }
    return done;
}

long pipe_give(struct pipe *pipe, uint32_t flags, const struct iovec *vector, int count) {
    size_t total = 0;
    for (int i = 0; i < count; i++) total += vector[i].length;
    if (!total) return 0;
    struct demand demand = { pipe, total <= PIPE_BUF ? (uint32_t)total : 1 };
    long done = 0, error = 0;
    for (int i = 0; i < count && !error; i++) {
        size_t taken = 0;
        while (taken < vector[i].length) {
            if (!can_write(&demand)) {
                if (done) wait_queue_wake(&pipe->readers, -1);
                error = flags & O_NONBLOCK ? -EAGAIN : wait_until(&pipe->writers, can_write, &demand, 0, true);
                if (error) break;
            }
            if (!pipe->reading) {
                error = -EPIPE;
                break;
            }
            demand.least = 1;
            long result = fill(pipe, (const uint8_t *)vector[i].base + taken, vector[i].length - taken);
            if (result < 0) {
                error = result;
                break;
            }
            taken += (size_t)result;
            done += result;
        }
    }
    if (done) wait_queue_wake(&pipe->readers, -1);
    if (error == -EPIPE && signal_raise) signal_raise(SIGPIPE);
    return done ? done : error;
}

static long pipe_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)position;
    return pipe_take(file->data, file->flags, vector, count);
}

static long pipe_write(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)position;
    return pipe_give(file->data, file->flags, vector, count);
}

static unsigned read_poll(struct file *file, struct poll_wait *wait) {
    struct pipe *pipe = file->data;
    poll_wait_add(wait, &pipe->readers);
    return (pipe->tail != pipe->head ? POLLIN | POLLRDNORM : 0) | (pipe->writing ? 0 : POLLHUP);
}

static unsigned write_poll(struct file *file, struct poll_wait *wait) {
    struct pipe *pipe = file->data;
    poll_wait_add(wait, &pipe->writers);
    if (!pipe->reading) return POLLOUT | POLLWRNORM | POLLERR;
    return pipe->room - (pipe->tail - pipe->head) >= PIPE_BUF ? POLLOUT | POLLWRNORM : 0;
}

long pipe_control(struct pipe *pipe, unsigned long request, unsigned long argument) {
    int available = (int)(pipe->tail - pipe->head);
    return request == FIONREAD ? user_copy_out((void *)argument, &available, sizeof available) : -ENOTTY;
}

static long pipe_ioctl(struct file *file, unsigned long request, unsigned long argument) { return pipe_control(file->data, request, argument); }

static long resize(struct pipe *pipe, unsigned long wanted) {
    uint32_t room = PAGE_SIZE, held = pipe->tail - pipe->head;
    if (wanted > PIPE_ROOM_MOST) return -EPERM;
    while (room < wanted) room *= 2;
    if (held > room) return -EBUSY;
    if (room < pipe->size && !move(pipe, room)) return -ENOMEM;
    pipe->room = room;
    wait_queue_wake(&pipe->writers, -1);
    return room;
}

long pipe_size_command(struct pipe *pipe, unsigned command, unsigned long argument) {
    return command == F_GETPIPE_SZ ? (long)pipe->room : command == F_SETPIPE_SZ ? resize(pipe, argument) : -EINVAL;
}

static long pipe_fcntl(struct file *file, unsigned command, unsigned long argument) { return pipe_size_command(file->data, command, argument); }

static int pipe_stat(struct file *file, struct linux_stat *out) {
    struct process *process = current_process();
    out->mode = S_IFIFO | 0600;
    out->ino = ((struct pipe *)file->data)->serial;
    out->dev = 13;
    out->uid = process->credentials.euid;
    out->gid = process->credentials.egid;
    return 0;
}

bool pipe_leave(struct pipe *pipe, bool reader, bool writer) {
    pipe->reading -= reader;
    pipe->writing -= writer;
    if (pipe->reading || pipe->writing) {
        wait_queue_wake(&pipe->readers, -1);
        wait_queue_wake(&pipe->writers, -1);
        return false;
    }
    pipe_free(pipe);
    return true;
}

static void read_close(struct file *file) { pipe_leave(file->data, true, false); }
static void write_close(struct file *file) { pipe_leave(file->data, false, true); }

static const struct file_ops read_ops = {
    .kind = "pipe", .read = pipe_read, .ioctl = pipe_ioctl, .fcntl = pipe_fcntl, .stat = pipe_stat, .poll = read_poll, .close = read_close,
};
static const struct file_ops write_ops = {
    .kind = "pipe", .write = pipe_write, .ioctl = pipe_ioctl, .fcntl = pipe_fcntl, .stat = pipe_stat, .poll = write_poll, .close = write_close,
};

struct pipe *fifo_pipe(const struct file *) __attribute__((weak)); /* by `fifo`: NULL when it is none */

struct pipe *pipe_of_file(struct file *file) {
    if (file->ops == &read_ops || file->ops == &write_ops) return file->data;
    return fifo_pipe ? fifo_pipe(file) : NULL;
}

long pipe_wait_data(struct pipe *pipe, bool may_wait) {
    int error = can_read(pipe) ? 0 : may_wait ? wait_until(&pipe->readers, can_read, pipe, 0, true) : -EAGAIN;
    return error ? error : (long)(pipe->tail - pipe->head);
}

long pipe_wait_room(struct pipe *pipe, bool may_wait) {
    struct demand demand = { pipe, 1 };
    int error = can_write(&demand) ? 0 : may_wait ? wait_until(&pipe->writers, can_write, &demand, 0, true) : -EAGAIN;
    if (error || pipe->reading) return error ? error : (long)pipe_room(pipe);
    if (signal_raise) signal_raise(SIGPIPE);
    return -EPIPE;
}

struct pipe *pipe_create(void) {
    static uint64_t serial = 1;
    struct pipe *pipe = kzalloc(sizeof *pipe);
    if (!pipe) return NULL;
    pipe->room = memory_total() < (8u << 20) ? PIPE_BUF : PIPE_ROOM;
    pipe->size = PAGE_SIZE;
    pipe->ring = kmalloc(pipe->size);
    pipe->serial = serial++;
    if (pipe->ring) return pipe;
    kfree(pipe);
    return NULL;
}

void pipe_free(struct pipe *pipe) {
    kfree(pipe->ring);
    kfree(pipe);
}

/* Both ends, one reference each; 0 or -ENOMEM. */
static int create(uint32_t flags, struct file *ends[2]) {
    struct pipe *pipe = pipe_create();
    if (!pipe) return -ENOMEM;
    pipe->reading = pipe->writing = 1;
    ends[0] = file_create(&read_ops, O_RDONLY | flags, pipe);
    if (!ends[0]) {
        pipe_free(pipe);
        return -ENOMEM;
    }
    ends[1] = file_create(&write_ops, O_WRONLY | flags, pipe);
    if (ends[1]) return 0;
    pipe->writing = 0;
    file_put(ends[0]); /* takes the pipe along */
    return -ENOMEM;
}

SYSCALL_DEFINE(pipe2, int *out, int flags) {
    if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) return -EINVAL;
    if (flags & O_DIRECT) return -EINVAL; /* packet mode: not here */
    struct file *ends[2];
    int numbers[2], error = create(flags & O_NONBLOCK, ends);
    if (error) return error;
    numbers[0] = file_install(ends[0], 0, flags & O_CLOEXEC);
    numbers[1] = numbers[0] < 0 ? numbers[0] : file_install(ends[1], 0, flags & O_CLOEXEC);
    if (numbers[1] < 0) {
        if (numbers[0] >= 0) file_uninstall(numbers[0]);
        else file_put(ends[0]);
        file_put(ends[1]);
        return numbers[1];
    }
    if (!user_copy_out(out, numbers, sizeof numbers)) return 0;
    file_uninstall(numbers[0]);
    file_uninstall(numbers[1]);
    return -EFAULT;
}

SYSCALL_DEFINE(pipe, int *out) {
    return sys_pipe2(out, 0);
}

/*
 * Pipes. Owns one ring of bytes and the two files of pipe(2), one an end; `fifo` makes files of its own over the same ring. Readers and
 * writers sleep on a queue each. Writes of at most PIPE_BUF bytes are whole (pipe(7)); in packet mode, which is the writing file's O_DIRECT, each
 * piece of so many bytes is read by itself. The last writer gone: end of file; the last reader
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
/* Where in a program's vector a copy stands. */
struct cursor { const struct iovec *vector; int left; size_t offset; };

static bool can_read(void *argument) {
    struct pipe *pipe = argument;
    return pipe->tail != pipe->head || !pipe->writing;
}

static bool can_write(void *argument) {
    struct demand *demand = argument;
    struct pipe *pipe = demand->pipe;
    return pipe_room(pipe) >= demand->least || !pipe->reading;
}

static bool cursor_at(struct cursor *cursor, uint8_t **program, size_t *size) {
    while (cursor->left && cursor->offset == cursor->vector->length) cursor->vector++, cursor->left--, cursor->offset = 0;
    if (!cursor->left) return false;
    *program = (uint8_t *)cursor->vector->base + cursor->offset;
    *size = cursor->vector->length - cursor->offset;
    return true;
}

/* Whether the first packet has been read from; 0: it begins at the head, or behind it. */
static bool is_begun(const struct pipe *pipe) { return pipe->first && (int32_t)(pipe->head - pipe->first->begin) > 0; }

static void drop_packet(struct pipe *pipe) {
    struct pipe_packet *packet = pipe->first;
    pipe->first = packet->next;
    pipe->packets--;
    kfree(packet);
}

/* What fits, up to the end of the first packet, whose rest is lost then; bytes or -EFAULT. */
static long empty(struct pipe *pipe, struct cursor to) {
    long done = 0;
    uint8_t *program;
    size_t size;
    uint32_t end = pipe->first ? pipe->first->end : pipe->tail;
    while (pipe->head != end && cursor_at(&to, &program, &size)) {
        uint32_t at = pipe->head & (pipe->size - 1), piece = pipe->size - at;
        if (piece > end - pipe->head) piece = end - pipe->head;
        if (piece > size) piece = (uint32_t)size;
        if (user_copy_out(program, pipe->ring + at, piece)) return done ? done : -EFAULT;
        pipe->head += piece;
        to.offset += piece;
        done += piece;
    }
    if (!is_begun(pipe)) return done;
    pipe->head = end;
    drop_packet(pipe);
    return done;
}

long pipe_take(struct pipe *pipe, uint32_t flags, const struct iovec *vector, int count) {
    size_t wanted = 0;
    for (int i = 0; i < count; i++) wanted += vector[i].length;
    if (!wanted) return 0;
    for (;;) {
        if (!can_read(pipe)) {
            if (flags & O_NONBLOCK) return -EAGAIN;
            int error = wait_until(&pipe->readers, can_read, pipe, 0, true);
            if (error) return error;
        }
        turn_take(&pipe->turn);
        if (can_read(pipe)) break; /* who had it before may have taken all */
        turn_end(&pipe->turn);
    }
    long done = empty(pipe, (struct cursor){ vector, count, 0 });
    turn_end(&pipe->turn);
    if (done > 0) wait_queue_wake(&pipe->writers, -1);
    return done;
}

size_t pipe_look(const struct pipe *pipe, uint32_t offset, uint8_t *to, size_t size, bool *of_packet) {
    uint32_t at = pipe->head + offset, held = pipe->tail - at;
    const struct pipe_packet *packet = pipe->first;
    while (packet && (int32_t)(packet->end - at) <= 0) packet = packet->next;
    *of_packet = packet && (int32_t)(at - packet->begin) >= 0;
    if (packet) held = (*of_packet ? packet->end : packet->begin) - at;
    if (size > held) size = held;
    for (size_t i = 0; i < size; i++) to[i] = pipe->ring[(at + i) & (pipe->size - 1)];
    return size;
}

void pipe_skip(struct pipe *pipe, uint32_t head, size_t size) {
    turn_take(&pipe->turn);
    if (pipe->head == head) {
        pipe->head += (uint32_t)size;
        while (pipe->first && (int32_t)(pipe->head - pipe->first->end) >= 0) drop_packet(pipe);
        wait_queue_wake(&pipe->writers, -1);
    }
    turn_end(&pipe->turn);
}

/* What it holds moves into a ring of another size; positions stay. */
static bool move(struct pipe *pipe, uint32_t size) {
    uint8_t *ring = kmalloc(size);
    if (!ring) return false;
    for (uint32_t at = pipe->head; at != pipe->tail; at++) ring[at & (size - 1)] = pipe->ring[at & (pipe->size - 1)];
    kfree(pipe->ring);
    pipe->ring = ring;
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

/* Copies what fits of the next `size` bytes; bytes or -EFAULT. */
static long fill(struct pipe *pipe, struct cursor *from, size_t size) {
    long done = 0;
    uint8_t *program;
    size_t here;
    if (pipe->size < pipe->room && size > pipe->size - (pipe->tail - pipe->head)) grow(pipe, size);
    while (size && pipe->tail - pipe->head < pipe->room && cursor_at(from, &program, &here)) {
        uint32_t at = pipe->tail & (pipe->size - 1), piece = pipe->size - at, fits = pipe->room - (pipe->tail - pipe->head);
        if (piece > fits) piece = fits;
        if (piece > here) piece = (uint32_t)here;
        if (piece > size) piece = (uint32_t)size;
        if (user_copy_in(pipe->ring + at, program, piece)) return done ? done : -EFAULT;
        pipe->tail += piece;
        from->offset += piece;
        size -= piece;
        done += (long)piece;
    }
    return done;
}

/* The same as a packet. */
static long fill_packet(struct pipe *pipe, struct cursor *from, size_t size) {
    struct pipe_packet *packet = kmalloc(sizeof *packet);
    if (!packet) return -ENOMEM;
    *packet = (struct pipe_packet){ NULL, pipe->tail, pipe->tail };
    long done = fill(pipe, from, size);
    if (done <= 0) {
        kfree(packet);
        return done;
    }
    packet->end = pipe->tail;
    *(pipe->first ? &pipe->last->next : &pipe->first) = packet;
    pipe->last = packet;
    pipe->packets++;
    return done;
}

long pipe_give(struct pipe *pipe, uint32_t flags, const struct iovec *vector, int count) {
    size_t total = 0;
    for (int i = 0; i < count; i++) total += vector[i].length;
    if (!total) return 0;
    struct demand demand = { pipe, total <= PIPE_BUF ? (uint32_t)total : 1 };
    struct cursor from = { vector, count, 0 };
    size_t done = 0;
    long error = 0;
    turn_take(&pipe->turn);
    while (done < total && !error) {
        size_t piece = total - done;
        if (flags & O_DIRECT) demand.least = (uint32_t)(piece = piece < PIPE_BUF ? piece : PIPE_BUF);
        if (!can_write(&demand)) {
            turn_end(&pipe->turn);
            if (done) wait_queue_wake(&pipe->readers, -1);
            error = flags & O_NONBLOCK ? -EAGAIN : wait_until(&pipe->writers, can_write, &demand, 0, true);
            turn_take(&pipe->turn);
            continue;
        }
        long result = !pipe->reading ? -EPIPE : flags & O_DIRECT ? fill_packet(pipe, &from, piece) : fill(pipe, &from, piece);
        if (result < 0) error = result;
        else done += (size_t)result;
        demand.least = 1;
    }
    turn_end(&pipe->turn);
    if (done) wait_queue_wake(&pipe->readers, -1);
    if (error == -EPIPE && signal_raise) signal_raise(SIGPIPE);
    return done ? (long)done : error;
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
    return pipe_writable(pipe) ? POLLOUT | POLLWRNORM : 0;
}

long pipe_control(struct pipe *pipe, unsigned long request, unsigned long argument) {
    int available = (int)(pipe->tail - pipe->head);
    return request == FIONREAD ? user_copy_out((void *)argument, &available, sizeof available) : -ENOTTY;
}

static long pipe_ioctl(struct file *file, unsigned long request, unsigned long argument) { return pipe_control(file->data, request, argument); }

static long resize(struct pipe *pipe, unsigned long wanted) {
    uint32_t room = PAGE_SIZE;
    if (wanted > PIPE_ROOM_MOST) return -EPERM;
    while (room < wanted) room *= 2;
    turn_take(&pipe->turn);
    int error = pipe->tail - pipe->head > room || pipe->packets > room / PAGE_SIZE ? -EBUSY : room < pipe->size && !move(pipe, room) ? -ENOMEM : 0;
    if (!error) pipe->room = room;
    turn_end(&pipe->turn);
    if (error) return error;
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
    while (pipe->first) drop_packet(pipe);
    kfree(pipe->ring);
    kfree(pipe);
}

/* Both ends, one reference each; 0 or -ENOMEM. flags: O_NONBLOCK, and for the writing end O_DIRECT. */
static int create(uint32_t flags, struct file *ends[2]) {
    struct pipe *pipe = pipe_create();
    if (!pipe) return -ENOMEM;
    pipe->reading = pipe->writing = 1;
    ends[0] = file_create(&read_ops, O_RDONLY | (flags & O_NONBLOCK), pipe);
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
    struct file *ends[2];
    int numbers[2], error = create((uint32_t)flags & (O_NONBLOCK | O_DIRECT), ends);
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

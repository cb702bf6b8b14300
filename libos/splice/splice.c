/*
 * splice(2), tee(2), vmsplice(2): bytes between a pipe and something else. Owns nothing that outlives a call. Nothing is moved by reference: bytes go
 * through a buffer. From a pipe they are looked at, written, and only then taken, so what the other side did not accept stays where it was.
 */
#include "abi/linux_file.h"
#include "file/file.h"
#include "memory/memory.h"
#include "pipe/pipe.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { SPLICE_F_NONBLOCK = 2, SPLICE_F_ALL = 15, BUFFER_PAGES = 4 };
#define MOST 0x7ffff000ul

struct transfer { struct file *in, *out; int64_t in_at, out_at; size_t size; bool may_wait; }; /* at: -1: the file's own position */

static long with_own_memory(long (*call)(struct file *, const struct iovec *, int, int64_t), struct file *file, void *memory, size_t size, int64_t at) {
    struct iovec one = {memory, size};
    bool before = current_thread()->own_memory;
    current_thread()->own_memory = true;
    long result = call(file, &one, 1, at);
    current_thread()->own_memory = before;
    return result;
}

static long put(struct pipe *pipe, void *buffer, size_t size, bool packet) {
    struct iovec one = {buffer, size};
    bool before = current_thread()->own_memory;
    current_thread()->own_memory = true;
    long result = pipe_give(pipe, packet ? O_NONBLOCK | O_DIRECT : O_NONBLOCK, &one, 1);
    current_thread()->own_memory = before;
    return result;
}

static long from_pipe(struct pipe *pipe, const struct transfer *t, uint8_t *buffer, bool out_is_pipe) {
    struct pipe *target = out_is_pipe ? pipe_of_file(t->out) : NULL;
    long done = 0, result = pipe_wait_data(pipe, t->may_wait);
    if (result <= 0) return result;
    while ((size_t)done < t->size) {
        uint32_t head = pipe->head, held = pipe->tail - head;
        size_t piece = t->size - (size_t)done < BUFFER_PAGES * PAGE_SIZE ? t->size - (size_t)done : BUFFER_PAGES * PAGE_SIZE;
        bool packet;
        if (!held) break;
        if (target) {
            long room = done && pipe_room(target) == 0 ? 0 : pipe_wait_room(target, t->may_wait);
            if (room <= 0) return done ? done : room;
            if (piece > (size_t)room) piece = (size_t)room;
            piece = pipe_look(pipe, 0, buffer, piece, &packet);
            result = put(target, buffer, piece, packet);
        } else {
            piece = pipe_look(pipe, 0, buffer, piece, &packet);
            result = with_own_memory(t->out->ops->write, t->out, buffer, piece, t->out_at < 0 ? -1 : t->out_at + done);
        }
        if (result <= 0) break;
        pipe_skip(pipe, head, (size_t)result);
        done += result;
        if ((size_t)result < piece) break;
    }
    return done ? done : result;
}

static long to_pipe(struct pipe *pipe, const struct transfer *t, uint8_t *buffer) {
    long done = 0, result = 0;
    while ((size_t)done < t->size) {
        long room = done && pipe_room(pipe) == 0 ? 0 : pipe_wait_room(pipe, t->may_wait);
        if (room <= 0) return done ? done : room;
        size_t piece = t->size - (size_t)done;
        if (piece > BUFFER_PAGES * PAGE_SIZE) piece = BUFFER_PAGES * PAGE_SIZE;
        if (piece > (size_t)room) piece = (size_t)room;
        result = with_own_memory(t->in->ops->read, t->in, buffer, piece, t->in_at < 0 ? -1 : t->in_at + done);
        if (result <= 0) break;
        size_t got = (size_t)result;
        result = put(pipe, buffer, got, false); /* there is room for all of it, unless another writer came while the read slept */
        if (t->in->ops->seek && t->in_at < 0 && result < (long)got) t->in->position -= (int64_t)got - (result > 0 ? result : 0);
        if (result <= 0) break;
        done += result;
        if (!t->in->ops->seek || (size_t)result < got || got < piece) break; /* a stream gives what it has now */
    }
    return done ? done : result;
}

/* A position in program memory, for what has positions. */
static long offset_in(const struct file *file, bool is_pipe, const int64_t *program, int64_t *out) {
    *out = -1;
    if (!program) return 0;
    if (is_pipe) return -ESPIPE;
    if (!file->ops->seek) return -EINVAL;
    if (user_copy_in(out, program, sizeof *out)) return -EFAULT;
    return *out < 0 ? -EINVAL : 0;
}

SYSCALL_DEFINE(splice, int in, int64_t *in_offset, int out, int64_t *out_offset, size_t size, unsigned flags) {
    if (!size) return 0;
    if (flags & ~(unsigned)SPLICE_F_ALL) return -EINVAL;
    struct transfer t = {.in = file_lookup(in), .out = file_lookup(out), .size = size < MOST ? size : MOST};
    if (!t.in || !t.out || (t.in->flags & O_ACCMODE) == O_WRONLY || (t.out->flags & O_ACCMODE) == O_RDONLY) return -EBADF;
    struct pipe *source = pipe_of_file(t.in), *target = pipe_of_file(t.out);
    t.may_wait = !(flags & SPLICE_F_NONBLOCK) && !(source && t.in->flags & O_NONBLOCK) && !(target && t.out->flags & O_NONBLOCK);
    long result = offset_in(t.in, source, in_offset, &t.in_at);
    if (!result) result = offset_in(t.out, target, out_offset, &t.out_at);
    if (result) return result;
    if ((!source && !target) || source == target) return -EINVAL;
    if (!t.in->ops->read || !t.out->ops->write || (!target && t.out->flags & O_APPEND)) return -EINVAL;
    uint8_t *buffer = pages_alloc(BUFFER_PAGES);
    if (!buffer) return -ENOMEM;
    file_get(t.in);
    file_get(t.out);
    result = source ? from_pipe(source, &t, buffer, target) : to_pipe(target, &t, buffer);
    file_put(t.out);
    file_put(t.in);
    pages_free(buffer, BUFFER_PAGES);
    if (result <= 0) return result;
    t.in_at += result;
    t.out_at += result;
    if (in_offset && user_copy_out(in_offset, &t.in_at, sizeof t.in_at)) return -EFAULT;
    return out_offset && user_copy_out(out_offset, &t.out_at, sizeof t.out_at) ? -EFAULT : result;
}

SYSCALL_DEFINE(tee, int in, int out, size_t size, unsigned flags) {
    struct file *from = file_lookup(in), *to = file_lookup(out);
    if (flags & ~(unsigned)SPLICE_F_ALL) return -EINVAL;
    if (!size) return 0;
    if (!from || !to || (from->flags & O_ACCMODE) == O_WRONLY || (to->flags & O_ACCMODE) == O_RDONLY) return -EBADF;
    struct pipe *source = pipe_of_file(from), *target = pipe_of_file(to);
    if (!source || !target || source == target) return -EINVAL;
    bool may_wait = !(flags & SPLICE_F_NONBLOCK) && !((from->flags | to->flags) & O_NONBLOCK);
    file_get(from);
    file_get(to);
    long result = pipe_wait_data(source, may_wait), room = result > 0 ? pipe_wait_room(target, may_wait) : 0;
    if (result > 0 && room <= 0) result = room;
    if (result > 0) {
        size_t most = size < (size_t)result ? size : (size_t)result, done = 0;
        if (most > (size_t)room) most = (size_t)room;
        uint8_t *buffer = kmalloc(most);
        result = buffer ? 0 : -ENOMEM;
        while (result >= 0 && done < most) {
            bool packet;
            size_t piece = pipe_look(source, (uint32_t)done, buffer, most - done, &packet);
            if (!piece || (result = put(target, buffer, piece, packet)) <= 0) break;
            done += (size_t)result;
        }
        if (done) result = (long)done;
        kfree(buffer);
    }
    file_put(to);
    file_put(from);
    return result;
}

SYSCALL_DEFINE(vmsplice, int descriptor, const struct iovec *program, unsigned long count, unsigned flags) {
    struct file *file = file_lookup(descriptor);
    struct iovec few[8], *vector = few;
    if (flags & ~(unsigned)SPLICE_F_ALL) return -EINVAL;
    struct pipe *pipe = file ? pipe_of_file(file) : NULL;
    if (!pipe) return -EBADF;
    if (count > FILE_MAX_IOVECS) return -EINVAL;
    if (count > 8 && !(vector = kmalloc(count * sizeof *vector))) return -ENOMEM;
    bool may_wait = !(flags & SPLICE_F_NONBLOCK) && !(file->flags & O_NONBLOCK);
    size_t total = 0;
    long result = user_copy_in(vector, program, count * sizeof *vector) ? -EFAULT : 0;
    for (unsigned long i = 0; i < count && !result; i++)
        if (__builtin_add_overflow(total, vector[i].length, &total) || total > MOST) result = -EINVAL;
    file_get(file);
    if (!result && total && (file->flags & O_ACCMODE) == O_RDONLY) {
        result = pipe_take(pipe, may_wait ? 0 : O_NONBLOCK, vector, (int)count);
    } else if (!result && total) { /* as much as there is room for, once there is some */
        result = pipe_wait_room(pipe, may_wait);
        if (result > 0) {
            size_t room = (size_t)result;
            for (unsigned long i = 0; i < count; room -= vector[i++].length)
                if (vector[i].length > room) vector[i].length = room;
            result = pipe_give(pipe, O_NONBLOCK, vector, (int)count);
        }
    }
    file_put(file);
    if (vector != few) kfree(vector);
    return result;
}

/*
 * What read and write calls have in common: lookup, the vector, limits. A transfer goes to the file's ops with the vector in
 * libOS memory; what the vector points at is program memory, which only user_copy_* may touch.
 */
#include "file/internal.h"
#include "memory/memory.h"

#pragma weak pages_alloc
#pragma weak pages_free

#define VECTOR_ON_STACK 8
#define VECTOR_PAGES (FILE_MAX_IOVECS * sizeof(struct iovec) / PAGE_SIZE)

/* The file stays while the transfer sleeps, even when another thread closes the descriptor. */
static long held(struct file *file, const struct iovec *vector, int count, int64_t position, file_transfer transfer) {
    file_get(file);
    long result = transfer(file, vector, count, position);
    file_put(file);
    return result;
}

long file_single(int descriptor, void *buffer, size_t size, int64_t position, file_transfer transfer) {
    struct file *file = file_lookup(descriptor);
    if (!file) return -EBADF;
    struct iovec one = { buffer, size > FILE_TRANSFER_MAX ? FILE_TRANSFER_MAX : size };
    return held(file, &one, 1, position, transfer);
}

static long checked(struct file *file, struct iovec *vector, const struct iovec *program, unsigned count, int64_t position,
                    file_transfer transfer) {
    if (user_copy_in(vector, program, count * sizeof *vector)) return -EFAULT;
    size_t room = FILE_TRANSFER_MAX;
    for (unsigned i = 0; i < count; i++) {
        if ((intptr_t)vector[i].length < 0) return -EINVAL;
        if (vector[i].length > room) vector[i].length = room;
        room -= vector[i].length;
    }
    return held(file, vector, (int)count, position, transfer);
}

/* Without the page allocator there is one thread, whose transfers never sleep: one long vector at a time. */
static struct iovec only_vector[FILE_MAX_IOVECS];

long file_vector(struct file *file, const struct iovec *program, unsigned long count, int64_t position, file_transfer transfer) {
    if (!file) return -EBADF;
    if (count > FILE_MAX_IOVECS) return -EINVAL;
    struct iovec few[VECTOR_ON_STACK], *vector = few;
    if (count > VECTOR_ON_STACK) vector = pages_alloc ? pages_alloc(VECTOR_PAGES) : only_vector;
    if (!vector) return -ENOMEM;
    long result = checked(file, vector, program, (unsigned)count, position, transfer);
    if (pages_free && vector != few) pages_free(vector, VECTOR_PAGES);
    return result;
}

/* A call's RWF_* flags for as long as it runs: NOWAIT is O_NONBLOCK, APPEND, DSYNC and SYNC likewise; HIPRI asks for what is so anyway. */
static uint32_t lend_flags(struct file *file, int flags) {
    uint32_t before = file->flags;
    file_get(file);
    if (flags & RWF_NOWAIT) file->flags |= O_NONBLOCK;
    if (flags & RWF_APPEND) file->flags |= O_APPEND;
    if (flags & RWF_DSYNC) file->flags |= O_DSYNC;
    if (flags & RWF_SYNC) file->flags |= O_SYNC;
    return before;
}

static long take_back_flags(struct file *file, uint32_t before, long result) {
    const uint32_t lent = O_NONBLOCK | O_APPEND | O_SYNC;
    file->flags = (file->flags & ~lent) | (before & lent);
    file_put(file);
    return result;
}

long file_vector_with(struct file *file, const struct iovec *program, unsigned long count, int64_t position, int flags, file_transfer transfer) {
    if (!file) return -EBADF;
    uint32_t before = lend_flags(file, flags);
    return take_back_flags(file, before, file_vector(file, program, count, position, transfer));
}

long file_single_with(struct file *file, void *buffer, size_t size, int64_t position, int flags, file_transfer transfer) {
    struct iovec one = { buffer, size > FILE_TRANSFER_MAX ? FILE_TRANSFER_MAX : size };
    uint32_t before = lend_flags(file, flags);
    return take_back_flags(file, before, transfer(file, &one, 1, position));
}

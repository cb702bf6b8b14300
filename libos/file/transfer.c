/*
 * What read and write calls have in common: lookup, the vector, limits. A transfer goes to the file's ops with the vector in
 * libOS memory; what the vector points at is program memory, which only user_copy_* may touch.
 */
#include "file/internal.h"
#include "memory/memory.h"

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

long file_vector(struct file *file, const struct iovec *program, unsigned long count, int64_t position, file_transfer transfer) {
    if (!file) return -EBADF;
    if (count <= VECTOR_ON_STACK) {
        struct iovec vector[VECTOR_ON_STACK];
        return checked(file, vector, program, (unsigned)count, position, transfer);
    }
    if (count > FILE_MAX_IOVECS) return -EINVAL;
    struct iovec *vector = pages_alloc(VECTOR_PAGES);
    if (!vector) return -ENOMEM;
    long result = checked(file, vector, program, (unsigned)count, position, transfer);
    pages_free(vector, VECTOR_PAGES);
    return result;
}

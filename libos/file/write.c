/* The calls that write. All end in file_write. */
#include "file/internal.h"

long file_write(struct file *file, const struct iovec *vector, int count, int64_t position) {
    if ((file->flags & O_ACCMODE) == O_RDONLY) return -EBADF;
    if (!file->ops->write) return -EINVAL;
    if (position >= 0 && !file->ops->seek) return -ESPIPE;
    long result = file->ops->write(file, vector, count, position);
    if (file_transferred) file_transferred(true, result);
    return result;
}

SYSCALL_DEFINE(write, int descriptor, const void *buffer, size_t size) {
    return file_single(descriptor, (void *)buffer, size, -1, file_write);
}

SYSCALL_DEFINE(writev, int descriptor, const struct iovec *vector, unsigned long count) {
    return file_vector(file_lookup(descriptor), vector, count, -1, file_write);
}

SYSCALL_DEFINE(pwrite64, int descriptor, const void *buffer, size_t size, int64_t position) {
    return position < 0 ? -EINVAL : file_single(descriptor, (void *)buffer, size, position, file_write);
}

SYSCALL_DEFINE(pwritev, int descriptor, const struct iovec *vector, unsigned long count, int64_t position) {
    return position < 0 ? -EINVAL : file_vector(file_lookup(descriptor), vector, count, position, file_write);
}

SYSCALL_DEFINE(pwritev2, int descriptor, const struct iovec *vector, unsigned long count, int64_t position, long high, int flags) {
    (void)high; /* the upper half on 32-bit machines */
    if (flags & ~RWF_WRITES) return -EOPNOTSUPP;
    if (position < -1) return -EINVAL;
    return file_vector_with(file_lookup(descriptor), vector, count, position, flags, file_write);
}

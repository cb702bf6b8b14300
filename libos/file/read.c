/* The calls that read. All end in file_read, which brings the console's input side into the image: descriptor 0 is there for all. */
#include "file/internal.h"
#include "init/init.h"
#include "input/input.h"

long file_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    HULL_NEEDS(input_component);
    if ((file->flags & O_ACCMODE) == O_WRONLY) return -EBADF;
    if (!file->ops->read) return -EINVAL;
    if (position >= 0 && !file->ops->seek) return -ESPIPE;
    long result = file->ops->read(file, vector, count, position);
    if (file_transferred) file_transferred(false, result);
    return result;
}

SYSCALL_DEFINE(read, int descriptor, void *buffer, size_t size) {
    return file_single(descriptor, buffer, size, -1, file_read);
}

SYSCALL_DEFINE(readv, int descriptor, const struct iovec *vector, unsigned long count) {
    return file_vector(file_lookup(descriptor), vector, count, -1, file_read);
}

SYSCALL_DEFINE(pread64, int descriptor, void *buffer, size_t size, int64_t position) {
    return position < 0 ? -EINVAL : file_single(descriptor, buffer, size, position, file_read);
}

SYSCALL_DEFINE(preadv, int descriptor, const struct iovec *vector, unsigned long count, int64_t position) {
    return position < 0 ? -EINVAL : file_vector(file_lookup(descriptor), vector, count, position, file_read);
}

SYSCALL_DEFINE(preadv2, int descriptor, const struct iovec *vector, unsigned long count, int64_t position, long high, int flags) {
    (void)high; /* the upper half on 32-bit machines */
    if (flags & ~RWF_READS) return -EOPNOTSUPP;
    if (position < -1) return -EINVAL;
    return file_vector_with(file_lookup(descriptor), vector, count, position, flags, file_read);
}

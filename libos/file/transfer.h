/* Transfers on behalf of other calls than the file component's own: `aio`. Context: calls; the file stays while a transfer sleeps. */
#ifndef HULL_FILE_TRANSFER_H
#define HULL_FILE_TRANSFER_H
#include "file/file.h"

/* What the reading and writing calls end in: checks how the file was opened. As file_ops.read and write. */
typedef long (*file_transfer)(struct file *, const struct iovec *, int, int64_t);
long file_read(struct file *, const struct iovec *, int count, int64_t position);
long file_write(struct file *, const struct iovec *, int count, int64_t position);
/* With flags of this call alone, on a vector or one buffer of the program. file NULL (vector only): -EBADF. */
enum { RWF_DSYNC = 2, RWF_SYNC = 4, RWF_NOWAIT = 8, RWF_APPEND = 16, RWF_READS = 15, RWF_WRITES = 31 }; /* preadv2(2); READS, WRITES: what these take */
long file_vector_with(struct file *file, const struct iovec *program, unsigned long count, int64_t position, int flags, file_transfer transfer);
long file_single_with(struct file *file, void *buffer, size_t size, int64_t position, int flags, file_transfer transfer);
#endif

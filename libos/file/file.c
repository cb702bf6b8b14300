/*
 * Open files. Owns the reference count: who stores a pointer to a file holds a reference; file_lookup's result is borrowed,
 * so a call that may sleep takes one of its own for as long as it runs.
 */
#include "file/internal.h"
#include "init/init.h"
#include "input/input.h"
#include "memory/memory.h"

void epoll_file_gone(struct file *) __attribute__((weak)); /* by `epoll` */

static void release(struct file *file) {
    kfree(file);
}

struct file *file_create(const struct file_ops *ops, uint32_t flags, void *data) {
    struct file *file = kzalloc(sizeof *file);
    if (!file) return NULL;
    file->ops = ops;
    file->references = 1;
    file->flags = flags;
    file->data = data;
    file->release = release;
    return file;
}

void file_get(struct file *file) {
    file->references++;
}

void file_put(struct file *file) {
    if (--file->references) return;
    if (file->watchers && epoll_file_gone) epoll_file_gone(file);
    if (file->ops->close) file->ops->close(file);
    if (file->release) file->release(file);
}

SYSCALL_DEFINE(close, int descriptor) {
    if (!file_lookup_any(descriptor)) return -EBADF;
    file_put(file_table_set(current_process()->files, (uint32_t)descriptor, NULL, false));
    return 0;
}

SYSCALL_DEFINE(ioctl, int descriptor, uint32_t request, unsigned long argument) {
    struct file *file = file_lookup(descriptor);
    if (!file) return -EBADF;
    if (request == FIOCLEX || request == FIONCLEX) {
        table_marks(current_process()->files)[descriptor] = request == FIOCLEX;
        return 0;
    }
    if (request == FIONBIO || (request == FIOASYNC && file->ops->poll)) { /* O_ASYNC is kept; nobody sends SIGIO */
        uint32_t flag = request == FIONBIO ? O_NONBLOCK : O_ASYNC;
        int on;
        if (user_copy_in(&on, (const void *)argument, sizeof on)) return -EFAULT;
        file->flags |= flag;
        if (!on) file->flags ^= flag;
        return 0;
    }
    if (!file->ops->ioctl) return -ENOTTY;
    file_get(file);
    long result = file->ops->ioctl(file, request, argument);
    file_put(file);
    return result;
}

SYSCALL_DEFINE(lseek, int descriptor, int64_t offset, int whence) {
    struct file *file = file_lookup(descriptor);
    if (!file) return -EBADF;
    return file->ops->seek ? file->ops->seek(file, offset, whence) : -ESPIPE;
}

SYSCALL_DEFINE(fstat, int descriptor, struct linux_stat *out) {
    HULL_NEEDS(input_component); /* knows what descriptors 0 to 2 are */
    struct file *file = file_lookup_any(descriptor);
    if (!file) return -EBADF;
    struct linux_stat stat = { .nlink = 1, .blksize = 4096 };
    int error = file->ops->stat ? file->ops->stat(file, &stat) : 0;
    return error ? error : user_copy_out(out, &stat, sizeof stat);
}

/*
 * Named pipes (fifo(7)). Owns the list of those that are open: which pipe stands behind which inode. The first opening makes the pipe, the last
 * close drops it with what it holds. An opening for one direction waits until the other is open, or was open since: the counters
 * of openings only grow, so that an end that came and went still wakes it.
 */
#include "abi/linux_file.h"
#include "memory/memory.h"
#include "pipe/pipe.h"
#include "syscall/syscall.h"
#include "vfs/internal.h"

struct fifo {
    struct fifo *next;
    struct inode *inode; /* referenced */
    struct pipe *pipe;   /* its counts of open ends hold the fifo, too */
    uint64_t readers, writers; /* openings so far */
};
/* An open end. `open` comes first, as vfs wants it. */
struct end { struct open_file open; struct fifo *fifo; uint64_t writers_before; bool reads, writes; };
static struct fifo *fifos;

static struct fifo *find_or_make(struct inode *inode) {
    for (struct fifo *fifo = fifos; fifo; fifo = fifo->next)
        if (fifo->inode == inode) return fifo;
    struct fifo *fifo = kzalloc(sizeof *fifo);
    if (!fifo) return NULL;
    fifo->pipe = pipe_create();
    if (!fifo->pipe) {
        kfree(fifo);
        return NULL;
    }
    inode_get(fifo->inode = inode);
    fifo->next = fifos;
    return fifos = fifo;
}

static void leave(struct end *end) {
    struct fifo *fifo = end->fifo, **link = &fifos;
    if (pipe_leave(fifo->pipe, end->reads, end->writes)) {
        while (*link != fifo) link = &(*link)->next;
        *link = fifo->next;
        inode_put(fifo->inode);
        kfree(fifo);
    }
}

static struct pipe *pipe_of(struct file *file) { return ((struct end *)file->data)->fifo->pipe; }

static long fifo_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    struct end *end = file->data;
    (void)position;
    return end->reads ? pipe_take(end->fifo->pipe, file->flags, vector, count) : -EBADF;
}

static long fifo_write(struct file *file, const struct iovec *vector, int count, int64_t position) {
    struct end *end = file->data;
    (void)position;
    return end->writes ? pipe_give(end->fifo->pipe, file->flags, vector, count) : -EBADF;
}

static unsigned fifo_poll(struct file *file, struct poll_wait *wait) {
    struct end *end = file->data;
    struct pipe *pipe = end->fifo->pipe;
    unsigned events = 0;
    if (end->reads) {
        poll_wait_add(wait, &pipe->readers);
        if (pipe->tail != pipe->head) events |= POLLIN | POLLRDNORM;
        if (!pipe->writing && end->fifo->writers != end->writers_before) events |= POLLHUP; /* not before the first has come */
    }
    if (end->writes) {
        poll_wait_add(wait, &pipe->writers);
        if (!pipe->reading) events |= POLLERR;
        if (!pipe->reading || pipe_writable(pipe)) events |= POLLOUT | POLLWRNORM;
    }
    return events;
}

static long fifo_ioctl(struct file *file, unsigned long request, unsigned long argument) { return pipe_control(pipe_of(file), request, argument); }
static long fifo_fcntl(struct file *file, unsigned command, unsigned long argument) { return pipe_size_command(pipe_of(file), command, argument); }

static int fifo_stat(struct file *file, struct linux_stat *out) {
    inode_fill_stat(((struct end *)file->data)->open.inode, out);
    return 0;
}

static void fifo_close(struct file *file) {
    struct end *end = file->data;
    leave(end);
    path_put(end->open.path);
    kfree(end);
}

const struct file_ops fifo_ops = {
    .kind = "fifo", .read = fifo_read, .write = fifo_write, .ioctl = fifo_ioctl, .fcntl = fifo_fcntl, .stat = fifo_stat, .poll = fifo_poll,
    .close = fifo_close,
};

struct pipe *fifo_pipe(const struct file *);
struct pipe *fifo_pipe(const struct file *file) { return file->ops == &fifo_ops ? pipe_of((struct file *)file) : NULL; }

struct arrival { const uint64_t *openings; uint64_t before; const uint32_t *there; };

static bool arrived(void *argument) {
    struct arrival *a = argument;
    return *a->there || *a->openings != a->before;
}

/* 0, -ENXIO, -EINTR. */
static int wait_for_other_end(struct end *end, uint32_t flags) {
    struct fifo *fifo = end->fifo;
    if (end->reads == end->writes || (end->reads && flags & O_NONBLOCK)) return 0;
    struct arrival arrival = end->reads ? (struct arrival){ &fifo->writers, fifo->writers, &fifo->pipe->writing }
                                        : (struct arrival){ &fifo->readers, fifo->readers, &fifo->pipe->reading };
    if (arrived(&arrival)) return 0;
    if (flags & O_NONBLOCK) return -ENXIO;
    return wait_until(end->reads ? &fifo->pipe->readers : &fifo->pipe->writers, arrived, &arrival, 0, true);
}

int fifo_open(struct open_file *open, uint32_t flags, struct file **out) {
    uint32_t access = flags & O_ACCMODE;
    if (flags & O_DIRECT) return -EINVAL; /* packet mode can only be switched on later, by fcntl */
    struct end *end = kzalloc(sizeof *end);
    if (!end) return -ENOMEM;
    end->open = *open;
    end->reads = access != O_WRONLY;
    end->writes = access != O_RDONLY;
    struct fifo *fifo = end->fifo = find_or_make(open->inode);
    struct file *file = fifo ? file_create(&fifo_ops, flags | O_LARGEFILE, end) : NULL;
    if (fifo) { /* also where there is no file: the end is left again below */
        fifo->pipe->reading += end->reads;
        fifo->pipe->writing += end->writes;
        end->writers_before = fifo->writers;
    }
    int error = file ? 0 : -ENOMEM;
    if (file) {
        /* Who opens for writing without a reader and may not wait leaves no trace: a reader that waits must not see it. */
        bool refused = access == O_WRONLY && flags & O_NONBLOCK && !fifo->pipe->reading;
        fifo->readers += end->reads;
        fifo->writers += end->writes && !refused;
        if (!refused) {
            wait_queue_wake(&fifo->pipe->readers, -1);
            wait_queue_wake(&fifo->pipe->writers, -1);
        }
        error = wait_for_other_end(end, flags);
    }
    if (!error) {
        *out = file;
        return 0;
    }
    if (fifo) leave(end);
    if (file) kfree(file);
    kfree(end);
    return error;
}

SYSCALL_DEFINE(mknodat, int directory, const char *path, uint32_t mode, uint64_t device) {
    return vfs_make_node_at(directory, path, mode, device);
}

SYSCALL_DEFINE(mknod, const char *path, uint32_t mode, uint64_t device) {
    return vfs_make_node_at(AT_FDCWD, path, mode, device);
}

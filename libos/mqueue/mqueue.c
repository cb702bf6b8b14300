/*
 * POSIX message queues (mq_overview(7)). Owns the queues: names that lead to them, messages by priority, who waits, whom to tell of the first
 * message. A queue lives as long as its name or an open file does.
 */
#include "abi/linux_file.h"
#include "clock/clock.h"
#include "file/file.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "procfs/procfs.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "vfs/vfs.h"

enum { QUEUES_MOST = 256, MESSAGES_MOST = 10, SIZE_MOST = 8192, MESSAGES_ROOT = 65536, SIZE_ROOT = 16777216, PRIORITY_MOST = 32768, SI_MESGQ = -3,
       SIGEV_SIGNAL = 0, SIGEV_NONE = 1, SIGEV_THREAD = 2, COOKIE_SIZE = 32, NOTIFY_WOKENUP = 1, NOTIFY_REMOVED = 2 };
struct linux_mq_attr { int64_t flags, messages_most, size_most, count, reserved[4]; };
struct linux_sigevent { uint64_t value; int32_t number, notify; uint64_t rest[6]; };
struct timespec64 { int64_t seconds, nanoseconds; };

struct message { struct message *next; uint32_t priority; size_t size; uint8_t bytes[]; };
struct queue {
    struct queue *next;      /* of those with a name */
    char *name;              /* NULL: unlinked */
    uint32_t references, mode, uid, gid;
    struct message *first;   /* highest priority, then oldest */
    uint64_t messages_most, size_most, count, bytes, charged;
    struct wait_queue readers, writers;
    uint32_t waiting;        /* calls that wait for a message: they come before a notification */
    int notify_pid;          /* 0: nobody */
    struct linux_sigevent notify;
    struct file *notify_socket; /* SIGEV_THREAD: where the cookie goes; referenced */
    uint8_t cookie[COOKIE_SIZE];
};
static struct queue *queues;
static uint32_t queue_count;
static uint64_t charged_all; /* bytes, of all queues: RLIMIT_MSGQUEUE */

/* Absent where these components are. */
extern __typeof(signal_send) signal_send __attribute__((weak));
/* By whoever has netlink sockets: into the socket's own queue of what it received. C libraries wait there for SIGEV_THREAD. */
void netlink_note(struct file *, const void *bytes, size_t size) __attribute__((weak));
uint64_t limit_message_queues(const struct process *) __attribute__((weak)); /* by `system` */

static const struct credentials *who(void) { return &current_process()->credentials; }

static void notify_end(struct queue *queue, uint8_t why) {
    if (queue->notify_socket) {
        if (why) {
            queue->cookie[COOKIE_SIZE - 1] = why;
            netlink_note(queue->notify_socket, queue->cookie, COOKIE_SIZE);
        }
        file_put(queue->notify_socket);
        queue->notify_socket = NULL;
    }
    queue->notify_pid = 0;
}

/* A message came to an empty queue that nobody waits at: once. */
static void notify(struct queue *queue) {
    struct process *process = queue->notify_pid ? process_find(queue->notify_pid) : NULL;
    if (!queue->notify_pid) return;
    if (process && queue->notify.notify == SIGEV_SIGNAL && signal_send) {
        struct signal_info info = {.number = queue->notify.number, .code = SI_MESGQ};
        info.pid = current_process()->pid;
        info.uid = who()->uid;
        info.value = queue->notify.value;
        signal_send(process, &info);
    }
    notify_end(queue, NOTIFY_WOKENUP);
}

static void queue_put(struct queue *queue) {
    if (--queue->references) return;
    for (struct message *message = queue->first, *next; message; message = next) {
        next = message->next;
        kfree(message);
    }
    charged_all -= queue->charged;
    kfree(queue);
}

static bool can_receive(void *argument) { return ((struct queue *)argument)->first; }
static bool can_send(void *argument) {
    const struct queue *queue = argument;
    return queue->count < queue->messages_most;
}

static unsigned queue_poll(struct file *file, struct poll_wait *wait) {
    struct queue *queue = file->data;
    poll_wait_add(wait, &queue->readers);
    poll_wait_add(wait, &queue->writers);
    return (can_receive(queue) ? POLLIN | POLLRDNORM : 0) | (can_send(queue) ? POLLOUT | POLLWRNORM : 0);
}

static void append_text(char *text, size_t *at, const char *label, uint64_t value, unsigned width) {
    char digits[20];
    unsigned count = 0;
    do digits[count++] = (char)('0' + value % 10);
    while (value /= 10);
    while (*label) text[(*at)++] = *label++;
    for (unsigned i = 0; i < count; i++) text[(*at)++] = digits[count - 1 - i];
    for (unsigned i = count; i < width; i++) text[(*at)++] = ' ';
}

/* What is in it, as in the mqueue file system. */
static long queue_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    const struct queue *queue = file->data;
    char text[128];
    size_t size = 0, from = (size_t)(position < 0 ? file->position : position);
    append_text(text, &size, "QSIZE:", queue->bytes, 10);
    append_text(text, &size, " NOTIFY:", queue->notify_pid ? (uint64_t)queue->notify.notify : 0, 5);
    append_text(text, &size, " SIGNO:", queue->notify_pid && queue->notify.notify == SIGEV_SIGNAL ? (uint64_t)queue->notify.number : 0, 5);
    append_text(text, &size, " NOTIFY_PID:", (uint64_t)queue->notify_pid, 6);
    text[size++] = '\n';
    if (count < 1 || from >= size) return 0;
    size_t piece = size - from < vector[0].length ? size - from : vector[0].length;
    if (user_copy_out(vector[0].base, text + from, piece)) return -EFAULT;
    if (position < 0) file->position += (int64_t)piece;
    return (long)piece;
}

static int64_t queue_seek(struct file *file, int64_t offset, int whence) {
    if (whence == SEEK_CUR) offset += file->position;
    return whence > SEEK_CUR || offset < 0 ? -EINVAL : (file->position = offset);
}

static int queue_stat(struct file *file, struct linux_stat *out) {
    const struct queue *queue = file->data;
    out->mode = S_IFREG | queue->mode;
    out->uid = queue->uid;
    out->gid = queue->gid;
    out->dev = 15;
    out->ino = (uintptr_t)queue >> 4;
    out->size = 80;
    return 0;
}

static void queue_close(struct file *file) {
    struct queue *queue = file->data;
    if (queue->notify_pid == current_process()->pid) notify_end(queue, queue->notify_socket ? NOTIFY_REMOVED : 0);
    queue_put(queue);
}

static const struct file_ops ops = {.kind = "mqueue", .read = queue_read, .seek = queue_seek, .stat = queue_stat, .poll = queue_poll, .close = queue_close};

static struct queue *find(const char *name) {
    for (struct queue *queue = queues; queue; queue = queue->next)
        if (!strcmp(queue->name, name)) return queue;
    return NULL;
}

static int may_open(const struct queue *queue, unsigned access) {
    unsigned wanted = access == O_RDONLY ? 4 : access == O_WRONLY ? 2 : 6, granted = queue->mode;
    if (!who()->euid) return 0;
    if (who()->euid == queue->uid) granted >>= 6;
    else if (who()->egid == queue->gid) granted >>= 3;
    return wanted & ~granted ? -EACCES : 0;
}

static long create(const char *name, uint32_t mode, const struct linux_mq_attr *attributes, struct queue **out) {
    bool root = !who()->euid;
    uint64_t messages = attributes ? (uint64_t)attributes->messages_most : MESSAGES_MOST, size = attributes ? (uint64_t)attributes->size_most : SIZE_MOST;
    if (!messages || !size || messages > (root ? MESSAGES_ROOT : MESSAGES_MOST) || size > (root ? SIZE_ROOT : SIZE_MOST)) return -EINVAL;
    if (queue_count >= QUEUES_MOST && !root) return -ENOSPC;
    uint64_t bytes = messages * (size + sizeof(struct message));
    if (limit_message_queues && charged_all + bytes > limit_message_queues(current_process())) return -EMFILE;
    struct queue *queue = kzalloc(sizeof *queue);
    size_t length = strlen(name) + 1;
    char *copy = queue ? kmalloc(length) : NULL;
    if (!copy) {
        kfree(queue);
        return -ENOMEM;
    }
    memcpy(copy, name, length);
    *queue = (struct queue){.next = queues, .name = copy, .references = 1, .mode = mode & 0777, .uid = who()->euid, .gid = who()->egid,
                            .messages_most = messages, .size_most = size, .charged = bytes};
    charged_all += bytes;
    queue_count++;
    *out = queues = queue;
    return 0;
}

static long name_in(char *name, const char *program) {
    long length = user_string_in(name, program, NAME_MAX + 1);
    if (length < 0) return length;
    if (!length) return -ENOENT;
    for (long i = 0; i < length; i++)
        if (name[i] == '/') return -EACCES;
    return 0;
}

SYSCALL_DEFINE(mq_open, const char *program_name, int flags, uint32_t mode, const struct linux_mq_attr *program_attributes) {
    char name[NAME_MAX + 1];
    struct linux_mq_attr attributes;
    long error = name_in(name, program_name);
    if (error) return error;
    if (program_attributes && user_copy_in(&attributes, program_attributes, sizeof attributes)) return -EFAULT;
    struct queue *queue = find(name);
    if (queue) {
        if (flags & O_CREAT && flags & O_EXCL) return -EEXIST;
        if ((error = may_open(queue, (unsigned)flags & O_ACCMODE))) return error;
    } else {
        if (!(flags & O_CREAT)) return -ENOENT;
        error = create(name, mode & ~(current_process()->view ? current_process()->view->umask : 0), program_attributes ? &attributes : NULL, &queue);
        if (error) return error;
    }
    struct file *file = file_create(&ops, (uint32_t)flags & (O_ACCMODE | O_NONBLOCK), queue);
    if (!file) return -ENOMEM;
    queue->references++;
    int descriptor = file_install(file, 0, 1); /* closed by exec, always (mq_overview(7)) */
    if (descriptor < 0) file_put(file);
    return descriptor;
}

SYSCALL_DEFINE(mq_unlink, const char *program_name) {
    char name[NAME_MAX + 1];
    long error = name_in(name, program_name);
    if (error) return error;
    struct queue **link = &queues;
    while (*link && strcmp((*link)->name, name)) link = &(*link)->next;
    struct queue *queue = *link;
    if (!queue) return -ENOENT;
    if (who()->euid && who()->euid != queue->uid) return -EACCES;
    *link = queue->next;
    kfree(queue->name);
    queue->name = NULL;
    queue_count--;
    queue_put(queue);
    return 0;
}

static struct queue *queue_of(int descriptor, unsigned unwanted, struct file **file) {
    *file = file_lookup(descriptor);
    if (!*file || (*file)->ops != &ops || ((*file)->flags & O_ACCMODE) == unwanted) return NULL;
    return (*file)->data;
}

/* Absolute, of the realtime clock. 0, -EFAULT, -EINVAL. */
static long deadline_in(const struct timespec64 *program, uint64_t *out) {
    struct timespec64 t;
    *out = 0;
    if (!program) return 0;
    if (user_copy_in(&t, program, sizeof t)) return -EFAULT;
    if (t.seconds < 0 || (uint64_t)t.nanoseconds > 999999999) return -EINVAL;
    uint64_t offset = clock_realtime_ns() - clock_monotonic_ns();
    uint64_t at = (uint64_t)(t.seconds > 4000000000 ? 4000000000 : t.seconds) * 1000000000 + (uint64_t)t.nanoseconds;
    *out = at > offset ? at - offset : 1;
    return 0;
}

static int wait_for(struct queue *queue, struct file *file, bool (*condition)(void *), struct wait_queue *waiters, uint64_t deadline) {
    if (condition(queue)) return 0;
    return file->flags & O_NONBLOCK ? -EAGAIN : wait_until(waiters, condition, queue, deadline, true);
}

SYSCALL_DEFINE(mq_timedsend, int descriptor, const void *program, size_t size, unsigned priority, const struct timespec64 *timeout) {
    struct file *file;
    uint64_t deadline;
    if (priority >= PRIORITY_MOST) return -EINVAL;
    long error = deadline_in(timeout, &deadline);
    if (error) return error;
    struct queue *queue = queue_of(descriptor, O_RDONLY, &file);
    if (!queue) return -EBADF;
    if (size > queue->size_most) return -EMSGSIZE;
    struct message *message = kmalloc(sizeof *message + size);
    if (!message) return -ENOMEM;
    message->size = size;
    message->priority = priority;
    file_get(file);
    error = user_copy_in(message->bytes, program, size) ? -EFAULT : wait_for(queue, file, can_send, &queue->writers, deadline);
    if (error) {
        kfree(message);
    } else {
        bool first = !queue->first;
        struct message **link = &queue->first;
        while (*link && (*link)->priority >= priority) link = &(*link)->next;
        message->next = *link;
        *link = message;
        queue->count++;
        queue->bytes += size;
        wait_queue_wake(&queue->readers, -1);
        if (first && !queue->waiting) notify(queue);
    }
    file_put(file);
    return error;
}

SYSCALL_DEFINE(mq_timedreceive, int descriptor, void *program, size_t room, unsigned *program_priority, const struct timespec64 *timeout) {
    struct file *file;
    uint64_t deadline;
    long error = deadline_in(timeout, &deadline);
    if (error) return error;
    struct queue *queue = queue_of(descriptor, O_WRONLY, &file);
    if (!queue) return -EBADF;
    if (room < queue->size_most) return -EMSGSIZE;
    file_get(file);
    queue->waiting++;
    error = wait_for(queue, file, can_receive, &queue->readers, deadline);
    queue->waiting--;
    if (!error) {
        struct message *message = queue->first;
        queue->first = message->next;
        queue->count--;
        queue->bytes -= message->size;
        wait_queue_wake(&queue->writers, -1);
        error = (long)message->size;
        if (program_priority && user_copy_out(program_priority, &message->priority, sizeof message->priority)) error = -EFAULT;
        if (user_copy_out(program, message->bytes, message->size)) error = -EFAULT;
        kfree(message);
    }
    file_put(file);
    return error;
}

/* A cookie for SIGEV_THREAD: the C library's thread reads it from a socket that it gives here. */
static long take_socket(struct queue *queue, const struct linux_sigevent *event) {
    struct file *socket = file_lookup(event->number);
    if (!netlink_note) return -ENOSYS;
    if (!socket) return -EBADF;
    if (user_copy_in(queue->cookie, (const void *)event->value, COOKIE_SIZE)) return -EFAULT;
    file_get(queue->notify_socket = socket);
    return 0;
}

SYSCALL_DEFINE(mq_notify, int descriptor, const struct linux_sigevent *program) {
    struct linux_sigevent event;
    struct file *file;
    int self = current_process()->pid;
    if (program) {
        if (user_copy_in(&event, program, sizeof event)) return -EFAULT;
        if (event.notify != SIGEV_NONE && event.notify != SIGEV_SIGNAL && event.notify != SIGEV_THREAD) return -EINVAL;
        if (event.notify == SIGEV_SIGNAL && (event.number < 0 || event.number > SIGNAL_COUNT)) return -EINVAL;
    }
    struct queue *queue = queue_of(descriptor, ~0u, &file);
    if (!queue) return -EBADF;
    if (!program) {
        if (queue->notify_pid == self) notify_end(queue, queue->notify_socket ? NOTIFY_REMOVED : 0);
        return 0;
    }
    if (queue->notify_pid && process_find(queue->notify_pid)) return -EBUSY;
    notify_end(queue, 0);
    long error = event.notify == SIGEV_THREAD ? take_socket(queue, &event) : 0;
    if (error) return error;
    queue->notify = event;
    queue->notify_pid = self;
    return 0;
}

SYSCALL_DEFINE(mq_getsetattr, int descriptor, const struct linux_mq_attr *program_new, struct linux_mq_attr *program_old) {
    struct linux_mq_attr new;
    struct file *file;
    if (program_new) {
        if (user_copy_in(&new, program_new, sizeof new)) return -EFAULT;
        if (new.flags & ~(int64_t)O_NONBLOCK) return -EINVAL;
    }
    struct queue *queue = queue_of(descriptor, ~0u, &file);
    if (!queue) return -EBADF;
    struct linux_mq_attr old = {.flags = file->flags & O_NONBLOCK, .messages_most = (int64_t)queue->messages_most, .size_most = (int64_t)queue->size_most,
                                .count = (int64_t)queue->count};
    if (program_new) file->flags = (file->flags & ~(uint32_t)O_NONBLOCK) | (uint32_t)new.flags;
    return program_old && user_copy_out(program_old, &old, sizeof old) ? -EFAULT : 0;
}

/* Its limits in /proc, where there is one. */
#pragma weak proc_show_text
static const struct proc_file setting_files[] = {
    { .path = "sys/fs/mqueue/msg_default", .mode = PROC_READ, .show = proc_show_text, .argument = "10\n" },
    { .path = "sys/fs/mqueue/msg_max", .mode = PROC_READ, .show = proc_show_text, .argument = "10\n" },
    { .path = "sys/fs/mqueue/msgsize_default", .mode = PROC_READ, .show = proc_show_text, .argument = "8192\n" },
    { .path = "sys/fs/mqueue/msgsize_max", .mode = PROC_READ, .show = proc_show_text, .argument = "8192\n" },
    { .path = "sys/fs/mqueue/queues_max", .mode = PROC_READ, .show = proc_show_text, .argument = "256\n" },
};
HULL_PROC_FILES(PROC_SYSTEM, setting_files);

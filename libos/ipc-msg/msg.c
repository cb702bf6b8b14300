/*
 * System V message queues: msgget(2), msgop(2), msgctl(2). Owns the queues and their messages, oldest first. A sleeping call looks again after
 * each change of its queue; a queue that is removed is freed by the last of them.
 */
#include "clock/clock.h"
#include "ipc/ipc.h"
#include "memory/memory.h"
#include "procfs/procfs.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "wait/wait.h"

enum { MSG_NOERROR = 010000, MSG_EXCEPT = 020000, MSG_COPY = 040000 };
enum { MSG_STAT = 11, MSG_INFO, MSG_STAT_ANY };
enum { QUEUES_MOST = 32000, MESSAGE_MOST = 8192, BYTES_MOST = 16384 };

struct message { struct message *next; int64_t type; size_t size; uint8_t bytes[]; };
struct queue {
    struct ipc_object object; /* first */
    struct message *first, **last;
    uint64_t bytes, count, bytes_most;
    int64_t sent, received, changed;
    int last_sender, last_receiver;
    unsigned sleepers;
    bool removed;
    struct wait_queue waiters;
};
struct linux_msqid {
    struct linux_ipc_perm perm;
    int64_t stime, rtime, ctime;
    uint64_t bytes, count, bytes_most;
    int32_t sender, receiver;
    uint64_t unused[2];
};
struct linux_msginfo { int32_t pool, map, message, queue, queues, segment, total; uint16_t segments; };
_Static_assert(sizeof(struct linux_msqid) == 120, "struct msqid64_ds of the x86-64 ABI");

static struct ipc_table table = {.most = QUEUES_MOST, .last = -1};

static int queue_create(const struct ipc_request *request, struct ipc_object **out) {
    (void)request;
    struct queue *queue = kzalloc(sizeof *queue);
    if (!queue) return -ENOMEM;
    queue->last = &queue->first;
    queue->bytes_most = BYTES_MOST;
    queue->changed = ipc_now();
    *out = &queue->object;
    return 0;
}

SYSCALL_DEFINE(msgget, int key, int flags) {
    return ipc_get(&table, key, flags, &(struct ipc_request){queue_create, NULL, 0});
}

static void let_go(struct queue *queue) {
    if (queue->removed && !queue->sleepers) kfree(queue);
}

/* Sleeps until the condition holds or the queue is gone: 0, -EIDRM or -EINTR. The queue may be freed when it is not 0. */
static int sleep_on(struct queue *queue, bool (*condition)(void *), void *argument) {
    queue->sleepers++;
    int error = wait_until(&queue->waiters, condition, argument, 0, WAIT_BREAKS);
    queue->sleepers--;
    if (queue->removed) error = -EIDRM;
    if (error) let_go(queue);
    return error;
}

struct sending { struct queue *queue; size_t size; };
static bool has_room(void *argument) {
    const struct sending *sending = argument;
    const struct queue *queue = sending->queue;
    return queue->removed || (queue->bytes + sending->size <= queue->bytes_most && queue->count + 1 <= queue->bytes_most);
}

static long send(int id, struct message *message, int flags) {
    struct ipc_object *object;
    int error = ipc_find(&table, id, &object);
    if (error) return error;
    struct queue *queue = (struct queue *)object;
    struct sending sending = {queue, message->size};
    if ((error = ipc_permission(object, IPC_WRITE))) return error;
    if (!has_room(&sending)) {
        if (flags & IPC_NOWAIT) return -EAGAIN;
        if ((error = sleep_on(queue, has_room, &sending))) return error;
    }
    message->next = NULL;
    *queue->last = message;
    queue->last = &message->next;
    queue->bytes += message->size;
    queue->count++;
    queue->sent = ipc_now();
    queue->last_sender = current_process()->pid;
    wait_queue_wake(&queue->waiters, -1);
    return 0;
}

SYSCALL_DEFINE(msgsnd, int id, const void *program, size_t size, int flags) {
    int64_t type;
    if (user_copy_in(&type, program, sizeof type)) return -EFAULT;
    if (size > MESSAGE_MOST || id < 0 || type < 1) return -EINVAL;
    struct message *message = kmalloc(sizeof *message + size);
    if (!message) return -ENOMEM;
    message->type = type;
    message->size = size;
    long result = user_copy_in(message->bytes, (const char *)program + sizeof type, size) ? -EFAULT : send(id, message, flags);
    if (result) kfree(message);
    return result;
}

/* The message that a receiver with this type gets: the link to it, or NULL. */
static struct message **choose(struct queue *queue, int64_t type, int flags) {
    struct message **best = NULL, **link = &queue->first;
    for (int64_t i = 0; *link; link = &(*link)->next, i++) {
        int64_t found = (*link)->type;
        if (flags & MSG_COPY ? i == type : !type || (type > 0 && (found == type) != !!(flags & MSG_EXCEPT))) return link;
        if (!(flags & MSG_COPY) && type < 0 && (type == INT64_MIN || found <= -type) && (!best || found < (*best)->type)) best = link;
    }
    return best;
}

struct receiving { struct queue *queue; int64_t type; int flags; };
static bool has_message(void *argument) {
    const struct receiving *receiving = argument;
    return receiving->queue->removed || choose(receiving->queue, receiving->type, receiving->flags);
}

static struct message *take(struct queue *queue, struct message **link) {
    struct message *message = *link;
    *link = message->next;
    if (!message->next) queue->last = link;
    queue->bytes -= message->size;
    queue->count--;
    queue->received = ipc_now();
    queue->last_receiver = current_process()->pid;
    wait_queue_wake(&queue->waiters, -1);
    return message;
}

/* The type and as many bytes as there is room for. */
static long deliver(const struct message *message, void *program, size_t room) {
    size_t size = message->size < room ? message->size : room;
    if (user_copy_out(program, &message->type, sizeof message->type)) return -EFAULT;
    return user_copy_out((char *)program + sizeof message->type, message->bytes, size) ? -EFAULT : (long)size;
}

SYSCALL_DEFINE(msgrcv, int id, void *program, size_t room, int64_t type, int flags) {
    struct ipc_object *object;
    if (id < 0 || (int64_t)room < 0) return -EINVAL;
    if (flags & MSG_COPY && (flags & MSG_EXCEPT || !(flags & IPC_NOWAIT))) return -EINVAL;
    int error = ipc_find(&table, id, &object);
    if (!error) error = ipc_permission(object, IPC_READ);
    if (error) return error;
    struct receiving receiving = {(struct queue *)object, type, flags};
    struct queue *queue = receiving.queue;
    struct message **link = choose(queue, type, flags);
    if (!link) {
        if (flags & IPC_NOWAIT) return -ENOMSG;
        if ((error = sleep_on(queue, has_message, &receiving))) return error;
        link = choose(queue, type, flags);
    }
    if ((*link)->size > room && !(flags & MSG_NOERROR)) return -E2BIG;
    if (flags & MSG_COPY) return deliver(*link, program, room);
    struct message *message = take(queue, link);
    long result = deliver(message, program, room);
    kfree(message);
    return result;
}

static long queue_remove(struct queue *queue) {
    ipc_remove(&table, &queue->object);
    for (struct message *message = queue->first, *next; message; message = next) {
        next = message->next;
        kfree(message);
    }
    queue->first = NULL;
    queue->removed = true;
    wait_queue_wake(&queue->waiters, -1);
    let_go(queue);
    return 0;
}

static long queue_info(int command, void *out) {
    struct linux_msginfo info = {(int)((int64_t)QUEUES_MOST * BYTES_MOST / 1024), BYTES_MOST, MESSAGE_MOST, BYTES_MOST, QUEUES_MOST, 16, BYTES_MOST, 0xffff};
    uint32_t at = 0;
    if (command == MSG_INFO) {
        info.pool = (int)table.count;
        info.map = info.total = 0;
        for (struct queue *queue; (queue = (struct queue *)ipc_next(&table, &at));) {
            info.map += (int)queue->count;
            info.total += (int)queue->bytes;
        }
    }
    return user_copy_out(out, &info, sizeof info) ? -EFAULT : ipc_last_index(&table);
}

static long queue_stat(const struct queue *queue, void *out, long result) {
    struct linux_msqid stat = {.stime = queue->sent, .rtime = queue->received, .ctime = queue->changed, .bytes = queue->bytes,
                               .count = queue->count, .bytes_most = queue->bytes_most, .sender = queue->last_sender, .receiver = queue->last_receiver};
    ipc_fill(&queue->object, &stat.perm);
    return user_copy_out(out, &stat, sizeof stat) ? -EFAULT : result;
}

static long queue_set(struct queue *queue, const struct linux_msqid *in) {
    if (in->bytes_most > BYTES_MOST && current_process()->credentials.euid) return -EPERM;
    ipc_set(&queue->object, &in->perm);
    queue->bytes_most = in->bytes_most;
    queue->changed = ipc_now();
    wait_queue_wake(&queue->waiters, -1);
    return 0;
}

SYSCALL_DEFINE(msgctl, int id, int command, void *argument) {
    struct ipc_object *object;
    struct linux_msqid in;
    if (id < 0) return -EINVAL;
    if (command == IPC_INFO || command == MSG_INFO) return queue_info(command, argument);
    bool by_index = command == MSG_STAT || command == MSG_STAT_ANY;
    if (command != IPC_STAT && command != IPC_SET && command != IPC_RMID && !by_index) return -EINVAL;
    if (command == IPC_SET && user_copy_in(&in, argument, sizeof in)) return -EFAULT;
    long error = by_index ? ipc_find_index(&table, id, &object) : ipc_find(&table, id, &object);
    if (error) return error;
    struct queue *queue = (struct queue *)object;
    if (command == MSG_STAT_ANY) return queue_stat(queue, argument, object->id);
    if (command == IPC_STAT || command == MSG_STAT) {
        error = ipc_permission(object, IPC_READ);
        return error ? error : queue_stat(queue, argument, by_index ? object->id : 0);
    }
    if ((error = ipc_owner(object))) return error;
    return command == IPC_RMID ? queue_remove(queue) : queue_set(queue, &in);
}

/* What is there, and its limits, in /proc, where there is one. */
#pragma weak proc_show_text
#pragma weak proc_print
static void show_all(struct proc_text *out) {
    uint32_t at = 0;
    proc_print(out, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n");
    for (struct queue *queue; (queue = (struct queue *)ipc_next(&table, &at));) {
        const struct ipc_object *o = &queue->object;
        proc_print(out, "%10d %10d  %4u  %10lu %10lu %5d %5d %5u %5u %5u %5u %10lu %10lu %10lu\n", o->key, o->id, ipc_octal(o), (unsigned long)queue->bytes, (unsigned long)queue->count,
                   queue->last_sender, queue->last_receiver, o->uid, o->gid, o->cuid, o->cgid, (unsigned long)queue->sent, (unsigned long)queue->received, (unsigned long)queue->changed);
    }
}
static const struct proc_file setting_files[] = {
    { .path = "sysvipc/msg", .mode = PROC_READ, .show = show_all },
    { .path = "sys/kernel/msgmax", .mode = PROC_READ, .show = proc_show_text, .argument = "8192\n" },
    { .path = "sys/kernel/msgmnb", .mode = PROC_READ, .show = proc_show_text, .argument = "16384\n" },
    { .path = "sys/kernel/msgmni", .mode = PROC_READ, .show = proc_show_text, .argument = "32000\n" },
};
HULL_PROC_FILES(PROC_SYSTEM, setting_files);

/* System V semaphores: semget(2), semop(2), semctl(2). Owns the sets. A process's end takes back what SEM_UNDO asked for. */
#include "clock/clock.h"
#include "linux_abi.h"
#include "ipc-sem/internal.h"
#include "memory/memory.h"
#include "procfs/procfs.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { GETPID = 11, GETVAL, GETALL, GETNCNT, GETZCNT, SETVAL, SETALL, SEM_STAT, SEM_INFO, SEM_STAT_ANY };
enum { SETS_MOST = 32000, VALUES_ON_STACK = 16 };
struct timespec64 { int64_t seconds, nanoseconds; };
struct linux_semid { struct linux_ipc_perm perm; struct linux_sem_state state; };
struct linux_seminfo { int32_t map, sets, semaphores, undos, in_set, operations, undo_entries, undo_size, value, adjust; };

static struct ipc_table table = {.most = SETS_MOST, .last = -1};

static int set_create(const struct ipc_request *request, struct ipc_object **out) {
    if (!request->size || request->size > SEM_MOST) return -EINVAL;
    struct sem_set *set = kzalloc(sizeof *set + request->size * sizeof *set->semaphores);
    if (!set) return -ENOMEM;
    set->count = (unsigned)request->size;
    set->changed = ipc_now();
    *out = &set->object;
    return 0;
}

static int set_check(const struct ipc_request *request, const struct ipc_object *object) {
    return request->size > ((const struct sem_set *)object)->count ? -EINVAL : 0;
}

SYSCALL_DEFINE(semget, int key, int count, int flags) {
    if (count < 0 || count > SEM_MOST) return -EINVAL;
    return ipc_get(&table, key, flags, &(struct ipc_request){set_create, set_check, (size_t)count});
}

/* The process's adjustments to a set, made when it has none yet; NULL: out of memory. */
static struct sem_undo *undo_of(struct sem_set *set, int pid) {
    for (struct sem_undo *undo = set->undos; undo; undo = undo->next)
        if (undo->pid == pid) return undo;
    struct sem_undo *undo = kzalloc(sizeof *undo + set->count * sizeof *undo->adjust);
    if (!undo) return NULL;
    undo->pid = pid;
    undo->next = set->undos;
    return set->undos = undo;
}

static void settle(struct sem_set *set) {
    if (sem_settle(set)) set->operated = ipc_now();
}

static bool is_done(void *argument) { return ((struct sem_waiter *)argument)->done; }

/* The set may be gone afterwards: then the waiter has been taken out of it and is done. */
static long wait_for(struct sem_set *set, struct sem_waiter *waiter, uint64_t deadline) {
    struct sem_waiter **link = &set->waiters;
    while (*link) link = &(*link)->next;
    *link = waiter;
    int error = wait_until(&waiter->queue, is_done, waiter, deadline, WAIT_BREAKS);
    if (waiter->done) return waiter->result;
    for (link = &set->waiters; *link != waiter; link = &(*link)->next) {}
    *link = waiter->next;
    return error == -ETIMEDOUT ? -EAGAIN : error;
}

static long operate(int id, const struct sem_operation *operations, unsigned count, uint64_t deadline) {
    struct ipc_object *object;
    bool alters = false, undoes = false;
    unsigned highest = 0;
    for (unsigned i = 0; i < count; i++) {
        if (operations[i].operation) alters = true;
        if (operations[i].flags & SEM_UNDO) undoes = true;
        if (operations[i].number > highest) highest = operations[i].number;
    }
    int error = ipc_find(&table, id, &object);
    if (error) return error;
    struct sem_set *set = (struct sem_set *)object;
    if (highest >= set->count) return -EFBIG;
    if ((error = ipc_permission(object, alters ? IPC_WRITE : IPC_READ))) return error;
    struct sem_waiter waiter = {.operations = operations, .count = count, .pid = current_process()->pid};
    if (undoes && !(waiter.undo = undo_of(set, waiter.pid))) return -ENOMEM;
    int result = sem_try(set, operations, count, waiter.pid, waiter.undo, &waiter.blocking);
    if (!result) {
        set->operated = ipc_now();
        if (alters) settle(set);
        return 0;
    }
    if (result < 0) return result;
    if (operations[waiter.blocking].flags & IPC_NOWAIT) return -EAGAIN;
    return wait_for(set, &waiter, deadline);
}

SYSCALL_DEFINE(semtimedop, int id, const struct sem_operation *program, size_t count, const struct timespec64 *timeout) {
    struct sem_operation few[VALUES_ON_STACK], *operations = few;
    struct timespec64 t;
    uint64_t deadline = 0;
    if (!count || id < 0) return -EINVAL;
    if (count > SEM_OPERATIONS_MOST) return -E2BIG;
    if (timeout) {
        if (user_copy_in(&t, timeout, sizeof t)) return -EFAULT;
        if (t.seconds < 0 || (uint64_t)t.nanoseconds > 999999999) return -EINVAL;
        deadline = clock_monotonic_ns() + (uint64_t)(t.seconds > 4000000000 ? 4000000000 : t.seconds) * 1000000000 + (uint64_t)t.nanoseconds;
    }
    if (count > VALUES_ON_STACK && !(operations = kmalloc(count * sizeof *operations))) return -ENOMEM;
    long result = user_copy_in(operations, program, count * sizeof *operations) ? -EFAULT : operate(id, operations, (unsigned)count, deadline);
    if (operations != few) kfree(operations);
    return result;
}

SYSCALL_DEFINE(semop, int id, const struct sem_operation *program, size_t count) {
    return sys_semtimedop(id, program, count, NULL);
}

static long count_waiting(const struct sem_set *set, unsigned number, bool for_zero) {
    long count = 0;
    for (const struct sem_waiter *waiter = set->waiters; waiter; waiter = waiter->next) {
        const struct sem_operation *op = &waiter->operations[waiter->blocking];
        if (op->number == number && (op->operation == 0) == for_zero) count++;
    }
    return count;
}

static long read_all(const struct sem_set *set, uint16_t *out) {
    for (unsigned i = 0; i < set->count; i++) {
        uint16_t value = (uint16_t)set->semaphores[i].value;
        if (user_copy_out(out + i, &value, sizeof value)) return -EFAULT;
    }
    return 0;
}

static long write_all(struct sem_set *set, const uint16_t *in) {
    uint16_t *values = kmalloc(set->count * sizeof *values);
    long error = !values ? -ENOMEM : user_copy_in(values, in, set->count * sizeof *values) ? -EFAULT : 0;
    for (unsigned i = 0; i < set->count && !error; i++)
        if (values[i] > SEM_VALUE_MOST) error = -ERANGE;
    for (unsigned i = 0; i < set->count && !error; i++) {
        set->semaphores[i].value = values[i];
        set->semaphores[i].pid = current_process()->pid;
        sem_forget_adjustments(set, i);
    }
    kfree(values);
    if (error) return error;
    set->changed = ipc_now();
    settle(set);
    return 0;
}

static long write_one(struct sem_set *set, unsigned number, int value) {
    if (value < 0 || value > SEM_VALUE_MOST) return -ERANGE;
    set->semaphores[number].value = value;
    set->semaphores[number].pid = current_process()->pid;
    sem_forget_adjustments(set, number);
    set->changed = ipc_now();
    settle(set);
    return 0;
}

static long set_remove(struct sem_set *set) {
    ipc_remove(&table, &set->object);
    for (struct sem_waiter *waiter = set->waiters, *next; waiter; waiter = next) {
        next = waiter->next;
        waiter->result = -EIDRM;
        waiter->done = true;
        wait_queue_wake(&waiter->queue, -1);
    }
    for (struct sem_undo *undo = set->undos, *next; undo; undo = next) {
        next = undo->next;
        kfree(undo);
    }
    kfree(set);
    return 0;
}

static long set_info(int command, void *out) {
    struct linux_seminfo info = {SEM_MOST * SETS_MOST, SETS_MOST, SEM_MOST * SETS_MOST, SEM_MOST * SETS_MOST, SEM_MOST, SEM_OPERATIONS_MOST,
                                 SEM_OPERATIONS_MOST, 20, SEM_VALUE_MOST, SEM_VALUE_MOST};
    uint32_t at = 0;
    if (command == SEM_INFO) {
        info.undo_size = (int)table.count;
        info.adjust = 0;
        for (struct sem_set *set; (set = (struct sem_set *)ipc_next(&table, &at));) info.adjust += (int)set->count;
    }
    return user_copy_out(out, &info, sizeof info) ? -EFAULT : ipc_last_index(&table);
}

static long set_stat(const struct sem_set *set, void *out, long result) {
    struct linux_semid stat = {.state = {.otime = set->operated, .ctime = set->changed, .count = set->count}};
    ipc_fill(&set->object, &stat.perm);
    return user_copy_out(out, &stat, sizeof stat) ? -EFAULT : result;
}

static long control(struct sem_set *set, unsigned number, int command, void *argument) {
    bool writes = command == SETVAL || command == SETALL, one = command != GETALL && command != SETALL;
    if (one && number >= set->count) return -EINVAL;
    int error = ipc_permission(&set->object, writes ? IPC_WRITE : IPC_READ);
    if (error) return error;
    switch (command) {
    case GETVAL: return set->semaphores[number].value;
    case GETPID: return set->semaphores[number].pid;
    case GETNCNT: return count_waiting(set, number, false);
    case GETZCNT: return count_waiting(set, number, true);
    case SETVAL: return write_one(set, number, (int)(uintptr_t)argument);
    case GETALL: return read_all(set, argument);
    default: return write_all(set, argument);
    }
}

SYSCALL_DEFINE(semctl, int id, int number, int command, void *argument) {
    struct ipc_object *object;
    struct linux_semid in;
    if (id < 0) return -EINVAL;
    if (command == IPC_INFO || command == SEM_INFO) return set_info(command, argument);
    bool by_index = command == SEM_STAT || command == SEM_STAT_ANY;
    if (command != IPC_STAT && command != IPC_SET && command != IPC_RMID && (command < GETPID || command > SEM_STAT_ANY)) return -EINVAL;
    if (command == IPC_SET && user_copy_in(&in, argument, sizeof in)) return -EFAULT;
    long error = by_index ? ipc_find_index(&table, id, &object) : ipc_find(&table, id, &object);
    if (error) return error;
    struct sem_set *set = (struct sem_set *)object;
    switch (command) {
    case IPC_STAT: case SEM_STAT:
        error = ipc_permission(object, IPC_READ);
        return error ? error : set_stat(set, argument, by_index ? object->id : 0);
    case SEM_STAT_ANY: return set_stat(set, argument, object->id);
    case IPC_RMID: return (error = ipc_owner(object)) ? error : set_remove(set);
    case IPC_SET:
        if ((error = ipc_owner(object))) return error;
        ipc_set(object, &in.perm);
        set->changed = ipc_now();
        return 0;
    default: return control(set, (unsigned)number, command, argument);
    }
}

#pragma GCC visibility push(hidden)
void sem_process_end(struct process *); /* by `process`, through a weak reference */
#pragma GCC visibility pop
void sem_process_end(struct process *process) {
    uint32_t at = 0;
    for (struct sem_set *set; (set = (struct sem_set *)ipc_next(&table, &at));) {
        struct sem_undo **link = &set->undos;
        while (*link && (*link)->pid != process->pid) link = &(*link)->next;
        struct sem_undo *undo = *link;
        if (!undo) continue;
        *link = undo->next;
        sem_take_back(set, undo);
        kfree(undo);
        settle(set);
        set->operated = ipc_now();
    }
}

/* What is there, and its limits, in /proc, where there is one. */
#pragma weak proc_show_text
#pragma weak proc_print
static void show_all(struct proc_text *out) {
    uint32_t at = 0;
    proc_print(out, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
    for (struct sem_set *set; (set = (struct sem_set *)ipc_next(&table, &at));) {
        const struct ipc_object *o = &set->object;
        proc_print(out, "%10d %10d  %4u %10u %5u %5u %5u %5u %10lu %10lu\n", o->key, o->id, ipc_octal(o), set->count, o->uid, o->gid, o->cuid, o->cgid, (unsigned long)set->operated,
                   (unsigned long)set->changed);
    }
}
static const struct proc_file setting_files[] = {
    { .path = "sysvipc/sem", .mode = PROC_READ, .show = show_all },
    { .path = "sys/kernel/sem", .mode = PROC_READ, .show = proc_show_text, .argument = "32000\t1024000000\t500\t32000\n" },
};
HULL_PROC_FILES(PROC_SYSTEM, setting_files);

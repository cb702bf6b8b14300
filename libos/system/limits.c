/*
 * Resource limits. Processes that have not changed theirs share the ones that all begin with; a fork shares its parent's until one of them
 * changes some. Enforced, through the functions below: how many processes (`process`), descriptors (`file`), bytes of address space (`vm`) and of a file (`vfs`)
 * there may be, and how much CPU time is used (`cpu-timers`). What nothing here exceeds is not enforced. The stack's limit counts for the next program (`exec`),
 * as its size is fixed from then on.
 */
#include "cpu-timers/cpu_timers.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "file/file.h"
#include "vm/vm.h"

enum { LIMIT_COUNT = 16, CPU = 0, FSIZE = 1, DATA = 2, STACK = 3, CORE = 4, NPROC = 6, NOFILE = 7, MEMLOCK = 8, AS = 9, SIGPENDING = 11, MSGQUEUE = 12, NICE = 13, RTPRIO = 14 };
#define INFINITE (~0ull)
struct rlimit64 { uint64_t current, most; };

/* Index 0..15: cpu, fsize, data, stack, core, rss, nproc, nofile, memlock, as, locks, sigpending, msgqueue, nice, rtprio, rttime. */
struct limits { uint32_t references; struct rlimit64 of[LIMIT_COUNT]; };
static struct limits initial;

static struct rlimit64 *limit(const struct process *process, unsigned resource) {
    struct rlimit64 *limits = process->limits ? process->limits->of : initial.of;
    if (!initial.references) {
        initial.references = 1;
        for (unsigned i = 0; i < LIMIT_COUNT; i++) limits[i] = (struct rlimit64){INFINITE, INFINITE};
        limits[STACK].current = 8ul << 20;
        limits[CORE].current = 0;
        limits[NOFILE] = (struct rlimit64){FILE_FIRST_DESCRIPTORS, FILE_MAX_DESCRIPTORS};
        limits[NPROC] = limits[SIGPENDING] = (struct rlimit64){4096, 4096};
        limits[MEMLOCK] = (struct rlimit64){8ul << 20, 8ul << 20};
        limits[MSGQUEUE] = (struct rlimit64){819200, 819200};
        limits[NICE] = limits[RTPRIO] = (struct rlimit64){0, 0};
    }
    return resource < LIMIT_COUNT ? &limits[resource] : NULL;
}

/* By `process`: fork and exit. */
void limits_get(struct process *process) {
    if (process->limits) process->limits->references++;
}
void limits_put(struct process *process) {
    if (process->limits && !--process->limits->references) kfree(process->limits);
    process->limits = NULL;
}
/* By `cpu-timers`, which counts. */
#pragma weak cpu_timers_limit
void limit_cpu(const struct process *process, uint64_t *soft, uint64_t *hard) {
    const struct rlimit64 *l = limit(process, CPU);
    *soft = l->current, *hard = l->most;
}
uint64_t limit_processes(const struct process *process) { return limit(process, NPROC)->current; }
/* By `file` and `vm`, through weak references: without limits of its own a process has the initial ones, which exceed nothing. */
uint32_t limit_descriptors(const struct process *process) { return process->limits ? (uint32_t)process->limits->of[NOFILE].current : FILE_FIRST_DESCRIPTORS; }
uint64_t limit_file_size(const struct process *process) { return process->limits ? process->limits->of[FSIZE].current : INFINITE; }
uint64_t limit_locked(const struct process *process) { return limit(process, MEMLOCK)->current; }
uint64_t limit_data(const struct process *process) { return process->limits ? process->limits->of[DATA].current : INFINITE; }
uint64_t limit_stack(const struct process *process) { return limit(process, STACK)->current; } /* by `exec` */
uint64_t limit_nice(const struct process *process) { return limit(process, NICE)->current; } /* this and the next by `scheduling` */
uint64_t limit_realtime(const struct process *process) { return limit(process, RTPRIO)->current; }
uint64_t limit_message_queues(const struct process *process) { return limit(process, MSGQUEUE)->current; } /* by `mqueue` */
uint64_t limit_address_space(const struct process *process) { return process->limits ? process->limits->of[AS].current : INFINITE; }

/* Limits of its own for a process; false when out of memory. */
static bool own(struct process *process) {
    struct limits *made, *old = process->limits;
    if (old && old->references == 1) return true;
    if (!(made = kmalloc(sizeof *made))) return false;
    *made = old ? *old : initial;
    made->references = 1;
    limits_put(process);
    process->limits = made;
    return true;
}

/* Another's limits: the superuser's and its own user's matter (prlimit(2)). */
static bool may_ask(const struct process *process) {
    const struct credentials *self = &current_process()->credentials, *other = &process->credentials;
    if (process == current_process() || !self->euid) return true;
    return self->uid == other->uid && self->uid == other->euid && self->uid == other->suid && self->gid == other->gid && self->gid == other->egid &&
           self->gid == other->sgid;
}

SYSCALL_DEFINE(prlimit64, int pid, unsigned resource, const struct rlimit64 *wanted, struct rlimit64 *old) {
    struct process *process = pid ? process_find(pid) : current_process();
    struct rlimit64 *l, before, now;
    if (resource >= LIMIT_COUNT) return -EINVAL;
    if (!process) return -ESRCH;
    if (!may_ask(process)) return -EPERM;
    l = limit(process, resource);
    before = *l;
    if (wanted) {
        if (user_copy_in(&now, wanted, sizeof now)) return -EFAULT;
        if (now.current > now.most) return -EINVAL;
        if (now.most > before.most && (current_process()->credentials.euid || (resource == NOFILE && now.most > FILE_MAX_DESCRIPTORS))) return -EPERM;
    }
    if (old && user_copy_out(old, &before, sizeof before)) return -EFAULT;
    if (wanted) {
        if (!own(process)) return -ENOMEM;
        *limit(process, resource) = now;
        if (resource == CPU && cpu_timers_limit) cpu_timers_limit(process);
    }
    return 0;
}

SYSCALL_DEFINE(getrlimit, unsigned resource, struct rlimit64 *out) {
    return sys_prlimit64(0, resource, NULL, out);
}
SYSCALL_DEFINE(setrlimit, unsigned resource, const struct rlimit64 *wanted) {
    return sys_prlimit64(0, resource, wanted, NULL);
}

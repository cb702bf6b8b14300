/*
 * Nice values, a thread's own as on Linux (getpriority(2), setpriority(2), "C library/kernel differences"): kept, inherited and shown. The
 * scheduler gives each thread the same share all the same.
 */
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { WHICH_PROCESS = 0, WHICH_GROUP = 1, WHICH_USER = 2, NICE_LEAST = -20, NICE_MOST = 19 };
#define ENCODED(nice) (20 - (nice)) /* 40..1: what getpriority returns and RLIMIT_NICE counts in */

uint64_t limit_nice(const struct process *);

/* Does `thread` belong to those who are named? A process stands for its first thread only, a group and a user for all of theirs. */
static bool named(const struct thread *thread, int which, int who) {
    const struct process *process = thread->process, *self = current_process();
    if (which == WHICH_PROCESS) return who ? thread->tid == who : thread == current_thread();
    if (which == WHICH_GROUP) return process->group == (who ? who : self->group);
    return process->credentials.uid == (who ? (uint32_t)who : self->credentials.uid);
}

/* `change` is called with each thread that is named and with what it returned for the one before, at first -ESRCH. `none`: for a process without threads. */
static long visit(int which, int who, long (*change)(struct thread *, int nice, long result), int nice, long none) {
    long result = -ESRCH;
    if (which < WHICH_PROCESS || which > WHICH_USER) return -EINVAL;
    for (struct process *process = &first_process; process; process = process->next)
        for (struct thread *thread = process->threads; thread; thread = thread->next)
            if (named(thread, which, who)) result = change(thread, nice, result);
    /* One that only waits to be waited for has no thread any more. */
    if (result == -ESRCH && which == WHICH_PROCESS && who && process_find(who)) return none;
    return result;
}

static long highest(struct thread *thread, int nice, long result) {
    (void)nice;
    return ENCODED(thread->nice) > result ? ENCODED(thread->nice) : result;
}

static long set(struct thread *thread, int nice, long result) {
    const struct credentials *self = &current_process()->credentials, *other = &thread->process->credentials;
    if (self->euid && self->euid != other->uid && self->euid != other->euid) return -EPERM;
    if (self->euid && nice < thread->nice && (uint64_t)ENCODED(nice) > limit_nice(thread->process)) return -EACCES;
    thread->nice = (int8_t)nice;
    return result == -ESRCH ? 0 : result;
}

SYSCALL_DEFINE(getpriority, int which, int who) { return visit(which, who, highest, 0, ENCODED(0)); }

SYSCALL_DEFINE(setpriority, int which, int who, int nice) {
    return visit(which, who, set, nice < NICE_LEAST ? NICE_LEAST : nice > NICE_MOST ? NICE_MOST : nice, 0);
}

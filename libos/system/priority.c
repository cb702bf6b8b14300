/*
 * Nice values and I/O priorities (setpriority(2), ioprio_set(2)): kept by thread, inherited by those that it makes, checked and shown as on Linux.
 * Nothing here acts on them: all threads get equal turns, all requests are served in the order in which they come.
 */
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { WHICH_THREAD, WHICH_GROUP, WHICH_USER, WHICH_COUNT };
enum { MOST_NICE = 19, LEAST_NICE = -20 };
enum { IO_NONE, IO_REAL_TIME, IO_BEST_EFFORT, IO_IDLE, IO_CLASS_SHIFT = 13, IO_LEVELS = 8, IO_KEPT_SHIFT = 3 };
uint64_t limit_nice(const struct process *); /* limits.c */

/* Of `which` and `who`, as both calls have them; 0 is the caller's own. */
static bool chosen(const struct thread *thread, int which, int who) {
    const struct process *own = current_process(), *process = thread->process;
    if (which == WHICH_THREAD) return who ? thread->tid == who : thread == current_thread();
    if (which == WHICH_GROUP) return process->group == (who ? who : own->group);
    return process->credentials.uid == (who ? (uint32_t)who : own->credentials.uid);
}

/* The next one chosen after `thread`, NULL being before the first; NULL: no more. */
static struct thread *next_chosen(struct thread *thread, int which, int who) {
    struct process *process = thread ? thread->process : &first_process;
    thread = thread ? thread->next : process->threads;
    for (;;) {
        for (; thread; thread = thread->next)
            if (chosen(thread, which, who)) return thread;
        if (!(process = process->next)) return NULL;
        thread = process->threads;
    }
}

/* Of another user's threads only the superuser decides. */
static bool may_set(const struct thread *thread) {
    const struct credentials *own = &current_process()->credentials, *other = &thread->process->credentials;
    return !own->euid || other->uid == own->euid || other->euid == own->euid;
}

static int may_set_nice(const struct thread *thread, int nice) {
    if (!may_set(thread)) return -EPERM;
    bool free = nice >= thread->nice || !current_process()->credentials.euid || (uint64_t)(20 - nice) <= limit_nice(thread->process);
    return free ? 0 : -EACCES;
}

/* One that has ended and waits to be waited for has no threads, but is there. */
static int nobody(int which, int who) { return which == WHICH_THREAD && process_find(who) ? 0 : -ESRCH; }

SYSCALL_DEFINE(getpriority, int which, int who) {
    int best = nobody(which, who) ? -ESRCH : 20; /* as the call encodes it: 20 - nice, never an error */
    if (which < 0 || which >= WHICH_COUNT) return -EINVAL;
    for (struct thread *thread = next_chosen(NULL, which, who); thread; thread = next_chosen(thread, which, who))
        if (best < 20 - thread->nice || which == WHICH_THREAD) best = 20 - thread->nice;
    return best;
}

SYSCALL_DEFINE(setpriority, int which, int who, int nice) {
    int error = nobody(which, who), found = 0;
    if (which < 0 || which >= WHICH_COUNT) return -EINVAL;
    nice = nice > MOST_NICE ? MOST_NICE : nice < LEAST_NICE ? LEAST_NICE : nice;
    for (struct thread *thread = next_chosen(NULL, which, who); thread; thread = next_chosen(thread, which, who)) {
        int refused = may_set_nice(thread, nice);
        if (!refused) thread->nice = (int8_t)nice;
        if (refused || !found++) error = refused; /* one refusal is the answer for all */
    }
    return error;
}

/* Class and level, or -errno: what `wanted` says (ioprio_set(2)). */
static int io_priority_check(int wanted) {
    unsigned class = (unsigned)wanted >> IO_CLASS_SHIFT, level = (unsigned)wanted & ((1 << IO_CLASS_SHIFT) - 1);
    if (class > IO_IDLE || (class == IO_NONE && level) || level >= IO_LEVELS) return -EINVAL;
    if (class == IO_REAL_TIME && current_process()->credentials.euid) return -EPERM;
    return (int)(class << IO_KEPT_SHIFT | level);
}

SYSCALL_DEFINE(ioprio_set, int which, int who, int wanted) {
    int kept = io_priority_check(wanted), error = which > 0 ? nobody(--which, who) : -EINVAL;
    if (kept < 0) return kept;
    if (which < 0 || which >= WHICH_COUNT || error == -EINVAL) return -EINVAL;
    for (struct thread *thread = next_chosen(NULL, which, who); thread; thread = next_chosen(thread, which, who)) {
        if (!may_set(thread)) return -EPERM;
        thread->io_priority = (uint8_t)kept;
        error = 0;
    }
    return error;
}

/* As a thread's own it is told as it was set; of a group or a user the best, one that was never set following from the nice value. */
SYSCALL_DEFINE(ioprio_get, int which, int who) {
    int best = which > 0 ? nobody(--which, who) : -EINVAL;
    if (which < 0 || which >= WHICH_COUNT || best == -EINVAL) return -EINVAL;
    for (struct thread *thread = next_chosen(NULL, which, who); thread; thread = next_chosen(thread, which, who)) {
        int one = thread->io_priority >> IO_KEPT_SHIFT << IO_CLASS_SHIFT | (thread->io_priority & (IO_LEVELS - 1));
        if (which != WHICH_THREAD && !one) one = IO_BEST_EFFORT << IO_CLASS_SHIFT | (thread->nice + 20) / 5;
        if (best <= 0 || one < best) best = one;
    }
    return best;
}

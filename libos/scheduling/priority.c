/*
 * Nice values and I/O priorities, of a thread, a process group's, a user's: getpriority(2), setpriority(2), ioprio_set(2). I/O priorities are kept and given
 * back: requests go out in the order they come.
 */
#include "scheduling/internal.h"

uint64_t limit_nice(const struct process *process); /* by `system` */
extern __typeof(sched_changed) sched_changed __attribute__((weak)); /* one thread alone has no scheduler */

struct thread *scheduling_find(int tid) { return tid ? thread_find(tid) : current_thread(); }

bool scheduling_owns(const struct thread *thread) {
    uint32_t own = current_process()->credentials.euid;
    const struct credentials *its = &thread->process->credentials;
    return !own || own == its->uid || own == its->euid;
}

bool scheduling_may_be(const struct thread *thread, int nice) {
    return scheduling_superuser() || (uint64_t)(20 - nice) <= limit_nice(thread->process);
}

void scheduling_apply(struct thread *thread) {
    struct scheduling *s = &thread->scheduling;
    uint32_t stride = SCHED_STRIDE;
    for (int nice = s->nice; nice > 0; nice--) stride += stride / 4;
    for (int nice = s->nice; nice < 0; nice++) stride -= stride / 5;
    if (s->policy == POLICY_IDLE) stride = SCHED_STRIDE * 341; /* Linux weighs it 3 where nice 0 is 1024 */
    s->stride = stride;
    s->fifo = s->policy == POLICY_FIFO;
    if (&sched_changed) sched_changed(thread);
}

void scheduling_visit(int which, int who, void (*visit)(struct thread *, void *), void *argument) {
    const struct process *self = current_process();
    if (!which) {
        struct thread *thread = scheduling_find(who);
        if (thread) visit(thread, argument);
        return;
    }
    if (!who) who = which == 1 ? self->group : (int)self->credentials.uid;
    for (struct process *process = &first_process; process; process = process->next) {
        if (which == 1 ? process->group != who : process->credentials.uid != (uint32_t)who) continue;
        for (struct thread *thread = process->threads; thread; thread = thread->next) visit(thread, argument);
    }
}

struct search { long result; int value; };

static void see_nice(struct thread *thread, void *argument) {
    struct search *search = argument;
    if (20 - thread->scheduling.nice > search->result) search->result = 20 - thread->scheduling.nice;
}

/* 40..1, as a result below zero would be an error. */
SYSCALL_DEFINE(getpriority, int which, int who) {
    struct search search = {-ESRCH, 0};
    if (which < 0 || which > 2) return -EINVAL;
    scheduling_visit(which, who, see_nice, &search);
    return search.result;
}

static void set_nice(struct thread *thread, void *argument) {
    struct search *search = argument;
    if (!scheduling_owns(thread)) {
        search->result = -EPERM;
    } else if (search->value < thread->scheduling.nice && !scheduling_may_be(thread, search->value)) {
        search->result = -EACCES;
    } else {
        if (search->result == -ESRCH) search->result = 0;
        thread->scheduling.nice = (int8_t)search->value;
        scheduling_apply(thread);
    }
}

SYSCALL_DEFINE(setpriority, int which, int who, int nice) {
    struct search search = {-ESRCH, nice < NICE_LEAST ? NICE_LEAST : nice > NICE_MOST ? NICE_MOST : nice};
    if (which < 0 || which > 2) return -EINVAL;
    scheduling_visit(which, who, set_nice, &search);
    return search.result;
}

enum { IO_NONE, IO_REALTIME, IO_BEST_EFFORT, IO_IDLE, IO_CLASS_SHIFT = 13, IO_LEVELS = 8 };

/* A thread without one of its own has what its nice value and policy make of it. */
static unsigned io_effective(const struct thread *thread) {
    const struct scheduling *s = &thread->scheduling;
    unsigned kind = s->policy == POLICY_IDLE ? IO_IDLE : s->realtime ? IO_REALTIME : IO_BEST_EFFORT;
    if (s->io_priority >> IO_CLASS_SHIFT) return s->io_priority;
    return kind << IO_CLASS_SHIFT | (unsigned)(s->nice + 20) / 5;
}

static void set_io(struct thread *thread, void *argument) {
    struct search *search = argument;
    if (!scheduling_owns(thread)) {
        search->result = -EPERM;
    } else {
        if (search->result == -ESRCH) search->result = 0;
        thread->scheduling.io_priority = (uint16_t)search->value;
    }
}

/* The best: a lower class is better, and in it a lower level. */
static void see_io(struct thread *thread, void *argument) {
    struct search *search = argument;
    long io = io_effective(thread);
    if (search->result < 0 || io < search->result) search->result = io;
}

SYSCALL_DEFINE(ioprio_set, int which, int who, int priority) {
    unsigned kind = (unsigned)priority >> IO_CLASS_SHIFT & 7, level = (unsigned)priority & (IO_LEVELS - 1);
    struct search search = {-ESRCH, (int)(kind << IO_CLASS_SHIFT | level)};
    if (kind == IO_REALTIME && !scheduling_superuser()) return -EPERM;
    if (kind > IO_IDLE || (kind == IO_NONE && level) || which < 1 || which > 3) return -EINVAL;
    scheduling_visit(which - 1, who, set_io, &search);
    return search.result;
}

SYSCALL_DEFINE(ioprio_get, int which, int who) {
    struct search search = {-ESRCH, 0};
    if (which < 1 || which > 3) return -EINVAL;
    if (which == 1) {
        const struct thread *thread = scheduling_find(who);
        return thread ? thread->scheduling.io_priority : -ESRCH;
    }
    scheduling_visit(which - 1, who, see_io, &search);
    return search.result;
}

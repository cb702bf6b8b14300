/*
 * The scheduler. Owns the run queue (threads that are ready and do not run) and the time slice: a timer that is only armed while the queue
 * is not empty. Its interrupt raises a bottom half that puts the running thread behind the others; bottom halves run at safe points, so
 * the libOS is never preempted in its middle.
 */
#include "arch/arch.h"
#include "clock/clock.h"
#include "thread/internal.h"
#include "vm/vm.h"
#include "wait/wait.h"

#define SLICE_NS 10000000ull

#pragma GCC visibility push(hidden)
bool deferred_waiting(void);
#pragma GCC visibility pop

static struct thread *first, *last;
static struct thread *gone; /* runs no more, but until the switch away from it on its own stack */

static void preempt(struct deferred *deferred) {
    (void)deferred;
    if (current_thread()->state == THREAD_RUNNING) sched_yield_to_others(); /* else whoever idles looks at the queue itself */
}
static struct deferred preemption = {.run = preempt};

static void slice_over(struct timer *timer) {
    (void)timer;
    if (first) deferred_raise(&preemption);
}
static struct timer slice = {.run = slice_over};

static void enqueue(struct thread *thread) {
    thread->state = THREAD_READY;
    thread->run_next = NULL;
    if (first) last->run_next = thread;
    else first = thread;
    last = thread;
    if (!slice.link) {
        slice.deadline_ns = clock_monotonic_ns() + SLICE_NS;
        timer_add(&slice);
    }
}

void sched_ready(struct thread *thread) {
    if (thread->state == THREAD_BLOCKED) enqueue(thread);
}

void sched_resumed(void) {
    struct thread *self = current_thread();
    if (gone) {
        thread_free(gone);
        gone = NULL;
    }
    if (signals_waiting() || self->mask_saved || self->process->stopped || self->process->ending) arch_work = 1;
}

void cpu_time_switch(struct thread *from, struct thread *to, bool voluntary) __attribute__((weak)); /* by `cpu-time` */

/* Interrupts off. Idles until a thread is ready, which may be the current one. */
static void run_next(void) {
    struct thread *self = current_thread();
    bool slept = !first, waits = self->state == THREAD_BLOCKED;
    while (!first) {
        if (deferred_waiting()) run_deferred();
        else arch_idle();
    }
    struct thread *next = first;
    first = next->run_next;
    if (cpu_time_switch && (next != self || slept)) cpu_time_switch(self, next, waits);
    next->state = THREAD_RUNNING;
    if (next == self) return;
    const struct address_space *space = next->process->space;
    if (space && arch_root_current() != space->root) arch_root_switch(space->root);
    this_cpu()->current = next;
    task_switches++;
    arch_switch(&self->arch, &next->arch);
    sched_resumed();
}

void sched_block(void) {
    current_thread()->state = THREAD_BLOCKED;
    run_next();
}

void sched_yield_to_others(void) {
    unsigned long flags = arch_irq_save();
    if (first) {
        enqueue(current_thread());
        run_next();
    }
    arch_irq_restore(flags);
}

void thread_gone(void) {
    arch_irq_save();
    gone = current_thread();
    gone->state = THREAD_DEAD;
    run_next();
    __builtin_unreachable();
}

/*
 * The scheduler. Owns the run queues (threads that are ready and do not run) and the time slice: a timer that is only armed while the queue
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

/*
 * Threads that were woken go before those that used up a slice, so that among many that compute one that mostly sleeps still answers at once;
 * but of so many turns in a row one is a computing thread's.
 */
enum { WOKEN, SPENT, QUEUES };
#define WOKEN_IN_A_ROW 8
static struct queue { struct thread *first, *last; } queues[QUEUES];
static unsigned woken_in_a_row;
static struct thread *gone; /* runs no more, but until the switch away from it on its own stack */

static bool somebody(void) { return queues[WOKEN].first || queues[SPENT].first; }

static void preempt(struct deferred *deferred) {
    (void)deferred;
    if (current_thread()->state == THREAD_RUNNING) sched_yield_to_others(); /* else whoever idles looks at the queue itself */
}
static struct deferred preemption = {.run = preempt};

static void slice_over(struct timer *timer) {
    (void)timer;
    if (somebody()) deferred_raise(&preemption);
}
static struct timer slice = {.run = slice_over};

static void enqueue(struct thread *thread, struct queue *queue) {
    thread->state = THREAD_READY;
    thread->run_next = NULL;
    if (queue->first) queue->last->run_next = thread;
    else queue->first = thread;
    queue->last = thread;
    if (!slice.link) {
        slice.deadline_ns = clock_monotonic_ns() + SLICE_NS;
        timer_add(&slice);
    }
}

void sched_ready(struct thread *thread) {
    if (thread->state == THREAD_BLOCKED) enqueue(thread, &queues[WOKEN]);
}

void sched_hurry(struct thread *thread) {
    sched_ready(thread);
    for (unsigned i = 0; i < QUEUES; i++) {
        struct thread *before = NULL;
        for (struct thread *at = queues[i].first; at; before = at, at = at->run_next) {
            if (at != thread) continue;
            *(before ? &before->run_next : &queues[i].first) = at->run_next;
            if (queues[i].last == at) queues[i].last = before;
            at->run_next = queues[WOKEN].first;
            if (!queues[WOKEN].first) queues[WOKEN].last = at;
            queues[WOKEN].first = at;
            return;
        }
    }
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

static struct thread *take(void) {
    bool woken = queues[WOKEN].first && (woken_in_a_row < WOKEN_IN_A_ROW || !queues[SPENT].first);
    struct queue *queue = &queues[woken ? WOKEN : SPENT];
    woken_in_a_row = woken ? woken_in_a_row + 1 : 0;
    struct thread *next = queue->first;
    queue->first = next->run_next;
    return next;
}

/* Interrupts off. Idles until a thread is ready, which may be the current one. */
static void run_next(void) {
    struct thread *self = current_thread();
    bool slept = !somebody(), waits = self->state == THREAD_BLOCKED;
    while (!somebody()) {
        if (deferred_waiting()) run_deferred();
        else arch_idle();
    }
    struct thread *next = take();
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
    if (somebody()) {
        enqueue(current_thread(), &queues[SPENT]);
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

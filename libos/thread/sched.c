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

#pragma GCC visibility push(hidden)
bool deferred_waiting(void);
#pragma GCC visibility pop

/*
 * Real-time threads go first, by their priority. Of the others, threads that were woken go before those that used up a slice, so that among many that compute one that mostly sleeps still answers at once;
 * but of so many turns in a row one is a computing thread's. Those that used up slices go by what these cost them, which is more the nicer they are.
 */
enum { WOKEN, SPENT, REALTIME, QUEUES };
#define WOKEN_IN_A_ROW 8
static struct queue { struct thread *first, *last; } queues[QUEUES];
static unsigned woken_in_a_row;
static uint64_t turns_now; /* of the computing thread that ran last: who comes later begins there */
static struct thread *gone; /* runs no more, but until the switch away from it on its own stack */

static bool somebody(void) { return queues[WOKEN].first || queues[SPENT].first || queues[REALTIME].first; }

static void run_next(void);
static void preempt(struct deferred *deferred);
static struct deferred preemption = {.run = preempt};

static void slice_over(struct timer *timer) {
    (void)timer;
    if (somebody()) deferred_raise(&preemption);
}
static struct timer slice = {.run = slice_over};

static void arm(void) {
    if (slice.link) return;
    slice.deadline_ns = clock_monotonic_ns() + SCHED_SLICE_NS;
    timer_add(&slice);
}

static void insert(struct thread *thread, struct queue *queue, struct thread *before) {
    struct thread **link = before ? &before->run_next : &queue->first;
    thread->run_next = *link;
    *link = thread;
    if (!thread->run_next) queue->last = thread;
}

static void enqueue(struct thread *thread, struct queue *queue) {
    thread->state = THREAD_READY;
    insert(thread, queue, queue->first ? queue->last : NULL);
    arm();
}

/* `first`: before those of the same priority, as who was interrupted by a higher one. */
static void enqueue_realtime(struct thread *thread, bool first) {
    struct thread *before = NULL;
    unsigned least = thread->scheduling.realtime + first;
    for (struct thread *at = queues[REALTIME].first; at && at->scheduling.realtime >= least; at = at->run_next) before = at;
    thread->state = THREAD_READY;
    insert(thread, &queues[REALTIME], before);
    arm();
}

/* Behind those whose slices cost as much or less; among equally nice threads that is the end of the queue. */
static void enqueue_spent(struct thread *thread) {
    struct queue *queue = &queues[SPENT];
    if (thread->turns < turns_now) thread->turns = turns_now;
    thread->turns += thread->scheduling.stride ? thread->scheduling.stride : SCHED_STRIDE;
    if (!queue->first || queue->last->turns <= thread->turns) {
        enqueue(thread, queue);
        return;
    }
    struct thread *before = NULL;
    for (struct thread *at = queue->first; at->turns <= thread->turns; at = at->run_next) before = at;
    thread->state = THREAD_READY;
    insert(thread, queue, before);
    arm();
}

static unsigned realtime_first(void) { return queues[REALTIME].first ? queues[REALTIME].first->scheduling.realtime : 0; }
static void preempt_for_realtime(void) {
    if (realtime_first() > current_thread()->scheduling.realtime) deferred_raise(&preemption);
}

void sched_ready(struct thread *thread) {
    if (thread->state != THREAD_BLOCKED) return;
    if (!thread->scheduling.realtime) {
        enqueue(thread, &queues[WOKEN]);
        return;
    }
    enqueue_realtime(thread, false);
    preempt_for_realtime();
}

static bool unqueue(struct thread *thread) {
    for (unsigned i = 0; i < QUEUES; i++) {
        struct thread *before = NULL;
        for (struct thread *at = queues[i].first; at; before = at, at = at->run_next) {
            if (at != thread) continue;
            *(before ? &before->run_next : &queues[i].first) = at->run_next;
            if (queues[i].last == at) queues[i].last = before;
            return true;
        }
    }
    return false;
}

void sched_hurry(struct thread *thread) {
    sched_ready(thread);
    if (!thread->scheduling.realtime && unqueue(thread)) insert(thread, &queues[WOKEN], NULL);
}

void sched_changed(struct thread *thread) {
    unsigned long flags = arch_irq_save();
    if (thread->state == THREAD_READY && unqueue(thread)) {
        if (thread->scheduling.realtime) enqueue_realtime(thread, false);
        else enqueue(thread, &queues[WOKEN]); /* its turn comes, and from then on by its cost */
    }
    preempt_for_realtime();
    arch_irq_restore(flags);
}

/* At a slice's end, or when a thread of a higher priority is ready. */
static void preempt(struct deferred *deferred) {
    struct thread *self = current_thread();
    (void)deferred;
    if (self->state != THREAD_RUNNING) return; /* whoever idles looks at the queue itself */
    unsigned own = self->scheduling.realtime, other = realtime_first();
    if (own && (other < own || (other == own && self->scheduling.fifo))) {
        unsigned long flags = arch_irq_save();
        if (somebody()) arm();
        arch_irq_restore(flags);
        return;
    }
    if (own && other > own) {
        unsigned long flags = arch_irq_save();
        enqueue_realtime(self, true);
        run_next();
        arch_irq_restore(flags);
        return;
    }
    sched_yield_to_others();
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
    if (queues[REALTIME].first) {
        struct thread *next = queues[REALTIME].first;
        queues[REALTIME].first = next->run_next;
        return next;
    }
    bool woken = queues[WOKEN].first && (woken_in_a_row < WOKEN_IN_A_ROW || !queues[SPENT].first);
    struct queue *queue = &queues[woken ? WOKEN : SPENT];
    woken_in_a_row = woken ? woken_in_a_row + 1 : 0;
    struct thread *next = queue->first;
    queue->first = next->run_next;
    if (!woken && next->turns > turns_now) turns_now = next->turns;
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
        struct thread *self = current_thread();
        if (self->scheduling.realtime) enqueue_realtime(self, false);
        else enqueue_spent(self);
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

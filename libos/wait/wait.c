/*
 * Wait queues. A waiter's wake() is called at each wake. Alone on the machine, a sleeper needs nobody to wake it: it idles, runs the
 * bottom halves that each interrupt left, and looks at its condition again. With the scheduler (weak) another thread runs meanwhile.
 */
#include "wait/wait.h"
#include "arch/arch.h"
#include "clock/clock.h"
#include "syscall/errno.h"
#include "task/task.h"

#pragma GCC visibility push(hidden)
/* By the scheduler. block: interrupts off; returns when the thread was made ready (by ready, or before it blocked). */
void sched_block(void) __attribute__((weak));
void sched_ready(struct thread *thread) __attribute__((weak));
bool deferred_waiting(void);
/* By `signal`: in linked images, delivers what interrupted a call, since nothing else follows the call; not 0: the call may go on. */
int signal_interrupted(void) __attribute__((weak));
void cpu_time_slept(void) __attribute__((weak)); /* by `cpu-time` */
#pragma GCC visibility pop

void wait_queue_add(struct wait_queue *queue, struct waiter *waiter) {
    struct waiter *first = queue->first;
    waiter->next = first;
    waiter->previous = NULL;
    if (first)
        first->previous = waiter;
    queue->first = waiter;
}

void wait_queue_remove(struct wait_queue *queue, struct waiter *waiter) {
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        queue->first = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
}

/* Oldest first. A wake() may remove its own waiter, no other. */
void wait_queue_wake(struct wait_queue *queue, int count) {
    struct waiter *waiter = queue->first;
    while (waiter && waiter->next)
        waiter = waiter->next;
    for (; waiter && count; count -= count > 0) {
        struct waiter *previous = waiter->previous;
        waiter->wake(waiter);
        waiter = previous;
    }
}

static void wake_thread(struct waiter *waiter) {
    if (sched_ready)
        sched_ready(waiter->thread);
}

struct deadline { struct timer timer; struct thread *thread; };
static void wake_at_deadline(struct timer *timer) {
    if (sched_ready)
        sched_ready(((struct deadline *)timer)->thread);
}

int wait_until(struct wait_queue *queue, bool (*condition)(void *), void *argument, uint64_t deadline_ns, int interruptible) {
    struct waiter waiter = {.thread = current_thread(), .wake = wake_thread};
    struct deadline deadline = {.timer = {.deadline_ns = deadline_ns, .run = wake_at_deadline}, .thread = current_thread()};
    bool slept = false;
    int result;
again:
    result = 0;
    wait_queue_add(queue, &waiter);
    if (deadline_ns)
        timer_add(&deadline.timer);
    for (;;) {
        run_deferred();
        if (condition(argument))
            break;
        if (interruptible && signals_waiting()) {
            result = -EINTR;
            break;
        }
        if (deadline_ns && clock_monotonic_ns() >= deadline_ns) {
            result = -ETIMEDOUT;
            break;
        }
        unsigned long flags = arch_irq_save();
        if (!deferred_waiting()) { /* else what it brings may be what is waited for */
            if (sched_block)
                sched_block();
            else {
                arch_idle();
                slept = true;
            }
        }
        arch_irq_restore(flags);
    }
    if (slept && cpu_time_slept)
        cpu_time_slept();
    timer_remove(&deadline.timer);
    wait_queue_remove(queue, &waiter);
    if (result == -EINTR && signal_interrupted && signal_interrupted() && interruptible != WAIT_BREAKS)
        goto again;
    return result;
}

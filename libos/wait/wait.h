/*
 * Sleeping. A wait queue is a list of waiters. Without the scheduler component the only thread idles in arch_idle();
 * with it, another runs. The same source serves both: sched_switch_away is a weak reference.
 */
#ifndef HULL_WAIT_WAIT_H
#define HULL_WAIT_WAIT_H
#include <stdbool.h>
#include <stdint.h>
struct thread;
struct waiter { struct waiter *next, *previous; struct thread *thread; void (*wake)(struct waiter *); };
struct wait_queue { struct waiter *first; };
/* A caller's own waiter: wake is called (bottom half or call context) at each wake until the waiter is removed. */
void wait_queue_add(struct wait_queue *, struct waiter *);
void wait_queue_remove(struct wait_queue *, struct waiter *);
/* Who polls a file gives it one of these; the file names the queues whose wake means "look again". poll and epoll each have their own add. */
struct poll_wait { void (*add)(struct poll_wait *, struct wait_queue *); unsigned events; };
/* For a queue that tells of some POLL* events only. */
static inline void poll_wait_add_for(struct poll_wait *wait, struct wait_queue *queue, unsigned events) {
    if (!wait) return;
    wait->events = events;
    wait->add(wait, queue);
}
static inline void poll_wait_add(struct poll_wait *wait, struct wait_queue *queue) { poll_wait_add_for(wait, queue, ~0u); }

void wait_queue_wake(struct wait_queue *, int count); /* count < 0: all. From bottom halves and calls. */
/* Sleeps until condition(argument) holds. deadline_ns: clock_monotonic_ns() time, 0 for none.
 * 0, -ETIMEDOUT, or -EINTR when a signal is to be delivered. interruptible: false (no signal ends it), true, or WAIT_BREAKS: also true, for calls that
 * no SA_RESTART makes go on (signal(7)). It matters in linked programs, whose handlers run inside the wait. */
#define WAIT_BREAKS 2
int wait_until(struct wait_queue *, bool (*condition)(void *), void *argument, uint64_t deadline_ns, int interruptible);

/* A lock that is held over sleeps, such as a copy that waits for a page of the program: a thread at a time has its turn, the others sleep, which no
 * signal ends. All zero: nobody's. Context: calls. Not recursive: who may come again looks at `owner` first. */
struct turn { struct thread *owner; struct wait_queue others; };
void turn_take(struct turn *);
void turn_end(struct turn *);

/* Deferred work (bottom halves). An entry is raised by interrupt handlers and run once at the next safe point. */
struct deferred { void (*run)(struct deferred *); struct deferred *next; bool raised; };
void deferred_raise(struct deferred *); /* any context */
void run_deferred(void);                /* safe points only */
#endif

/*
 * One-shot timers on the CPU time of a process or a thread, and RLIMIT_CPU. A timer waits in the list of the process whose time it counts; only while a
 * thread of that process runs is the clock's timer armed for it, so that nothing ticks. Context: calls and bottom halves.
 */
#ifndef HULL_CPU_TIMERS_CPU_TIMERS_H
#define HULL_CPU_TIMERS_CPU_TIMERS_H
#include "cpu-time/cpu_time.h"

struct cpu_timer {
    struct cpu_timer *next, **link; /* link: NULL while it does not wait */
    struct cpu_clock clock;
    uint64_t expires_ns;            /* of that clock */
    void (*run)(struct cpu_timer *); /* once, from a bottom half; it no longer waits then */
};
void cpu_timer_add(struct cpu_timer *);    /* all but link set; not while it waits */
void cpu_timer_remove(struct cpu_timer *); /* nothing happens when it does not wait */

/* Hooks by weak references: a thread, a process ends (timers of others on its clock stop for good); RLIMIT_CPU may have changed. */
void cpu_timers_thread_end(struct thread *);
void cpu_timers_process_end(struct process *);
void cpu_timers_limit(struct process *);
#endif

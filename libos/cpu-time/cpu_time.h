/*
 * Who used the CPU. Owns the accounts: the time between two changes of the running thread, less what the CPU slept, belongs to the thread that ran.
 * That sum is exact; how much of it was in the program and how much in calls is told by samples of a 100 Hz tick, which runs from the first
 * question on and only while the CPU works, as on a Linux without exact accounting. Time of interrupts goes to whom they interrupt.
 * Context: calls and bottom halves. Lock: one CPU, the libOS is not preempted.
 */
#ifndef HULL_CPU_TIME_CPU_TIME_H
#define HULL_CPU_TIME_CPU_TIME_H
#include "task/task.h"

uint64_t cpu_time_of_thread(const struct thread *);   /* ns until now */
uint64_t cpu_time_of_process(const struct process *); /* all its threads, also those that have ended */

/* A clock of CPU time: of a process, or of one of its threads; program_only: time in calls does not count. */
struct cpu_clock { struct process *process; struct thread *thread; bool program_only; };
bool cpu_clock_find(int clock, struct cpu_clock *out); /* by Linux's number; false: it names no such clock */
uint64_t cpu_clock_read(const struct cpu_clock *);

/* What getrusage tells, in Linux's layout. */
struct rusage {
    struct { int64_t seconds, microseconds; } user, system;
    int64_t most_resident, shared, data, stack, minor_faults, major_faults, swaps, blocks_in, blocks_out, messages_sent, messages_received,
        signals, voluntary, involuntary;
};
/* Program time and time in calls, in ns; their sum is the CPU time, and neither ever goes back. */
struct cpu_split { uint64_t user, system; };
struct cpu_split cpu_time_split_thread(struct thread *);
struct cpu_split cpu_time_split_process(struct process *);
void cpu_time_usage_process(struct process *, struct rusage *out);
void cpu_time_usage_both(struct process *, struct rusage *out); /* its own and its children's: what a parent is told of it */

/* Hooks, called by weak references. */
void cpu_time_switch(struct thread *from, struct thread *to, bool voluntary); /* by the scheduler, while `from` is still the current one */
void cpu_time_thread_end(struct thread *);                    /* its account goes to its process; called by itself */
void cpu_time_space_end(struct process *);                    /* before it gives up its address space: the most memory that it had */
void cpu_time_reaped(struct process *parent, struct process *child); /* somebody waited for it */
void cpu_time_slept(void);                                    /* by `wait` where there is no scheduler: the only thread goes on */
/* By `cpu-timers`: this thread runs from now on. */
void cpu_timers_resume(struct thread *);
#endif

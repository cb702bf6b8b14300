/*
 * Timers of CPU time. Owns the lists that processes point to and one timer of the clock, armed for what the running thread will reach first.
 */
#include "cpu-timers/cpu_timers.h"
#include "clock/clock.h"
#include "memory/memory.h"
#include "signal/signal.h"

#define NONE (~0ull)
#define SECOND 1000000000ull
#define LEAST_NS 20000   /* between two looks */
#define SAMPLED_NS 2000000 /* ... where samples decide */

#pragma weak signal_send
/* By `system`: RLIMIT_CPU in seconds; ~0: none. */
void limit_cpu(const struct process *, uint64_t *soft, uint64_t *hard) __attribute__((weak));

static struct timer alarm;

/* RLIMIT_CPU counts as one more timer: when the process is to be looked at next. */
static uint64_t limit_check(struct process *process, uint64_t used) {
    uint64_t soft = NONE, hard = NONE;
    if (!process->cpu_limited || !limit_cpu || !signal_send) return NONE;
    limit_cpu(process, &soft, &hard);
    if (hard != NONE && used >= hard * SECOND) {
        signal_send(process, &(struct signal_info){.number = SIGKILL, .code = SI_KERNEL});
        return NONE;
    }
    uint64_t next = hard == NONE ? NONE : hard * SECOND;
    if (soft == NONE) return next;
    if (process->cpu_warned < soft) process->cpu_warned = soft;
    if (used >= process->cpu_warned * SECOND) { /* now, and each second from here on */
        signal_send(process, &(struct signal_info){.number = SIGXCPU, .code = SI_KERNEL});
        process->cpu_warned = used / SECOND + 1;
    }
    uint64_t warning = process->cpu_warned * SECOND;
    return warning < next ? warning : next;
}

static void arm(struct thread *thread) {
    struct process *process = thread->process;
    uint64_t least = NONE;
    for (const struct cpu_timer *timer = process->cpu_timers; timer; timer = timer->next) {
        if (timer->clock.thread && timer->clock.thread != thread) continue;
        uint64_t now = cpu_clock_read(&timer->clock), left = timer->expires_ns > now ? timer->expires_ns - now : 0;
        if (timer->clock.program_only && left < SAMPLED_NS) left = SAMPLED_NS;
        if (left < least) least = left;
    }
    if (process->cpu_limited) {
        uint64_t used = cpu_time_of_process(process), next = limit_check(process, used);
        if (next != NONE && next - used < least) least = next - used;
    }
    if (least == NONE) return;
    alarm.deadline_ns = clock_monotonic_ns() + (least < LEAST_NS ? LEAST_NS : least);
    timer_add(&alarm);
}

static void look(struct timer *unused) {
    struct process *process = current_process();
    (void)unused;
    for (bool again = true; again;) {
        again = false;
        for (struct cpu_timer *timer = process->cpu_timers; timer && !again; timer = timer->next) {
            if (cpu_clock_read(&timer->clock) < timer->expires_ns) continue;
            cpu_timer_remove(timer);
            timer->run(timer); /* may change the list */
            again = true;
        }
    }
    timer_remove(&alarm);
    if (arch_timer_found != TIMER_FOUND_IDLE) arm(current_thread());
}

void cpu_timers_resume(struct thread *thread) {
    timer_remove(&alarm);
    alarm.run = look;
    if (thread->process->cpu_timers || thread->process->cpu_limited) arm(thread);
}

void cpu_timer_add(struct cpu_timer *timer) {
    struct cpu_timer **head = &timer->clock.process->cpu_timers;
    timer->next = *head;
    if (timer->next) timer->next->link = &timer->next;
    timer->link = head;
    *head = timer;
    cpu_timers_resume(current_thread());
}

void cpu_timer_remove(struct cpu_timer *timer) {
    if (!timer->link) return;
    *timer->link = timer->next;
    if (timer->next) timer->next->link = timer->link;
    timer->link = NULL;
}

void cpu_timers_thread_end(struct thread *thread) {
    for (struct cpu_timer *timer = thread->process->cpu_timers, *next; timer; timer = next) {
        next = timer->next;
        if (timer->clock.thread == thread) cpu_timer_remove(timer);
    }
}

void cpu_timers_process_end(struct process *process) {
    while (process->cpu_timers) cpu_timer_remove(process->cpu_timers);
}

void cpu_timers_limit(struct process *process) {
    uint64_t soft = NONE, hard = NONE;
    if (limit_cpu) limit_cpu(process, &soft, &hard);
    process->cpu_limited = soft != NONE || hard != NONE;
    process->cpu_warned = 0;
    cpu_timers_resume(current_thread());
}

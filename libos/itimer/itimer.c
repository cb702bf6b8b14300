/*
 * alarm and the interval timers: ITIMER_REAL counts time, ITIMER_VIRTUAL the process's own computing, ITIMER_PROF all its CPU time. Owns three timers for each
 * process that asked.
 */
#include "clock/clock.h"
#include "cpu-timers/cpu_timers.h"
#include "memory/memory.h"
#include "signal/signal.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"

struct timeval { int64_t seconds, microseconds; };
struct itimerval { struct timeval interval, value; };
enum { REAL, VIRTUAL, PROFILE, COUNT };
/* One of the two runs: `timer` for ITIMER_REAL, `cpu` for the others. */
struct interval_timer { struct timer timer; struct cpu_timer cpu; uint64_t interval, expires; struct process *process; bool armed; };

/* A process's three, made at its first call; the first process's are static. */
struct interval_timers { struct interval_timer of[COUNT]; };
static struct interval_timers first_timers;

static struct interval_timer *timers_of(struct process *process) {
    if (!process->timers) process->timers = process == &first_process ? &first_timers : kzalloc(sizeof first_timers);
    return process->timers ? process->timers->of : NULL;
}

static void disarm(struct interval_timer *it) {
    timer_remove(&it->timer);
    cpu_timer_remove(&it->cpu);
    it->armed = false;
}

/* The process ends. */
void itimer_end(struct process *process) {
    if (!process->timers) return;
    for (int i = 0; i < COUNT; i++) disarm(&process->timers->of[i]);
    if (process != &first_process) kfree(process->timers);
    process->timers = NULL;
}

static int which_of(const struct interval_timer *it) { return (int)(it - it->process->timers->of); }

static uint64_t now_of(const struct interval_timer *it) {
    return which_of(it) == REAL ? clock_monotonic_ns() : cpu_clock_read(&(struct cpu_clock){it->process, NULL, which_of(it) == VIRTUAL});
}

static void fired(struct timer *);
static void used_up(struct cpu_timer *);

static void arm(struct interval_timer *it) {
    it->armed = true;
    if (which_of(it) == REAL) {
        it->timer.run = fired;
        it->timer.deadline_ns = it->expires;
        timer_add(&it->timer);
        return;
    }
    it->cpu.clock = (struct cpu_clock){it->process, NULL, which_of(it) == VIRTUAL};
    it->cpu.run = used_up;
    it->cpu.expires_ns = it->expires;
    cpu_timer_add(&it->cpu);
}

static void fire(struct interval_timer *it) {
    static const uint8_t signals[COUNT] = {SIGALRM, SIGVTALRM, SIGPROF};
    it->armed = false;
    signal_send(it->process, &(struct signal_info){.number = signals[which_of(it)], .code = SI_KERNEL});
    if (!it->interval) return;
    uint64_t now = now_of(it);
    /* Missed periods are not caught up: a signal waits at most once. */
    do it->expires += it->interval;
    while (it->expires <= now && it->interval > 1000000);
    if (it->expires <= now) it->expires = now + it->interval;
    arm(it);
}
static void fired(struct timer *t) { fire((struct interval_timer *)t); }
static void used_up(struct cpu_timer *t) { fire((struct interval_timer *)((char *)t - offsetof(struct interval_timer, cpu))); }

static bool to_ns(const struct timeval *t, uint64_t *ns) {
    if (t->seconds < 0 || (uint64_t)t->microseconds > 999999) return false;
    *ns = t->seconds > 4000000000 ? 4000000000000000000ull : (uint64_t)t->seconds * 1000000000 + (uint64_t)t->microseconds * 1000;
    return true;
}

static struct timeval from_ns(uint64_t ns) {
    return (struct timeval){(int64_t)(ns / 1000000000), (int64_t)(ns % 1000000000 / 1000)};
}

static struct itimerval left(const struct interval_timer *it) {
    uint64_t value = 0;
    if (it->armed) {
        uint64_t now = now_of(it);
        value = it->expires > now + 1000 ? it->expires - now : 1000; /* never 0 while it is armed */
    }
    return (struct itimerval){from_ns(it->interval), from_ns(value)};
}

static void set(int which, uint64_t value, uint64_t interval) {
    struct interval_timer *it = &timers_of(current_process())[which];
    disarm(it);
    it->interval = interval;
    it->process = current_process();
    if (!value) return;
    it->expires = now_of(it) + value;
    arm(it);
}

SYSCALL_DEFINE(getitimer, int which, struct itimerval *out) {
    if (which < 0 || which > 2) return -EINVAL;
    if (!timers_of(current_process())) return -ENOMEM;
    struct itimerval now = left(&timers_of(current_process())[which]);
    return user_copy_out(out, &now, sizeof now);
}

SYSCALL_DEFINE(setitimer, int which, const struct itimerval *wanted, struct itimerval *old) {
    struct itimerval in = {0};
    uint64_t value, interval;
    if (which < 0 || which > 2) return -EINVAL;
    if (!timers_of(current_process())) return -ENOMEM;
    if (wanted && user_copy_in(&in, wanted, sizeof in)) return -EFAULT;
    if (!to_ns(&in.value, &value) || !to_ns(&in.interval, &interval)) return -EINVAL;
    struct itimerval before = left(&timers_of(current_process())[which]);
    set(which, value, interval);
    return old ? user_copy_out(old, &before, sizeof before) : 0;
}

SYSCALL_DEFINE(alarm, unsigned seconds) {
    if (!timers_of(current_process())) return -ENOMEM;
    struct itimerval before = left(&timers_of(current_process())[0]);
    set(0, seconds * 1000000000ull, 0);
    /* Rounded, but an alarm that is set never answers 0. */
    int64_t whole = before.value.seconds + (before.value.microseconds >= 500000);
    return whole || !before.value.microseconds ? whole : 1;
}

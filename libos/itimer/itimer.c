/*
 * alarm and the interval timers. ITIMER_REAL counts time and sends SIGALRM. The two of CPU time count time, too: they differ
 * from ITIMER_REAL only in their signals, which is early while a program sleeps, and exact while it runs.
 */
#include "clock/clock.h"
#include "memory/memory.h"
#include "signal/signal.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"

struct timeval { int64_t seconds, microseconds; };
struct itimerval { struct timeval interval, value; };
struct interval_timer { struct timer timer; uint64_t interval; struct process *process; int signal; bool armed; };

/* A process's three, made at its first call; the first process's are static. */
struct interval_timers { struct interval_timer of[3]; };
static struct interval_timers first_timers;

static struct interval_timer *timers_of(struct process *process) {
    if (!process->timers) process->timers = process == &first_process ? &first_timers : kzalloc(sizeof first_timers);
    return process->timers ? process->timers->of : NULL;
}

/* The process ends. */
void itimer_end(struct process *process) {
    if (!process->timers) return;
    for (int i = 0; i < 3; i++) timer_remove(&process->timers->of[i].timer);
    if (process != &first_process) kfree(process->timers);
    process->timers = NULL;
}

static void fire(struct timer *t) {
    struct interval_timer *it = (struct interval_timer *)t;
    it->armed = false;
    signal_send(it->process, &(struct signal_info){.number = it->signal, .code = SI_KERNEL});
    if (!it->interval) return;
    uint64_t now = clock_monotonic_ns();
    /* Missed periods are not caught up: a signal waits at most once. */
    do it->timer.deadline_ns += it->interval;
    while (it->timer.deadline_ns <= now && it->interval > 1000000);
    if (it->timer.deadline_ns <= now) it->timer.deadline_ns = now + it->interval;
    it->armed = true;
    timer_add(&it->timer);
}

static bool to_ns(const struct timeval *t, uint64_t *ns) {
    if (t->seconds < 0 || (uint64_t)t->microseconds > 999999) return false;
    *ns = t->seconds > 4000000000 ? 4000000000000000000ull : (uint64_t)t->seconds * 1000000000 + (uint64_t)t->microseconds * 1000;
    return true;
}

static struct timeval from_ns(uint64_t ns) {
    return (struct timeval){(int64_t)(ns / 1000000000), (int64_t)(ns % 1000000000 / 1000)};
}

static struct itimerval left(const struct interval_timer *it) {
    uint64_t now = clock_monotonic_ns(), value = 0;
    if (it->armed) value = it->timer.deadline_ns > now + 1000 ? it->timer.deadline_ns - now : 1000; /* never 0 while it is armed */
    return (struct itimerval){from_ns(it->interval), from_ns(value)};
}

static void set(int which, uint64_t value, uint64_t interval) {
    static const uint8_t signals[3] = {SIGALRM, SIGVTALRM, SIGPROF};
    struct interval_timer *it = &timers_of(current_process())[which];
    if (it->armed) timer_remove(&it->timer);
    it->armed = value != 0;
    it->interval = interval;
    it->signal = signals[which];
    it->process = current_process();
    if (!value) return;
    it->timer.run = fire;
    it->timer.deadline_ns = clock_monotonic_ns() + value;
    timer_add(&it->timer);
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

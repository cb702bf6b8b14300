/*
 * POSIX timers: timer_create(2) and its kind. Owns the timers of each process. One that has run out waits until its signal is taken from the queue, and only
 * then begins its next period: what passed meanwhile are its overruns, so a signal that is blocked costs nothing and waits once.
 * Clocks of time use a timer of `clock`, CPU clocks one of `cpu-timers`. Lock: the process's list (one CPU: nothing).
 */
#include "clock/clock.h"
#include "cpu-timers/cpu_timers.h"
#include "memory/memory.h"
#include "signal/signal.h"
#include "syscall/syscall.h"

enum { REALTIME = 0, MONOTONIC = 1, MONOTONIC_RAW = 4, MONOTONIC_COARSE = 6, BOOTTIME = 7, REALTIME_ALARM = 8, BOOTTIME_ALARM = 9, TAI = 11 };
enum { NOTIFY_SIGNAL = 0, NOTIFY_NONE = 1, NOTIFY_THREAD = 2, NOTIFY_THREAD_ID = 4, ABSOLUTE = 1, MOST_TIMERS = 4096 };
#define SECOND 1000000000ull
#define LONGEST 4000000000ull
struct timespec { int64_t seconds, nanoseconds; };
struct itimerspec { struct timespec interval, value; };
struct sigevent { uint64_t value; int signal, notify, thread, padding[11]; };

struct posix_timer {
    struct posix_timer *next;
    struct process *process;
    int id, notify, signal, thread; /* thread: whom NOTIFY_THREAD_ID signals */
    uint64_t value;
    bool real, used;                /* its clock: real time, CPU time */
    bool armed;
    bool queued;                    /* its signal waits to be taken; then the next period begins */
    bool watches;                   /* a moment of real time: follows when that is set */
    int overrun;                    /* of the signal that was taken last */
    uint64_t interval, expires;     /* expires: clock_monotonic_ns(), or of the CPU clock */
    struct timer timer;
    struct cpu_timer cpu;
    struct clock_watch watch;
};
struct posix_timers { struct posix_timer *first; int next_id, count; };

static uint64_t now_of(const struct posix_timer *t) { return t->used ? cpu_clock_read(&t->cpu.clock) : clock_monotonic_ns(); }

static void stop(struct posix_timer *t) {
    timer_remove(&t->timer);
    cpu_timer_remove(&t->cpu);
}

static void start(struct posix_timer *t) {
    if (t->notify == NOTIFY_NONE) return; /* who asks computes */
    t->timer.deadline_ns = t->cpu.expires_ns = t->expires;
    if (t->used) cpu_timer_add(&t->cpu);
    else timer_add(&t->timer);
}

/* Goes on with the first period that ends after now; how many ended before, besides the one that it waited for. */
static uint64_t next_period(struct posix_timer *t) {
    uint64_t now = now_of(t), passed = now > t->expires ? (now - t->expires) / t->interval : 0;
    t->expires += (passed + 1) * t->interval;
    return passed;
}

static void fire(struct posix_timer *t) {
    struct signal_info info = {.number = t->signal, .code = SI_TIMER};
    struct thread *thread = NULL;
    info.pid = t->id;
    info.value = t->value;
    bool alive = true;
    if (t->notify == NOTIFY_THREAD_ID) {
        thread = thread_find(t->thread);
        alive = thread && thread->process == t->process;
    }
    t->queued = alive && signal_send_timer(t->process, thread, &info);
    if (!t->interval) t->armed = false;
    else if (!t->queued) {
        next_period(t);
        start(t);
    }
}
static void time_over(struct timer *timer) { fire((struct posix_timer *)((char *)timer - offsetof(struct posix_timer, timer))); }
static void time_used(struct cpu_timer *timer) { fire((struct posix_timer *)((char *)timer - offsetof(struct posix_timer, cpu))); }

static void time_set(struct clock_watch *watch, int64_t jump) {
    struct posix_timer *t = (struct posix_timer *)((char *)watch - offsetof(struct posix_timer, watch));
    if (!t->armed || !t->watches || t->queued) return;
    stop(t);
    t->expires = jump > 0 && t->expires < (uint64_t)jump ? 0 : t->expires - (uint64_t)jump;
    start(t);
}

static struct posix_timer *find(int id) {
    struct posix_timers *all = current_process()->posix_timers;
    struct posix_timer *t = all ? all->first : NULL;
    while (t && t->id != id) t = t->next;
    return t;
}

void posix_timer_taken(struct signal_info *info) {
    struct posix_timer *t = find(info->pid);
    if (!t || !t->queued) return;
    t->queued = false;
    uint64_t passed = 0;
    if (t->armed && t->interval) {
        passed = next_period(t);
        start(t);
    }
    t->overrun = passed > 0x7fffffff ? 0x7fffffff : (int)passed;
    info->uid = (uint32_t)t->overrun;
}

static void discard(struct posix_timer *t) {
    stop(t);
    clock_watch_remove(&t->watch);
    kfree(t);
}

void posix_timers_end(struct process *process) {
    struct posix_timers *all = process->posix_timers;
    if (!all) return;
    for (struct posix_timer *t = all->first, *next; t; t = next) {
        next = t->next;
        discard(t);
    }
    kfree(all);
    process->posix_timers = NULL;
}

/* 0, or what is wrong with the clock. */
static int set_clock(struct posix_timer *t, int clock) {
    if (cpu_clock_find(clock, &t->cpu.clock)) {
        t->used = true;
        return 0;
    }
    if ((clock == REALTIME_ALARM || clock == BOOTTIME_ALARM) && current_process()->credentials.euid) return -EPERM; /* CAP_WAKE_ALARM */
    switch (clock) {
    case REALTIME: case REALTIME_ALARM: case TAI: t->real = true; return 0;
    case MONOTONIC: case BOOTTIME: case BOOTTIME_ALARM: return 0;
    default: return clock >= MONOTONIC_RAW && clock <= MONOTONIC_COARSE ? -EOPNOTSUPP : -EINVAL;
    }
}

static bool good_event(const struct sigevent *event) {
    if (event->notify == NOTIFY_NONE) return true;
    if (event->notify == NOTIFY_THREAD_ID) {
        struct thread *thread = thread_find(event->thread);
        if (!thread || thread->process != current_process()) return false;
    } else if (event->notify != NOTIFY_SIGNAL && event->notify != NOTIFY_THREAD) {
        return false;
    }
    return event->signal >= 1 && event->signal <= SIGNAL_COUNT;
}

SYSCALL_DEFINE(timer_create, int clock, const struct sigevent *program, int *out) {
    struct process *process = current_process();
    struct sigevent event = {.signal = SIGALRM};
    struct posix_timer probe = {0}, *t;
    int error = set_clock(&probe, clock);
    if (error) return error;
    if (program && user_copy_in(&event, program, sizeof event)) return -EFAULT;
    if (!good_event(&event)) return -EINVAL;
    if (!process->posix_timers && !(process->posix_timers = kzalloc(sizeof *process->posix_timers))) return -EAGAIN;
    struct posix_timers *all = process->posix_timers;
    if (all->count >= MOST_TIMERS || !(t = kzalloc(sizeof *t))) return -EAGAIN;
    *t = probe;
    t->process = process;
    t->id = all->next_id;
    t->notify = event.notify, t->signal = event.signal, t->thread = event.thread;
    t->value = program ? event.value : (uint64_t)t->id;
    t->timer.run = time_over;
    t->cpu.run = time_used;
    t->watch.changed = time_set;
    if (user_copy_out(out, &t->id, sizeof t->id)) {
        kfree(t);
        return -EFAULT;
    }
    all->next_id = all->next_id == 0x7fffffff ? 0 : all->next_id + 1;
    all->count++;
    struct posix_timer **link = &all->first;
    while (*link) link = &(*link)->next;
    *link = t;
    if (t->real) clock_watch_add(&t->watch);
    return 0;
}

static bool to_ns(const struct timespec *in, uint64_t *ns) {
    if (in->seconds < 0 || (uint64_t)in->nanoseconds >= SECOND) return false;
    *ns = (uint64_t)in->seconds > LONGEST ? LONGEST * SECOND : (uint64_t)in->seconds * SECOND + (uint64_t)in->nanoseconds;
    return true;
}
static struct timespec from_ns(uint64_t ns) { return (struct timespec){(int64_t)(ns / SECOND), (int64_t)(ns % SECOND)}; }

static struct itimerspec left(const struct posix_timer *t) {
    uint64_t now = now_of(t), rest = 0;
    if (t->armed && t->expires > now) rest = t->expires - now;
    else if (t->armed && t->interval) rest = t->interval - (now - t->expires) % t->interval;
    else if (t->armed && t->notify != NOTIFY_NONE) rest = 1; /* about to run out: 0 would say that it is not armed */
    return (struct itimerspec){from_ns(t->interval), from_ns(rest)};
}

SYSCALL_DEFINE(timer_gettime, int id, struct itimerspec *out) {
    struct posix_timer *t = find(id);
    if (!t) return -EINVAL;
    struct itimerspec now = left(t);
    return user_copy_out(out, &now, sizeof now);
}

/* A moment of the timer's clock as `expires` has it; one that has passed is now. */
static uint64_t moment(const struct posix_timer *t, uint64_t value) {
    if (!t->real) return value;
    uint64_t real = clock_realtime_ns(), now = clock_monotonic_ns();
    if (value >= real) return now + (value - real);
    return real - value > now ? 0 : now - (real - value);
}

SYSCALL_DEFINE(timer_settime, int id, int flags, const struct itimerspec *wanted, struct itimerspec *old) {
    struct itimerspec in, before;
    uint64_t value, interval;
    if (!wanted) return -EINVAL;
    if (user_copy_in(&in, wanted, sizeof in)) return -EFAULT;
    if (!to_ns(&in.value, &value) || !to_ns(&in.interval, &interval)) return -EINVAL;
    struct posix_timer *t = find(id);
    if (!t) return -EINVAL;
    before = left(t);
    stop(t);
    t->queued = false;
    t->overrun = 0;
    t->armed = value != 0;
    t->interval = value ? interval : 0;
    t->watches = flags & ABSOLUTE;
    if (value) {
        t->expires = flags & ABSOLUTE ? moment(t, value) : now_of(t) + value;
        start(t);
    }
    return old ? user_copy_out(old, &before, sizeof before) : 0;
}

SYSCALL_DEFINE(timer_getoverrun, int id) {
    struct posix_timer *t = find(id);
    return t ? t->overrun : -EINVAL;
}

SYSCALL_DEFINE(timer_delete, int id) {
    struct posix_timers *all = current_process()->posix_timers;
    for (struct posix_timer **link = all ? &all->first : NULL; link && *link; link = &(*link)->next) {
        struct posix_timer *t = *link;
        if (t->id != id) continue;
        *link = t->next;
        all->count--;
        discard(t);
        return 0;
    }
    return -EINVAL;
}

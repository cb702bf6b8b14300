/*
 * Clocks and sleeping: the time calls. Owns nothing; time comes from clock.h, CPU time from cpu_time.h.
 */
#include "arch/arch.h"
#include "clock/clock.h"
#include "cpu-timers/cpu_timers.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "wait/wait.h"

enum { REALTIME = 0, MONOTONIC = 1, PROCESS_CPU = 2, THREAD_CPU = 3, MONOTONIC_RAW = 4, REALTIME_COARSE = 5, MONOTONIC_COARSE = 6,
       BOOTTIME = 7, REALTIME_ALARM = 8, BOOTTIME_ALARM = 9, TAI = 11, TIMER_ABSTIME = 1 };
#define SECOND 1000000000ull
#define LONGEST 4000000000
#pragma weak cpu_timer_add
#pragma weak cpu_timer_remove
struct timespec { int64_t seconds, nanoseconds; };
struct timeval { int64_t seconds, microseconds; };

static bool is_real(int clock) { return clock == REALTIME || clock == REALTIME_COARSE || clock == REALTIME_ALARM || clock == TAI; }

/* False: no such clock. */
static bool now(int clock, uint64_t *ns) {
    struct cpu_clock cpu;
    if (cpu_clock_find(clock, &cpu)) {
        *ns = cpu_clock_read(&cpu);
        return true;
    }
    if (clock < 0) return false;
    if (clock > TAI || clock == 10) return false;
    *ns = is_real(clock) ? clock_realtime_ns() : clock_monotonic_ns();
    return true;
}

static struct timespec split(uint64_t ns) {
    return (struct timespec){(int64_t)(ns / SECOND), (int64_t)(ns % SECOND)};
}

SYSCALL_DEFINE(clock_gettime, int clock, struct timespec *out) {
    uint64_t ns;
    if (!now(clock, &ns)) return -EINVAL;
    struct timespec t = split(ns);
    return user_copy_out(out, &t, sizeof t);
}

SYSCALL_DEFINE(clock_getres, int clock, struct timespec *out) {
    struct timespec t = {0, clock == REALTIME_COARSE || clock == MONOTONIC_COARSE ? 4000000 : 1};
    uint64_t ns;
    if (!now(clock, &ns)) return -EINVAL;
    return out ? user_copy_out(out, &t, sizeof t) : 0;
}

SYSCALL_DEFINE(gettimeofday, struct timeval *out, int32_t *zone) {
    struct timespec t = split(clock_realtime_ns());
    struct timeval v = {t.seconds, t.nanoseconds / 1000};
    int32_t no_zone[2] = {0, 0};
    return (out && user_copy_out(out, &v, sizeof v)) || (zone && user_copy_out(zone, no_zone, sizeof no_zone)) ? -EFAULT : 0;
}

SYSCALL_DEFINE(time, int64_t *out) {
    int64_t seconds = (int64_t)(clock_realtime_ns() / SECOND);
    return out && user_copy_out(out, &seconds, sizeof seconds) ? -EFAULT : seconds;
}

static bool to_ns(const struct timespec *t, uint64_t *ns) {
    if (t->seconds < 0 || (uint64_t)t->nanoseconds >= SECOND) return false;
    *ns = t->seconds > LONGEST ? LONGEST * SECOND : (uint64_t)t->seconds * SECOND + (uint64_t)t->nanoseconds;
    return true;
}

static long set_time(uint64_t ns) {
    if (!process_may(current_process(), CAP_SYS_TIME)) return -EPERM;
    clock_realtime_set(ns);
    return 0;
}

SYSCALL_DEFINE(clock_settime, int clock, const struct timespec *wanted) {
    struct timespec t;
    uint64_t ns;
    if (clock != REALTIME) return -EINVAL;
    if (user_copy_in(&t, wanted, sizeof t)) return -EFAULT;
    return to_ns(&t, &ns) ? set_time(ns) : -EINVAL;
}

/* The time zone is not kept, and always UTC: C libraries have their own. */
SYSCALL_DEFINE(settimeofday, const struct timeval *wanted, const int32_t *zone) {
    struct timeval v;
    int32_t z[2];
    uint64_t ns = 0;
    if (wanted && user_copy_in(&v, wanted, sizeof v)) return -EFAULT;
    if (wanted && (v.microseconds > 999999 || v.microseconds < 0 || !to_ns(&(struct timespec){v.seconds, v.microseconds * 1000}, &ns))) return -EINVAL;
    if (zone && user_copy_in(z, zone, sizeof z)) return -EFAULT;
    if (!process_may(current_process(), CAP_SYS_TIME)) return -EPERM;
    if (zone && (z[0] > 900 || z[0] < -900)) return -EINVAL;
    return wanted ? set_time(ns) : 0;
}

/* A sleep until a moment of real time: it looks again when the time is set. */
struct real_sleep { struct clock_watch watch; struct wait_queue queue; bool changed; };
static void time_was_set(struct clock_watch *watch, int64_t jump) {
    struct real_sleep *sleep = (struct real_sleep *)watch;
    (void)jump;
    sleep->changed = true;
    wait_queue_wake(&sleep->queue, -1);
}
static bool was_set(void *argument) { return ((struct real_sleep *)argument)->changed; }

static long sleep_until_real(uint64_t moment) {
    struct real_sleep sleep = {.watch.changed = time_was_set};
    long result;
    clock_watch_add(&sleep.watch);
    do {
        uint64_t at = clock_realtime_ns();
        sleep.changed = false;
        result = moment > at ? wait_until(&sleep.queue, was_set, &sleep, clock_monotonic_ns() + (moment - at), WAIT_BREAKS) : -ETIMEDOUT;
    } while (!result);
    clock_watch_remove(&sleep.watch);
    return result;
}

/* A sleep until CPU time is used up, by other threads. */
struct cpu_sleep { struct cpu_timer timer; struct wait_queue queue; bool over; };
static void cpu_time_over(struct cpu_timer *timer) {
    struct cpu_sleep *sleep = (struct cpu_sleep *)timer;
    sleep->over = true;
    wait_queue_wake(&sleep->queue, -1);
}
static bool is_over(void *argument) { return ((struct cpu_sleep *)argument)->over; }

static long sleep_until_used(const struct cpu_clock *clock, uint64_t moment) {
    struct cpu_sleep sleep = {.timer = {.clock = *clock, .expires_ns = moment, .run = cpu_time_over}};
    if (!cpu_timer_add) return -EOPNOTSUPP;
    cpu_timer_add(&sleep.timer);
    long result = wait_until(&sleep.queue, is_over, &sleep, 0, WAIT_BREAKS);
    cpu_timer_remove(&sleep.timer);
    return result ? result : -ETIMEDOUT;
}

static bool never(void *argument) {
    (void)argument;
    return false;
}

SYSCALL_DEFINE(clock_nanosleep, int clock, int flags, const struct timespec *request, struct timespec *remaining) {
    struct timespec t;
    struct cpu_clock cpu;
    struct wait_queue nobody = {0};
    uint64_t length, start, began = clock_monotonic_ns();
    bool used = cpu_clock_find(clock, &cpu), absolute = flags & TIMER_ABSTIME;
    if (!now(clock, &start) || (used && cpu.thread == current_thread())) return -EINVAL;
    if (clock == MONOTONIC_RAW || clock == REALTIME_COARSE || clock == MONOTONIC_COARSE) return -EOPNOTSUPP;
    if (user_copy_in(&t, request, sizeof t)) return -EFAULT;
    if (!to_ns(&t, &length)) return -EINVAL;
    if (!absolute && !length) return 0;
    uint64_t moment = absolute ? length : start + length;
    long result = used                          ? sleep_until_used(&cpu, moment)
                  : absolute && is_real(clock)  ? sleep_until_real(moment)
                  : absolute && moment <= start ? -ETIMEDOUT
                                                : wait_until(&nobody, never, NULL, clock_monotonic_ns() + (moment - start), WAIT_BREAKS);
    if (result == -ETIMEDOUT) return 0;
    if (result == -EINTR && remaining && !absolute) {
        uint64_t end = start + (clock_monotonic_ns() - began);
        if (used) now(clock, &end);
        t = split(moment > end ? moment - end : 0);
        if (user_copy_out(remaining, &t, sizeof t)) return -EFAULT;
    }
    return result;
}

SYSCALL_DEFINE(nanosleep, const struct timespec *request, struct timespec *remaining) {
    return sys_clock_nanosleep(MONOTONIC, 0, request, remaining);
}

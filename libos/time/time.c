/*
 * Clocks and sleeping: the time calls. Owns nothing; time comes from clock.h. CPU time is the time since the start less what the CPU
 * idled: the machine's, which is the process' own while there is one; how threads or processes share it is not told apart.
 */
#include "arch/arch.h"
#include "clock/clock.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "wait/wait.h"

enum { REALTIME = 0, MONOTONIC = 1, PROCESS_CPU = 2, THREAD_CPU = 3, MONOTONIC_RAW = 4, REALTIME_COARSE = 5, MONOTONIC_COARSE = 6,
       BOOTTIME = 7, REALTIME_ALARM = 8, BOOTTIME_ALARM = 9, TAI = 11, TIMER_ABSTIME = 1 };
#define SECOND 1000000000ull
struct timespec { int64_t seconds, nanoseconds; };
struct timeval { int64_t seconds, microseconds; };

#pragma weak arch_idle_cycles

static bool is_real(int clock) { return clock == REALTIME || clock == REALTIME_COARSE || clock == REALTIME_ALARM || clock == TAI; }

static bool is_clock(int clock) {
    /* Negative: a clock of a process, made of its number (clock_getcpuclockid): only the own one exists. */
    if (clock < 0) return (clock & 3) != 3 && (~(clock >> 3) == 0 || ~(clock >> 3) == 1);
    return clock <= TAI && clock != 10;
}

static uint64_t cpu_ns(void) {
    uint64_t idle = &arch_idle_cycles ? arch_idle_cycles : 0, khz = clock_khz();
    return clock_monotonic_ns() - (idle / khz * 1000000 + idle % khz * 1000000 / khz);
}

static uint64_t now(int clock) {
    if (clock == PROCESS_CPU || clock == THREAD_CPU || clock < 0) return cpu_ns();
    return is_real(clock) ? clock_realtime_ns() : clock_monotonic_ns();
}

static struct timespec split(uint64_t ns) {
    return (struct timespec){(int64_t)(ns / SECOND), (int64_t)(ns % SECOND)};
}

SYSCALL_DEFINE(clock_gettime, int clock, struct timespec *out) {
    if (!is_clock(clock)) return -EINVAL;
    struct timespec t = split(now(clock));
    return user_copy_out(out, &t, sizeof t);
}

SYSCALL_DEFINE(clock_getres, int clock, struct timespec *out) {
    struct timespec t = {0, clock == REALTIME_COARSE || clock == MONOTONIC_COARSE ? 4000000 : 1};
    if (!is_clock(clock)) return -EINVAL;
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

SYSCALL_DEFINE(clock_settime, int clock, const struct timespec *wanted) {
    (void)wanted;
    return !is_clock(clock) || !is_real(clock) ? -EINVAL : -EPERM; /* the time is the host's */
}
SYSCALL_DEFINE(settimeofday, const void *wanted, const void *zone) {
    (void)wanted, (void)zone;
    return -EPERM;
}

static bool never(void *argument) {
    (void)argument;
    return false;
}

SYSCALL_DEFINE(clock_nanosleep, int clock, int flags, const struct timespec *request, struct timespec *remaining) {
    struct timespec t;
    if (!is_clock(clock) || clock == THREAD_CPU || flags & ~TIMER_ABSTIME) return -EINVAL;
    if (user_copy_in(&t, request, sizeof t)) return -EFAULT;
    if (t.seconds < 0 || (uint64_t)t.nanoseconds >= SECOND) return -EINVAL;
    uint64_t length = t.seconds > 4000000000 ? 4000000000 * SECOND : (uint64_t)t.seconds * SECOND + (uint64_t)t.nanoseconds;
    uint64_t start = clock_monotonic_ns(), deadline = start + length;
    if (flags & TIMER_ABSTIME) {
        uint64_t at = now(clock);
        if (length <= at) return 0;
        deadline = start + (length - at);
    } else if (!length) {
        return 0;
    }
    struct wait_queue nobody = {0};
    int result = wait_until(&nobody, never, NULL, deadline, WAIT_BREAKS);
    if (result == -ETIMEDOUT) return 0;
    if (result == -EINTR && remaining && !(flags & TIMER_ABSTIME)) {
        uint64_t end = clock_monotonic_ns();
        t = split(deadline > end ? deadline - end : 0);
        if (user_copy_out(remaining, &t, sizeof t)) return -EFAULT;
    }
    return result;
}

SYSCALL_DEFINE(nanosleep, const struct timespec *request, struct timespec *remaining) {
    return sys_clock_nanosleep(MONOTONIC, 0, request, remaining);
}

SYSCALL_DEFINE(times, int64_t *out) {
    int64_t ticks = (int64_t)(clock_monotonic_ns() / (SECOND / 100)), all[4] = {(int64_t)(cpu_ns() / (SECOND / 100)), 0, 0, 0};
    return out && user_copy_out(out, all, sizeof all) ? -EFAULT : ticks;
}

SYSCALL_DEFINE(getrusage, int who, void *out) {
    struct { struct timeval user, system; int64_t most_resident, other[13]; } usage = {0};
    if (who < -1 || who > 1) return -EINVAL;
    if (who != -1) { /* children have used nothing */
        struct timespec t = split(cpu_ns());
        usage.user = (struct timeval){t.seconds, t.nanoseconds / 1000};
        usage.most_resident = (int64_t)((memory_total() - memory_free()) >> 10);
    }
    return user_copy_out(out, &usage, sizeof usage);
}

/*
 * futex(2) of a program with one thread. Nobody else can wake it: a wait whose word still has the expected value sleeps until its
 * timeout or a signal, as on Linux; a wake finds nobody. The component thread brings the real one.
 */
#include "clock/clock.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "wait/wait.h"

enum { WAIT = 0, WAKE = 1, REQUEUE = 3, CMP_REQUEUE = 4, WAIT_BITSET = 9, WAKE_BITSET = 10, PRIVATE = 128, REALTIME = 256 };
struct timespec64 { int64_t seconds, nanoseconds; };

static bool never(void *argument) {
    (void)argument;
    return false;
}

static long wait_for_nobody(const uint32_t *word, uint32_t expected, const struct timespec64 *timeout, bool absolute, bool realtime) {
    struct timespec64 t;
    uint32_t value;
    uint64_t deadline = 0;
    if ((uintptr_t)word & 3) return -EINVAL;
    if (timeout) {
        if (user_copy_in(&t, timeout, sizeof t)) return -EFAULT;
        if (t.seconds < 0 || (uint64_t)t.nanoseconds > 999999999) return -EINVAL;
        deadline = t.seconds > 4000000000 ? 4000000000000000000ull : (uint64_t)t.seconds * 1000000000 + (uint64_t)t.nanoseconds;
        if (!absolute) deadline += clock_monotonic_ns();
        else if (realtime) {
            uint64_t offset = clock_realtime_ns() - clock_monotonic_ns();
            deadline = deadline > offset ? deadline - offset : 1;
        }
        if (!deadline) deadline = 1;
    }
    if (user_copy_in(&value, word, sizeof value)) return -EFAULT;
    if (value != expected) return -EAGAIN;
    struct wait_queue queue = {0};
    return wait_until(&queue, never, NULL, deadline, true);
}

SYSCALL_DEFINE(futex, uint32_t *word, int operation, uint32_t value, const struct timespec64 *timeout, uint32_t *other, uint32_t value3) {
    (void)other;
    switch (operation & ~(PRIVATE | REALTIME)) {
    case WAIT: return wait_for_nobody(word, value, timeout, false, false);
    case WAIT_BITSET: return value3 ? wait_for_nobody(word, value, timeout, true, operation & REALTIME) : -EINVAL;
    case WAKE:
    case WAKE_BITSET:
    case REQUEUE:
        return (uintptr_t)word & 3 ? -EINVAL : 0;
    case CMP_REQUEUE: {
        uint32_t now;
        if (user_copy_in(&now, word, sizeof now)) return -EFAULT;
        return now == value3 ? 0 : -EAGAIN;
    }
    default: return -ENOSYS;
    }
}

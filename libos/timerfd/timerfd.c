/*
 * timerfd_create(2). Owns one timer a file. After it has run out it is armed again only when somebody reads or asks: periods that passed
 * meanwhile are counted then, so that a timer that nobody reads does not keep the machine awake.
 */
#include <stdbool.h>
#include "abi/linux_file.h"
#include "clock/clock.h"
#include "file/file.h"
#include "memory/memory.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { REALTIME = 0, MONOTONIC = 1, BOOTTIME = 7, REALTIME_ALARM = 8, BOOTTIME_ALARM = 9 };
enum { TFD_TIMER_ABSTIME = 1, TFD_TIMER_CANCEL_ON_SET = 2 };
#define SECOND 1000000000ull
#define LONGEST 4000000000ull
struct itimerspec { struct linux_timespec interval, value; };
struct timer_file {
    struct timer timer;
    struct clock_watch watch; /* of those that count real time */
    struct wait_queue queue;
    uint64_t interval, ticks;
    bool pending, armed, real;
    bool absolute, cancels, canceled; /* set to a moment; its reader is told when the time is set, and is to be */
};

static void fire(struct timer *timer) {
    struct timer_file *it = (struct timer_file *)timer;
    it->pending = false;
    it->ticks++;
    if (!it->interval) it->armed = false;
    wait_queue_wake(&it->queue, -1);
}

/* Counts the periods that have passed since it ran out, and goes on. */
static void catch_up(struct timer_file *it) {
    if (!it->armed || it->pending || !it->interval) return;
    uint64_t passed = (clock_monotonic_ns() - it->timer.deadline_ns) / it->interval;
    it->ticks += passed;
    it->timer.deadline_ns += (passed + 1) * it->interval;
    it->pending = true;
    timer_add(&it->timer);
}

/* The time was set: a moment of it comes sooner or later. */
static void time_set(struct clock_watch *watch, int64_t jump) {
    struct timer_file *it = (struct timer_file *)((char *)watch - offsetof(struct timer_file, watch));
    if (!it->absolute) return;
    if (it->armed && it->pending) {
        timer_remove(&it->timer);
        it->timer.deadline_ns = jump > 0 && it->timer.deadline_ns < (uint64_t)jump ? 0 : it->timer.deadline_ns - (uint64_t)jump;
        timer_add(&it->timer);
    }
    if (!it->cancels) return;
    it->canceled = true;
    wait_queue_wake(&it->queue, -1);
}

static bool can_read(void *argument) {
    struct timer_file *it = argument;
    return it->ticks || it->canceled;
}

static long timer_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    struct timer_file *it = file->data;
    (void)position;
    if (count < 1 || vector[0].length < sizeof(uint64_t)) return -EINVAL;
    run_deferred();
    if (!can_read(it)) {
        if (file->flags & O_NONBLOCK) return -EAGAIN;
        int error = wait_until(&it->queue, can_read, it, 0, true);
        if (error) return error;
    }
    if (it->canceled) {
        it->canceled = false;
        return -ECANCELED;
    }
    catch_up(it);
    uint64_t ticks = it->ticks;
    it->ticks = 0;
    return user_copy_out(vector[0].base, &ticks, sizeof ticks) ? -EFAULT : (long)sizeof ticks;
}

static unsigned timer_poll(struct file *file, struct poll_wait *wait) {
    struct timer_file *it = file->data;
    poll_wait_add(wait, &it->queue);
    return can_read(it) ? POLLIN | POLLRDNORM : 0;
}

static int timer_stat(struct file *file, struct linux_stat *out) {
    (void)file;
    out->mode = 0600;
    out->dev = 14;
    out->ino = 1;
    return 0;
}

static void timer_close(struct file *file) {
    struct timer_file *it = file->data;
    timer_remove(&it->timer);
    clock_watch_remove(&it->watch);
    kfree(it);
}

static const struct file_ops ops = {.kind = "[timerfd]", .read = timer_read, .stat = timer_stat, .poll = timer_poll, .close = timer_close};

static struct timer_file *find(int descriptor, long *error) {
    struct file *file = file_lookup(descriptor);
    *error = !file ? -EBADF : file->ops != &ops ? -EINVAL : 0;
    return *error ? NULL : file->data;
}

static bool to_ns(const struct linux_timespec *t, uint64_t *ns) {
    if (t->seconds < 0 || (uint64_t)t->nanoseconds >= SECOND) return false;
    *ns = (uint64_t)t->seconds > LONGEST ? LONGEST * SECOND : (uint64_t)t->seconds * SECOND + (uint64_t)t->nanoseconds;
    return true;
}

static struct linux_timespec from_ns(uint64_t ns) { return (struct linux_timespec){(int64_t)(ns / SECOND), (int64_t)(ns % SECOND)}; }

static struct itimerspec left(struct timer_file *it) {
    catch_up(it);
    uint64_t now = clock_monotonic_ns(), deadline = it->timer.deadline_ns;
    return (struct itimerspec){from_ns(it->interval), from_ns(!it->armed ? 0 : deadline > now ? deadline - now : 1)};
}

SYSCALL_DEFINE(timerfd_create, int clock, int flags) {
    if (flags & ~(O_CLOEXEC | O_NONBLOCK)) return -EINVAL;
    if (clock != REALTIME && clock != MONOTONIC && clock != BOOTTIME && clock != REALTIME_ALARM && clock != BOOTTIME_ALARM) return -EINVAL;
    if (clock >= REALTIME_ALARM && current_process()->credentials.euid) return -EPERM; /* CAP_WAKE_ALARM */
    struct timer_file *it = kzalloc(sizeof *it);
    struct file *file = it ? file_create(&ops, O_RDWR | (flags & O_NONBLOCK), it) : NULL;
    if (!file) {
        kfree(it);
        return -ENOMEM;
    }
    it->real = clock == REALTIME || clock == REALTIME_ALARM;
    it->watch.changed = time_set;
    if (it->real) clock_watch_add(&it->watch);
    int descriptor = file_install(file, 0, flags & O_CLOEXEC);
    if (descriptor < 0) file_put(file);
    return descriptor;
}

SYSCALL_DEFINE(timerfd_settime, int descriptor, int flags, const struct itimerspec *wanted, struct itimerspec *old) {
    struct itimerspec in, before;
    uint64_t value, interval;
    long error;
    if (user_copy_in(&in, wanted, sizeof in)) return -EFAULT;
    if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) || !to_ns(&in.value, &value) || !to_ns(&in.interval, &interval)) return -EINVAL;
    struct timer_file *it = find(descriptor, &error);
    if (!it) return error;
    before = left(it);
    timer_remove(&it->timer);
    it->ticks = 0;
    it->absolute = flags & TFD_TIMER_ABSTIME;
    it->cancels = it->absolute && flags & TFD_TIMER_CANCEL_ON_SET;
    it->canceled = false;
    it->interval = interval;
    it->armed = it->pending = value != 0;
    if (value) {
        uint64_t now = clock_monotonic_ns(), base = it->real ? clock_realtime_ns() : now;
        it->timer.run = fire;
        it->timer.deadline_ns = !(flags & TFD_TIMER_ABSTIME) ? now + value : value > base ? now + (value - base) : now - (base - value < now ? base - value : now);
        timer_add(&it->timer);
    }
    return old ? user_copy_out(old, &before, sizeof before) : 0;
}

SYSCALL_DEFINE(timerfd_gettime, int descriptor, struct itimerspec *out) {
    long error;
    struct timer_file *it = find(descriptor, &error);
    if (!it) return error;
    struct itimerspec now = left(it);
    return user_copy_out(out, &now, sizeof now);
}

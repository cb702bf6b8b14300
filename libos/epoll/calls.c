/* The epoll calls (epoll_create(2), epoll_ctl(2), epoll_wait(2)). */
#include "clock/clock.h"
#include "epoll/internal.h"
#include "memory/memory.h"
#include "signal/signal.h"
#include "task/task.h"

/* Absent where the signal component is. */
extern __typeof(signal_mask_for_call) signal_mask_for_call __attribute__((weak));
extern __typeof(signal_mask_call_end) signal_mask_call_end __attribute__((weak));
enum { EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3, SIGNAL_MASK_SIZE = 8, EVENTS_AT_ONCE = 16 };
#define EVENTS_MOST (0x7fffffff / (int)sizeof(struct epoll_event))

static long create(int flags) {
    struct epoll *epoll = kzalloc(sizeof *epoll);
    struct file *file = epoll ? file_create(&epoll_ops, O_RDWR, epoll) : NULL;
    if (!file) {
        kfree(epoll);
        return -ENOMEM;
    }
    epoll->file = file;
    epoll->buckets = epoll->few;
    epoll->bucket_count = sizeof epoll->few / sizeof *epoll->few;
    int descriptor = file_install(file, 0, flags & O_CLOEXEC);
    if (descriptor < 0) file_put(file);
    return descriptor;
}

SYSCALL_DEFINE(epoll_create1, int flags) { return flags & ~O_CLOEXEC ? -EINVAL : create(flags); }
SYSCALL_DEFINE(epoll_create, int size) { return size <= 0 ? -EINVAL : create(0); }

SYSCALL_DEFINE(epoll_ctl, int set, int operation, int descriptor, const struct epoll_event *program) {
    struct epoll_event event = {0};
    if (operation != EPOLL_CTL_DEL && user_copy_in(&event, program, sizeof event)) return -EFAULT;
    struct file *owner = file_lookup(set), *file = file_lookup(descriptor);
    if (!owner || !file) return -EBADF;
    if (!file->ops->poll) return -EPERM;
    if (file == owner || owner->ops != &epoll_ops) return -EINVAL;
    struct epoll *epoll = owner->data;
    event.events &= ~EPOLLWAKEUP;
    if (operation != EPOLL_CTL_DEL && event.events & EPOLLEXCLUSIVE) {
        uint32_t allowed = POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLET | EPOLLEXCLUSIVE;
        if (operation == EPOLL_CTL_MOD || file->ops == &epoll_ops || event.events & ~allowed) return -EINVAL;
    }
    struct epoll_item *item = epoll_find(epoll, file, descriptor);
    switch (operation) {
    case EPOLL_CTL_ADD:
        if (file->ops == &epoll_ops && epoll_check_nesting(epoll, file)) return -ELOOP;
        return item ? -EEXIST : epoll_add(epoll, file, descriptor, &event);
    case EPOLL_CTL_DEL:
        if (item) epoll_remove(item);
        return item ? 0 : -ENOENT;
    case EPOLL_CTL_MOD:
        if (!item) return -ENOENT;
        if (item->events & EPOLLEXCLUSIVE) return -EINVAL;
        epoll_change(item, &event);
        return 0;
    }
    return -EINVAL;
}

static bool has_ready(void *argument) { return ((struct epoll *)argument)->ready_first != NULL; }

/* What is ready now. Each member is looked at once. */
static long take(struct epoll *epoll, struct epoll_event *program, int most) {
    struct epoll_event events[EVENTS_AT_ONCE];
    uint32_t looks = epoll->ready_count;
    long done = 0;
    while (done < most && looks) {
        unsigned room = most - done < EVENTS_AT_ONCE ? (unsigned)(most - done) : EVENTS_AT_ONCE;
        unsigned found = epoll_harvest(epoll, events, room, &looks);
        if (found && user_copy_out(program + done, events, found * sizeof *events)) return done ? done : -EFAULT;
        done += found;
    }
    return done;
}

/* deadline: UINT64_MAX waits for ever, 0 does not wait. */
static long wait(int set, struct epoll_event *program, int most, uint64_t deadline) {
    struct file *file = file_lookup(set);
    if (most <= 0 || most > EVENTS_MOST) return -EINVAL;
    if (!file) return -EBADF;
    if (file->ops != &epoll_ops) return -EINVAL;
    struct epoll *epoll = file->data;
    file_get(file);
    run_deferred();
    long result = take(epoll, program, most);
    while (!result && deadline) {
        result = wait_until(&epoll->sleepers, has_ready, epoll, deadline == UINT64_MAX ? 0 : deadline, WAIT_BREAKS);
        if (result != -EINTR) {
            bool late = result == -ETIMEDOUT;
            result = take(epoll, program, most);
            if (late) break;
        }
    }
    if (epoll->ready_first) wait_queue_wake(&epoll->sleepers, 1); /* there is more, or it was this thread that was woken for it */
    file_put(file);
    return result;
}

static uint64_t deadline_of(int timeout_ms) {
    return timeout_ms < 0 ? UINT64_MAX : timeout_ms == 0 ? 0 : clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
}

/* The mask of a p-form, until the call's signals have been delivered. 0, -EINVAL, -EFAULT. */
static long use_mask(const void *program, size_t size) {
    uint64_t mask;
    if (!program) return 0;
    if (size != SIGNAL_MASK_SIZE) return -EINVAL;
    if (user_copy_in(&mask, program, sizeof mask)) return -EFAULT;
    if (signal_mask_for_call) signal_mask_for_call(mask);
    return 0;
}

static long end_mask(long result) { return signal_mask_call_end ? signal_mask_call_end(result) : result; }

SYSCALL_DEFINE(epoll_wait, int set, struct epoll_event *events, int most, int timeout_ms) {
    return wait(set, events, most, deadline_of(timeout_ms));
}

SYSCALL_DEFINE(epoll_pwait, int set, struct epoll_event *events, int most, int timeout_ms, const void *mask, size_t mask_size) {
    long error = use_mask(mask, mask_size);
    return error ? error : end_mask(wait(set, events, most, deadline_of(timeout_ms)));
}

SYSCALL_DEFINE(epoll_pwait2, int set, struct epoll_event *events, int most, const struct linux_timespec *timeout, const void *mask, size_t mask_size) {
    uint64_t deadline = UINT64_MAX;
    struct linux_timespec time;
    if (timeout) {
        if (user_copy_in(&time, timeout, sizeof time)) return -EFAULT;
        if (time.seconds < 0 || (uint64_t)time.nanoseconds > 999999999) return -EINVAL;
        uint64_t span = time.seconds > 9000000000 ? 0 : (uint64_t)time.seconds * 1000000000 + (uint64_t)time.nanoseconds;
        deadline = time.seconds > 9000000000 ? UINT64_MAX : span ? clock_monotonic_ns() + span : 0;
    }
    long error = use_mask(mask, mask_size);
    return error ? error : end_mask(wait(set, events, most, deadline));
}

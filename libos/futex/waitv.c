/* futex_waitv(2): until one of several words is woken. */
#include "futex/internal.h"
#include "clock/clock.h"
#include "memory/memory.h"

enum { MOST = 128, SIZE_MASK = 3, SIZE_U32 = 2, FUTEX2_PRIVATE = 128, REALTIME = 0, MONOTONIC = 1 };
struct linux_waitv { uint64_t value, address; uint32_t flags, reserved; };
struct several { struct futex_waiter *all; unsigned count; };

static bool any_woken(void *argument) {
    const struct several *several = argument;
    for (unsigned i = 0; i < several->count; i++)
        if (several->all[i].woken) return true;
    return false;
}

/* Queues all, then looks at all: a word that has changed ends it. 0 or -errno. */
static long prepare(struct several *several, const struct linux_waitv *entries, unsigned count, struct wait_queue *queue) {
    for (unsigned i = 0; i < count; i++) {
        struct futex_waiter *waiter = &several->all[i];
        *waiter = (struct futex_waiter){.bits = ~0u, .queue = queue};
        long error = futex_key((const uint32_t *)entries[i].address, !(entries[i].flags & FUTEX2_PRIVATE), &waiter->key);
        if (error) return error;
        futex_waiter_add(waiter);
        several->count = i + 1;
    }
    for (unsigned i = 0; i < count; i++) {
        uint32_t value;
        if (user_copy_in(&value, (const void *)entries[i].address, sizeof value)) return -EFAULT;
        if (value != (uint32_t)entries[i].value) return any_woken(several) ? 0 : -EAGAIN;
    }
    return 0;
}

SYSCALL_DEFINE(futex_waitv, const struct linux_waitv *program, unsigned count, unsigned flags, const struct timespec64 *timeout, int clock) {
    struct linux_waitv entries[MOST];
    struct wait_queue queue = {0};
    uint64_t deadline = 0;
    if (flags || !count || count > MOST || !program) return -EINVAL;
    if (timeout) {
        if (clock != REALTIME && clock != MONOTONIC) return -EINVAL;
        long error = futex_deadline(timeout, true, clock == REALTIME, &deadline);
        if (error) return error;
    }
    if (user_copy_in(entries, program, count * sizeof *entries)) return -EFAULT;
    for (unsigned i = 0; i < count; i++)
        if (entries[i].reserved || entries[i].flags & ~(unsigned)(SIZE_MASK | FUTEX2_PRIVATE) || (entries[i].flags & SIZE_MASK) != SIZE_U32) return -EINVAL;
    struct several several = {kmalloc(count * sizeof *several.all), 0};
    if (!several.all) return -ENOMEM;
    long result = prepare(&several, entries, count, &queue);
    if (!result) result = wait_until(&queue, any_woken, &several, deadline, true);
    for (unsigned i = 0; i < several.count; i++) {
        if (several.all[i].woken) result = i; /* the last one, as Linux */
        else futex_waiter_remove(&several.all[i]);
    }
    kfree(several.all);
    return result;
}

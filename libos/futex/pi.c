/*
 * Futexes that have an owner: LOCK_PI, LOCK_PI2, TRYLOCK_PI, UNLOCK_PI (futex(2)). The word holds the owner's thread number and FUTEX_WAITERS, the
 * libOS the waiters, oldest first: the next owner is written into the word when the old one unlocks or ends. The scheduler has one
 * priority for all, so there is none to inherit; a waiter runs when the owner has run.
 */
#include "futex/internal.h"
#include "arch/arch.h"

struct pi_waiter {
    struct pi_waiter *next;
    struct futex_key key;
    uint32_t *word;
    int tid, owner; /* owner: whom it waits for, which counts, whatever the word says */
    bool granted;
    struct wait_queue queue;
};
static struct pi_waiter *waiters;
extern const char exec_binary_program __attribute__((weak)); /* by the component that starts binary programs */

static bool same(struct futex_key a, struct futex_key b) { return a.space == b.space && a.address == b.address; }

static struct pi_waiter *first_waiter(struct futex_key key, bool *more) {
    struct pi_waiter *first = NULL;
    *more = false;
    for (struct pi_waiter *waiter = waiters; waiter; waiter = waiter->next) {
        if (!same(waiter->key, key)) continue;
        if (first) *more = true;
        else first = waiter;
    }
    return first;
}

static void leave(struct pi_waiter *waiter) {
    struct pi_waiter **link = &waiters;
    while (*link != waiter) link = &(*link)->next;
    *link = waiter->next;
}

/* It owns the word now; those behind it wait for it. */
static void hand_over(struct pi_waiter *waiter) {
    leave(waiter);
    for (struct pi_waiter *other = waiters; other; other = other->next)
        if (same(other->key, waiter->key)) other->owner = waiter->tid;
    waiter->granted = true;
    wait_queue_wake(&waiter->queue, -1);
}

/* The word becomes the waiter's; it is woken. */
static int grant(struct pi_waiter *waiter, uint32_t *word, uint32_t flags) {
    uint32_t value = (uint32_t)waiter->tid | FUTEX_WAITERS | flags;
    if (user_copy_out(word, &value, sizeof value)) return -EFAULT;
    hand_over(waiter);
    return 0;
}

static bool was_granted(void *argument) { return ((struct pi_waiter *)argument)->granted; }

long futex_lock_pi(uint32_t *word, bool shared, uint64_t deadline, bool tries) {
    struct pi_waiter waiter = {.word = word, .tid = current_thread()->tid};
    uint32_t value;
    bool more;
    long error = futex_key(word, shared, &waiter.key);
    if (error) return error;
    if (user_copy_in(&value, word, sizeof value)) return -EFAULT;
    uint32_t owner = value & FUTEX_TID;
    if (owner == (uint32_t)waiter.tid) return -EDEADLK;
    if (!owner) { /* free: whoever waits has not been given it, so takes it later */
        value = (uint32_t)waiter.tid | (value & FUTEX_OWNER_DIED) | (first_waiter(waiter.key, &more) ? FUTEX_WAITERS : 0);
        return user_copy_out(word, &value, sizeof value) ? -EFAULT : 0;
    }
    if (tries) return -EAGAIN;
    if (!thread_find((int)owner)) return -ESRCH;
    value |= FUTEX_WAITERS; /* the owner has to come here to unlock */
    if (user_copy_out(word, &value, sizeof value)) return -EFAULT;
    struct pi_waiter **link = &waiters;
    while (*link) link = &(*link)->next;
    waiter.owner = (int)owner;
    *link = &waiter;
    do error = wait_until(&waiter.queue, was_granted, &waiter, deadline, true);
    while (error == -EINTR && !&exec_binary_program); /* linked: the handler has run */
    if (waiter.granted) return 0;
    leave(&waiter);
    return error == -EINTR ? -ERESTARTNOINTR : error; /* the libraries expect no EINTR here */
}

long futex_unlock_pi(uint32_t *word, bool shared) {
    struct futex_key key;
    uint32_t value, none = 0;
    bool more;
    long error = futex_key(word, shared, &key);
    if (error) return error;
    if (user_copy_in(&value, word, sizeof value)) return -EFAULT;
    if ((value & FUTEX_TID) != (uint32_t)current_thread()->tid) return -EPERM;
    struct pi_waiter *next = first_waiter(key, &more);
    if (next) return grant(next, word, 0);
    return user_copy_out(word, &none, sizeof none) ? -EFAULT : 0;
}

void futex_pi_owner_died(const struct thread *thread) {
    for (struct pi_waiter *waiter = waiters, *next; waiter; waiter = next) {
        next = waiter->next;
        if (waiter->owner != thread->tid) continue;
        if (waiter->key.space) { /* of this space: an address of its own */
            if (grant(waiter, waiter->word, FUTEX_OWNER_DIED)) continue;
        } else { /* known by its physical address, mapped here or not */
            *(uint32_t *)phys_to_virt(waiter->key.address) = (uint32_t)waiter->tid | FUTEX_WAITERS | FUTEX_OWNER_DIED;
            hand_over(waiter);
        }
        next = waiters; /* the list has changed */
    }
}

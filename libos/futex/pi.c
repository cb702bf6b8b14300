/*
 * Futexes that have an owner: LOCK_PI, LOCK_PI2, TRYLOCK_PI, UNLOCK_PI, and WAIT_REQUEUE_PI with CMP_REQUEUE_PI, by which who waits for a condition
 * comes to wait for, or to have, the lock (futex(2)). The word holds the owner's thread number and FUTEX_WAITERS, the
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

static struct pi_waiter *first_waiter(struct futex_key key, bool *more) {
    struct pi_waiter *first = NULL;
    *more = false;
    for (struct pi_waiter *waiter = waiters; waiter; waiter = waiter->next) {
        if (!futex_key_same(waiter->key, key)) continue;
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

static void queue_behind(struct pi_waiter *waiter, int owner) {
    struct pi_waiter **link = &waiters;
    while (*link) link = &(*link)->next;
    waiter->owner = owner;
    waiter->next = NULL;
    *link = waiter;
}

/* It owns the word now; those behind it wait for it. */
static void hand_over(struct pi_waiter *waiter) {
    leave(waiter);
    for (struct pi_waiter *other = waiters; other; other = other->next)
        if (futex_key_same(other->key, waiter->key)) other->owner = waiter->tid;
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
    queue_behind(&waiter, (int)owner);
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

long futex_wait_requeue_pi(const uint32_t *word, bool shared, uint32_t expected, uint64_t deadline, uint32_t *other) {
    struct pi_waiter later = {.word = other, .tid = current_thread()->tid};
    struct futex_waiter now = {.bits = ~0u, .queue = &later.queue, .pi = &later};
    uint32_t value;
    if (word == other) return -EINVAL;
    long error = futex_key(other, shared, &later.key);
    if (!error) error = futex_key(word, shared, &now.key);
    if (error) return error;
    futex_waiter_add(&now);
    if (user_copy_in(&value, word, sizeof value)) error = -EFAULT;
    else if (value != expected) error = -EAGAIN;
    else if (futex_key_same(now.key, later.key)) error = -EINVAL;
    else
        do error = wait_until(&later.queue, was_granted, &later, deadline, true);
        while (error == -EINTR && !&exec_binary_program); /* linked: the handler has run */
    if (!now.woken) {
        futex_waiter_remove(&now);
        return error == -EINTR ? -ERESTARTNOINTR : error;
    }
    if (later.granted) return 0;
    leave(&later);
    return error == -EINTR ? -EAGAIN : error; /* it was requeued: the call cannot begin again */
}

long futex_requeue_pi(struct futex_key from, struct futex_key to, uint32_t *other, int move) {
    long done = 0;
    struct futex_waiter *waiter;
    while (done <= move && (waiter = futex_waiter_first(from))) {
        struct pi_waiter *pi = waiter->pi;
        uint32_t value;
        bool more;
        if (!pi || !futex_key_same(pi->key, to)) return -EINVAL; /* it does not wait for this */
        if (user_copy_in(&value, other, sizeof value)) return -EFAULT;
        uint32_t owner = value & FUTEX_TID;
        if (owner == (uint32_t)pi->tid) return -EDEADLK;
        if (owner && !thread_find((int)owner)) return -ESRCH;
        if (owner) value |= FUTEX_WAITERS;
        else value = (uint32_t)pi->tid | (value & FUTEX_OWNER_DIED) | (move || first_waiter(to, &more) ? FUTEX_WAITERS : 0);
        if (user_copy_out(other, &value, sizeof value)) return -EFAULT;
        futex_waiter_remove(waiter);
        waiter->woken = true; /* from the first word; the rest is the lock's */
        done++;
        if (owner) {
            queue_behind(pi, (int)owner);
        } else {
            pi->granted = true;
            wait_queue_wake(&pi->queue, -1);
        }
    }
    return done;
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

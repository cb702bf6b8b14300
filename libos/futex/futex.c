/*
 * futex(2): WAIT, WAKE, their BITSET forms, REQUEUE, CMP_REQUEUE, WAKE_OP. Owns the waiters, in buckets by key, oldest first. Words with an owner,
 * and requeueing to them, are in pi.c.
 * A waiter is queued before the word is read, so no wake is lost where reading it has to wait for the page. Nothing else runs between
 * reading a word and acting on it: calls are not preempted.
 */
#include "futex/internal.h"
#include "clock/clock.h"
#include "vm/vm.h"

enum { WAIT = 0, WAKE = 1, REQUEUE = 3, CMP_REQUEUE = 4, WAKE_OP = 5, LOCK_PI = 6, UNLOCK_PI = 7, TRYLOCK_PI = 8, WAIT_BITSET = 9, WAKE_BITSET = 10,
       WAIT_REQUEUE_PI = 11, CMP_REQUEUE_PI = 12, LOCK_PI2 = 13, PRIVATE = 128, REALTIME = 256 };
enum { BUCKETS = 64 };
static struct futex_waiter *buckets[BUCKETS];

/* Absent in linked images without mmap. */
extern __typeof(areas_find) areas_find __attribute__((weak));

static struct futex_waiter **bucket_of(struct futex_key key) {
    uint64_t mixed = (key.address >> 2 ^ (uintptr_t)key.space >> 4) * 0x9e3779b97f4a7c15;
    return &buckets[mixed >> 58];
}

int futex_key(const uint32_t *word, bool shared, struct futex_key *out) {
    struct address_space *space = current_process()->space;
    uintptr_t address = (uintptr_t)word;
    uint32_t value;
    uint64_t page;
    *out = (struct futex_key){space, address};
    if (address & 3) return -EINVAL;
    if (!shared || !areas_find || !space) return 0;
    struct vm_area *area = areas_find(&space->areas, address);
    if (!area || area->start > address) return space->linked ? 0 : -EFAULT; /* linked programs have data in the image */
    if (!(area->flags & VM_SHARED)) return 0;
    if (user_copy_in(&value, word, sizeof value)) return -EFAULT; /* brings the page in */
    if (arch_lookup(space->root, address & ~4095ul, &page, NULL)) *out = (struct futex_key){NULL, page | (address & 4095)};
    return 0;
}

void futex_waiter_remove(struct futex_waiter *waiter) {
    struct futex_waiter **link = bucket_of(waiter->key);
    while (*link && *link != waiter) link = &(*link)->next;
    if (*link) *link = waiter->next;
}

void futex_waiter_add(struct futex_waiter *waiter) {
    struct futex_waiter **link = bucket_of(waiter->key);
    while (*link) link = &(*link)->next;
    waiter->next = NULL;
    *link = waiter;
}

struct futex_waiter *futex_waiter_first(struct futex_key key) {
    struct futex_waiter *waiter = *bucket_of(key);
    while (waiter && !futex_key_same(waiter->key, key)) waiter = waiter->next;
    return waiter;
}

int futex_wake(struct futex_key key, int count, uint32_t bits) {
    int woken = 0;
    for (struct futex_waiter **link = bucket_of(key); *link && woken < count;) {
        struct futex_waiter *waiter = *link;
        if (!futex_key_same(waiter->key, key) || !(waiter->bits & bits)) {
            link = &waiter->next;
            continue;
        }
        if (waiter->pi) return -EINVAL;
        *link = waiter->next;
        waiter->woken = true;
        wait_queue_wake(waiter->queue, -1);
        woken++;
    }
    return woken;
}

static bool was_woken(void *argument) { return ((struct futex_waiter *)argument)->woken; }

int futex_deadline(const struct timespec64 *timeout, bool absolute, bool realtime, uint64_t *deadline) {
    struct timespec64 t;
    *deadline = 0;
    if (!timeout) return 0;
    if (user_copy_in(&t, timeout, sizeof t)) return -EFAULT;
    if (t.seconds < 0 || (uint64_t)t.nanoseconds > 999999999) return -EINVAL;
    *deadline = t.seconds > 4000000000 ? 4000000000000000000ull : (uint64_t)t.seconds * 1000000000 + (uint64_t)t.nanoseconds;
    if (!absolute) *deadline += clock_monotonic_ns();
    else if (realtime) {
        uint64_t offset = clock_realtime_ns() - clock_monotonic_ns();
        *deadline = *deadline > offset ? *deadline - offset : 1;
    }
    if (!*deadline) *deadline = 1;
    return 0;
}

static long futex_wait(const uint32_t *word, bool shared, uint32_t expected, uint64_t deadline, uint32_t bits) {
    struct wait_queue queue = {0};
    struct futex_waiter waiter = {.bits = bits, .queue = &queue};
    uint32_t value;
    long result = futex_key(word, shared, &waiter.key);
    if (result) return result;
    futex_waiter_add(&waiter);
    if (user_copy_in(&value, word, sizeof value)) result = -EFAULT;
    else if (value != expected) result = -EAGAIN;
    else result = wait_until(&queue, was_woken, &waiter, deadline, deadline ? WAIT_BREAKS : true);
    if (result == -EINTR && deadline) current_thread()->wait_limited = true;
    if (!waiter.woken) futex_waiter_remove(&waiter);
    return waiter.woken ? 0 : result;
}

/* Wakes `wake`, moves up to `move` more to wait for the other word. */
static long requeue(struct futex_key from, struct futex_key to, int wake, int move) {
    long done = futex_wake(from, wake, ~0u);
    if (done < 0 || futex_key_same(from, to)) return done;
    for (struct futex_waiter **link = bucket_of(from); *link && move > 0;) {
        struct futex_waiter *waiter = *link;
        if (!futex_key_same(waiter->key, from)) {
            link = &waiter->next;
            continue;
        }
        if (waiter->pi) return -EINVAL;
        *link = waiter->next;
        waiter->key = to;
        futex_waiter_add(waiter);
        if (*link == waiter) link = &waiter->next; /* the same bucket, and it was its last */
        move--, done++;
    }
    return done;
}

/* FUTEX_WAKE_OP: bits 28..30 operation, 31 shift, 24..27 comparison, 12..23 and 0..11 signed operands. */
static long wake_op(uint32_t *word, uint32_t code, bool *second) {
    int operand = (int)(code << 8) >> 20, against = (int)(code << 20) >> 20;
    uint32_t old, new;
    if (code >> 31) operand = 1 << (operand & 31);
    if (user_copy_in(&old, word, sizeof old)) return -EFAULT;
    switch (code >> 28 & 7) {
    case 0: new = (uint32_t)operand; break;
    case 1: new = old + (uint32_t)operand; break;
    case 2: new = old | (uint32_t)operand; break;
    case 3: new = old & ~(uint32_t)operand; break;
    case 4: new = old ^ (uint32_t)operand; break;
    default: return -ENOSYS;
    }
    if (user_copy_out(word, &new, sizeof new)) return -EFAULT;
    int was = (int)old;
    switch (code >> 24 & 15) {
    case 0: *second = was == against; return 0;
    case 1: *second = was != against; return 0;
    case 2: *second = was < against; return 0;
    case 3: *second = was <= against; return 0;
    case 4: *second = was > against; return 0;
    case 5: *second = was >= against; return 0;
    default: return -ENOSYS;
    }
}

SYSCALL_DEFINE(futex, uint32_t *word, int operation, uint32_t value, const struct timespec64 *timeout, uint32_t *other, uint32_t value3) {
    int command = operation & ~(PRIVATE | REALTIME), count = (int)(uintptr_t)timeout;
    bool shared = !(operation & PRIVATE), second = false;
    struct futex_key key, other_key;
    uint64_t deadline;
    long result;
    if (operation & REALTIME && command != WAIT_BITSET && command != WAIT && command != LOCK_PI2 && command != WAIT_REQUEUE_PI) return -ENOSYS;
    if (command == LOCK_PI || command == LOCK_PI2 || command == TRYLOCK_PI) {
        result = futex_deadline(command == TRYLOCK_PI ? NULL : timeout, true, command == LOCK_PI || operation & REALTIME, &deadline);
        return result ? result : futex_lock_pi(word, shared, deadline, command == TRYLOCK_PI);
    }
    if (command == UNLOCK_PI) return futex_unlock_pi(word, shared);
    if (command == WAIT || command == WAIT_BITSET) {
        uint32_t bits = command == WAIT ? ~0u : value3;
        if (!bits) return -EINVAL;
        result = futex_deadline(timeout, command == WAIT_BITSET, operation & REALTIME, &deadline);
        return result ? result : futex_wait(word, shared, value, deadline, bits);
    }
    if (command == WAIT_REQUEUE_PI) {
        result = futex_deadline(timeout, true, operation & REALTIME, &deadline);
        return result ? result : futex_wait_requeue_pi(word, shared, value, deadline, other);
    }
    if (command != WAKE && command != WAKE_BITSET && command != CMP_REQUEUE_PI && (command < REQUEUE || command > WAKE_OP)) return -ENOSYS;
    if (command == WAKE_BITSET && !value3) return -EINVAL;
    if ((result = futex_key(word, shared, &key))) return result;
    if (command == WAKE || command == WAKE_BITSET) return futex_wake(key, (int)value < 1 ? 1 : (int)value, command == WAKE ? ~0u : value3);
    if ((int)value < 0 || (count < 0 && command != WAKE_OP)) return -EINVAL;
    if (command == CMP_REQUEUE_PI && (value != 1 || word == other)) return -EINVAL;
    if ((result = futex_key(other, shared, &other_key))) return result;
    if (command == WAKE_OP) {
        if ((result = wake_op(other, value3, &second))) return result;
        result = futex_wake(key, (int)value < 1 ? 1 : (int)value, ~0u);
        if (result < 0 || !second) return result;
        int more = futex_wake(other_key, count < 1 ? 1 : count, ~0u);
        return more < 0 ? more : result + more;
    }
    if (command == CMP_REQUEUE || command == CMP_REQUEUE_PI) {
        uint32_t now;
        if (user_copy_in(&now, word, sizeof now)) return -EFAULT;
        if (now != value3) return -EAGAIN;
    }
    if (command == CMP_REQUEUE_PI) return futex_key_same(key, other_key) ? -EINVAL : futex_requeue_pi(key, other_key, other, count);
    return requeue(key, other_key, (int)value, count);
}

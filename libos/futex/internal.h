/* Private to futex. */
#ifndef HULL_FUTEX_INTERNAL_H
#define HULL_FUTEX_INTERNAL_H
#include "futex/futex.h"
#include "syscall/syscall.h"
#include "wait/wait.h"
struct address_space;
struct futex_key { struct address_space *space; uint64_t address; }; /* space NULL: a physical address */
int futex_key(const uint32_t *word, bool shared, struct futex_key *out); /* 0, -EINVAL, -EFAULT */
int futex_wake(struct futex_key key, int count, uint32_t bits);           /* how many; -EINVAL: who waits there waits to be requeued */
static inline bool futex_key_same(struct futex_key a, struct futex_key b) { return a.space == b.space && a.address == b.address; }

/* Who sleeps on a word. The caller's; in a bucket from add to remove, or until it is woken. */
struct pi_waiter; /* of WAIT_REQUEUE_PI: what it becomes on the other word */
struct futex_waiter { struct futex_waiter *next; struct futex_key key; uint32_t bits; bool woken; struct wait_queue *queue; struct pi_waiter *pi; };
struct futex_waiter *futex_waiter_first(struct futex_key key); /* the oldest; NULL */
void futex_waiter_add(struct futex_waiter *);
void futex_waiter_remove(struct futex_waiter *);
struct timespec64 { int64_t seconds, nanoseconds; };
int futex_deadline(const struct timespec64 *timeout, bool absolute, bool realtime, uint64_t *deadline); /* 0, -EFAULT, -EINVAL; a NULL timeout: 0 */

#define FUTEX_TID 0x3fffffffu
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_WAITERS 0x80000000u
long futex_lock_pi(uint32_t *word, bool shared, uint64_t deadline, bool tries);
long futex_unlock_pi(uint32_t *word, bool shared);
long futex_wait_requeue_pi(const uint32_t *word, bool shared, uint32_t expected, uint64_t deadline, uint32_t *other);
/* From `from`, which held what it should, to the word `other` that has an owner: one gets it when it is free, up to `move` more wait for it. How many, or -errno. */
long futex_requeue_pi(struct futex_key from, struct futex_key to, uint32_t *other, int move);
void futex_pi_owner_died(const struct thread *); /* what it owns and others wait for gets the next owner */
#endif

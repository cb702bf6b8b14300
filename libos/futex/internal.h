/* Private to futex. */
#ifndef HULL_FUTEX_INTERNAL_H
#define HULL_FUTEX_INTERNAL_H
#include "futex/futex.h"
#include "syscall/syscall.h"
#include "wait/wait.h"
struct address_space;
struct futex_key { struct address_space *space; uint64_t address; }; /* space NULL: a physical address */
int futex_key(const uint32_t *word, bool shared, struct futex_key *out); /* 0, -EINVAL, -EFAULT */
int futex_wake(struct futex_key key, int count, uint32_t bits);           /* how many */
#endif

/*
 * Memory protection keys (pkeys(7)) of a machine that has none: pkey_alloc(2), pkey_free(2), pkey_mprotect(2). Runtimes ask at their start (V8 does), and take
 * ENOSPC for "not here". Owns nothing.
 */
#include "syscall/syscall.h"

enum { RIGHTS = 3 }; /* PKEY_DISABLE_ACCESS, PKEY_DISABLE_WRITE */
extern long sys_mprotect(uintptr_t start, size_t length, unsigned long protection);

SYSCALL_DEFINE(pkey_alloc, unsigned long flags, unsigned long rights) { return flags || rights & ~(unsigned long)RIGHTS ? -EINVAL : -ENOSPC; }

SYSCALL_DEFINE(pkey_free, int key) {
    (void)key;
    return -EINVAL;
}

SYSCALL_DEFINE(pkey_mprotect, uintptr_t start, size_t length, unsigned long protection, int key) {
    return key == -1 ? sys_mprotect(start, length, protection) : -EINVAL;
}

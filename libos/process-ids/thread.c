/*
 * What a C library sets up for its first thread. Without the thread component there is one thread, so leaving it ends the process.
 */
#include "init/init.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "task/task.h"

static struct { uintptr_t head; size_t size; } robust; /* kept to be given back: it matters when other threads wait */

SYSCALL_DEFINE(set_robust_list, uintptr_t head, size_t size) {
    if (size != 24) return -EINVAL;
    robust.head = head, robust.size = size;
    return 0;
}

SYSCALL_DEFINE(get_robust_list, int pid, uintptr_t *head, size_t *size) {
    if (pid && pid != current_thread()->tid) return -ESRCH;
    return user_copy_out(head, &robust.head, sizeof *head) || user_copy_out(size, &robust.size, sizeof *size) ? -EFAULT : 0;
}

/* Refused on purpose: a restartable sequence must be aborted at preemption and signals, and C libraries do without. */
SYSCALL_DEFINE(rseq, void *area, uint32_t length, int flags, uint32_t signature) {
    (void)area, (void)length, (void)flags, (void)signature;
    return -ENOSYS;
}

/*
 * What a C library sets up for its first thread. The robust list is walked when the thread ends (futex/exit.c).
 */
#include "init/init.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "task/task.h"

SYSCALL_DEFINE(set_robust_list, uintptr_t head, size_t size) {
    if (size != 24) return -EINVAL;
    current_thread()->robust_list = head; /* futex/exit.c walks it */
    return 0;
}

SYSCALL_DEFINE(get_robust_list, int pid, uintptr_t *head, size_t *size) {
    size_t length = 24;
    struct thread *thread = pid ? thread_find(pid) : current_thread();
    if (!thread) return -ESRCH;
    return user_copy_out(head, &thread->robust_list, sizeof *head) || user_copy_out(size, &length, sizeof *size) ? -EFAULT : 0;
}

/* Refused on purpose: a restartable sequence must be aborted at preemption and signals, and C libraries do without. */
SYSCALL_DEFINE(rseq, void *area, uint32_t length, int flags, uint32_t signature) {
    (void)area, (void)length, (void)flags, (void)signature;
    return -ENOSYS;
}

/*
 * clone(2) of linked programs: threads only. A call is a function call there, so the child goes on as if its own call of sys_clone had
 * returned 0 on the stack that it was given: at the address on top of that stack (libos/musl/README.md).
 */
#include "syscall/syscall.h"
#include "thread/thread.h"

SYSCALL_DEFINE(clone, uint64_t flags, uintptr_t stack, int *parent_tid, int *child_tid, uintptr_t tls) {
    struct clone_request request = {.flags = flags & ~0xfful, .stack = stack + sizeof(uintptr_t), .tls = tls,
                                    .parent_tid = parent_tid, .child_tid = child_tid};
    uintptr_t next;
    if (!(flags & CLONE_THREAD)) return -ENOSYS; /* no other process can be: its stack would be this one */
    if (user_copy_in(&next, (const void *)stack, sizeof next)) return -EFAULT;
    struct trap_frame frame;
    arch_frame_start(&frame, next, request.stack);
    return thread_clone(&frame, &request);
}

/*
 * mmap, in place of musl's. The library's own uses (malloc, thread stacks) go to __mmap and ask for private memory. A program that calls mmap
 * may ask for shared anonymous memory, so its reference brings the libOS component for that along.
 */
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include "syscall.h"

hidden weak void __vm_wait(void); /* with process-shared robust mutexes */
hidden void shared_memory_create(void); /* the libOS's; called by its vm component */

void *__mmap(void *start, size_t length, int protection, int flags, int descriptor, off_t offset)
{
    if (offset & 4095)
        return (void *)__syscall_ret(-EINVAL);
    if (length > PTRDIFF_MAX)
        return (void *)__syscall_ret(-ENOMEM);
    if (flags & MAP_FIXED && __vm_wait)
        __vm_wait(); /* until no robust mutex is being left by another thread */
    return (void *)__syscall_ret(__syscall(SYS_mmap, start, length, protection, flags, descriptor, offset));
}

void *mmap(void *start, size_t length, int protection, int flags, int descriptor, off_t offset)
{
    __asm__ volatile("" : : "r"(shared_memory_create));
    return __mmap(start, length, protection, flags, descriptor, offset);
}

void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));

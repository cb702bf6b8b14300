/* Sets the thread pointer of the calling thread, in place of musl's assembly with a syscall instruction: the program runs in ring 0. */
#include "pthread_impl.h"

#define MSR_FS_BASE 0xc0000100

int __set_thread_area(void *pointer)
{
    __asm__ volatile("wrmsr" : : "c"(MSR_FS_BASE), "a"((unsigned)(uintptr_t)pointer), "d"((unsigned)((uintptr_t)pointer >> 32)) : "memory");
    return 0;
}

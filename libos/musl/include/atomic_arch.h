/*
 * Stands before musl's atomic_arch.h: a_crash there executes hlt, which faults in ring 3 but only waits in ring 0.
 * Ours writes to the unmapped null page, so that a crash is a SIGSEGV as on Linux.
 */
#include_next "atomic_arch.h"
#undef a_crash
#define a_crash hull_crash
static inline void hull_crash(void)
{
    *(volatile char *)0 = 0;
}

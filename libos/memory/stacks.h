/*
 * Kernel stacks of threads beyond the first: STACK_KERNEL_PAGES in the libOS half of all page tables, with an unmapped page below each. Context: calls.
 */
#ifndef HULL_MEMORY_STACKS_H
#define HULL_MEMORY_STACKS_H
#include <stdint.h>
#pragma GCC visibility push(hidden)
uintptr_t stack_create(void);      /* its lowest address, contents undefined; 0: no memory */
void stack_free(uintptr_t bottom); /* some stay mapped for threads to come */
void stacks_free_kept(void);       /* gives those back */
#pragma GCC visibility pop
#endif

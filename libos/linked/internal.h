/* Private to libos/linked. */
#ifndef HULL_LINKED_INTERNAL_H
#define HULL_LINKED_INTERNAL_H
#include <stdint.h>
#pragma GCC visibility push(hidden)
uintptr_t linked_stack_create(void); /* top of the program's stack, page-aligned */
#pragma GCC visibility pop
#endif

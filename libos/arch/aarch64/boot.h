/* Private to early boot (boot.c, boot_memory.c). */
#ifndef HULL_ARCH_BOOT_H
#define HULL_ARCH_BOOT_H
#include "internal.h"
#pragma GCC visibility push(hidden)
/* With the page allocator only: gives it all RAM but for the image, the page tables from `room` up to `low`, and what the launcher passed, which may lie between; makes the direct map. */
void boot_memory(const void *tree, uint64_t room, uint64_t low);
#pragma GCC visibility pop
#endif

/* Private to early boot (boot.c, boot_memory.c). */
#ifndef HULL_ARCH_BOOT_H
#define HULL_ARCH_BOOT_H
#include "internal.h"
#pragma GCC visibility push(hidden)
/* With the page allocator only: gives it all RAM but for the image, the pages up to `low` behind it, and what the launcher passed; makes the direct map. */
void boot_memory(const void *tree, uint64_t low);
#pragma GCC visibility pop
#endif

/* Private to early boot (boot.c, boot_memory.c). */
#ifndef HULL_ARCH_BOOT_H
#define HULL_ARCH_BOOT_H
#include "internal.h"

/* For arch/boot_image.h. */
#define BOOT_TABLE PTE_TABLE
static inline uint64_t *boot_table(uintptr_t virt) { return arch_boot_tables + (virt >> 63 ? TABLE_UPPER : TABLE_LOWER) * 512; }
static inline uintptr_t boot_image_offset(void) { return arch_image_offset; }

#pragma GCC visibility push(hidden)
/* With the page allocator only: gives it all RAM but for the image, the page tables from `room` up to `low`, and what the launcher passed, which may lie between; makes the direct map. */
void boot_memory(const void *tree, uint64_t room, uint64_t low);
#pragma GCC visibility pop
#endif

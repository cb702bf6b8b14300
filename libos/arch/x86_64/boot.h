/* Private to early boot (boot.c, boot_memory.c). */
#ifndef HULL_ARCH_BOOT_H
#define HULL_ARCH_BOOT_H
#include "internal.h"

/* For arch/boot_image.h. */
#define BOOT_TABLE (PTE_PRESENT | PTE_WRITE)
static inline uint64_t *boot_table(uintptr_t virt) { return (void)virt, (uint64_t *)arch_boot_tables; }
static inline uintptr_t boot_image_offset(void) { return arch_slide; } /* it is linked where it is in memory */

/* Xen include/public/arch-x86/hvm/start_info.h, version 1. */
struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp, memory_map;
    uint32_t memory_map_count, reserved;
};
struct start_module { uint64_t address, size, command_line, reserved; };
struct start_memory { uint64_t address, size; uint32_t type, reserved; };
#define START_MEMORY_RAM 1

#pragma GCC visibility push(hidden)
/* With the page allocator only: gives it all RAM but for the image, the pages up to `low` behind it, those of the stack, and what the launcher passed; makes the direct map. */
void boot_memory(const struct start_info *info, uint64_t low, uint64_t stack, uint64_t stack_end);
#pragma GCC visibility pop
#endif

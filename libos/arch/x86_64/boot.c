/*
 * Early boot: picks the slide, relocates the image, builds the page tables.
 *
 * Runs at the link (= physical) address under the boot tables: symbols are physical addresses, and pointers stored in data
 * are already the slid ones, so nothing here may follow a stored pointer or call through one. Reads only below 4 GiB.
 *
 * Page tables, and the stack of a linked program that has no `vm`, come from the largest free piece of RAM behind the image. The rest of the RAM
 * is the page allocator's, in images that have one (boot_memory.c); without it nothing is ever allocated.
 */
#include "arch/boot_image.h"
#include "abi/boot_abi.h"
#include "init/init.h"
#include "vm/vm.h"

#pragma GCC visibility push(hidden)
uintptr_t arch_slide;
arch_root arch_boot_root;
uint64_t boot_module_phys, boot_module_size, boot_command_line_phys;
arch_root arch_boot(const struct start_info *info);
uint64_t boot_random64(void);
extern uintptr_t linked_stack_top __attribute__((weak)); /* in linked images without `vm`: made here */
#pragma GCC visibility pop
#pragma weak boot_memory
#pragma weak vm_map

#define PROGRAM_STACK_SIZE (8ul << 20)

/* Room for page tables and the stack, in the RAM that the image is in. */
static void find_ram(const struct start_info *info) {
    const struct start_memory *map = (const void *)info->memory_map;
    for (unsigned i = 0; i < info->memory_map_count; i++)
        if (map[i].type == START_MEMORY_RAM && (uintptr_t)hull_image_end - map[i].address < map[i].size)
            high = map[i].address + map[i].size;
    const uint64_t busy[][2] = {{boot_module_phys, boot_module_size}, {boot_command_line_phys, PAGE_SIZE},
                                {(uintptr_t)info, PAGE_SIZE}, {(uintptr_t)map, PAGE_SIZE}};
    find_room(busy, sizeof(busy) / sizeof(*busy));
}

arch_root arch_boot(const struct start_info *info) {
    const struct start_module *module = (const void *)info->modules;
    if (info->module_count) { /* the first is the one that counts */
        boot_module_phys = module->address;
        boot_module_size = module->size;
    }
    boot_command_line_phys = info->command_line;
    arch_slide = IMAGE_WINDOW;
    if (!(boot_flags() & HULL_FLAG_FIXED))
        arch_slide += boot_random64() % ((IMAGE_WINDOW_SIZE - (uintptr_t)hull_image_end) / PAGE_SIZE) * PAGE_SIZE;
    relocate(arch_slide, 0);
    find_ram(info);

    map_image();
    unmap_guard(STACK_GUARD_0);
    unmap_guard(STACK_GUARD_1);
    unmap_guard(STACK_GUARD_2);
    uint64_t size = 0;
    if (&linked_stack_top && !vm_map) {
        /* Its tables come from the same piece: room for them is left. */
        size = (high - low - 16 * PAGE_SIZE) / (boot_memory ? 4 : 1) & -PAGE_SIZE;
        if (size > PROGRAM_STACK_SIZE)
            size = PROGRAM_STACK_SIZE;
        linked_stack_top = PROGRAM_END - (boot_random64() % (1ul << 21) << PAGE_SHIFT);
        high -= size;
        map_pages(linked_stack_top - size, high, high + size, arch_entry_make(0, MAP_READ | MAP_WRITE));
    }
    arch_boot_root = (uintptr_t)arch_boot_tables;
    if (boot_memory)
        boot_memory(info, low, high, high + size);
    else /* read-only from here on: all that writes, writes at the image's addresses or the stack's */
        ((uint64_t *)arch_boot_tables)[DIRECT_MAP >> 39 & 511] ^= PTE_WRITE | PTE_NX;
    return arch_boot_root;
}

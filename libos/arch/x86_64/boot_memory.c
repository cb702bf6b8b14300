/*
 * Early boot of images with the page allocator: hands RAM to it and makes the direct map. Runs as boot.c does.
 */
#include "boot.h"
#include "init/image.h"
#include "lib/string.h"
#include "memory/memory.h"

/* The live direct map is the boot tables' until the new one, made at an unused place of the same tables, takes its slots. */
#define BUILD ((DIRECT_MAP >> 39 & 511) / 4)
#define BUILD_MAP ((uintptr_t)BUILD << 39)

/* Maps a range with the largest pages that fit. What is already mapped stays as it is. */
static void map_range(uint64_t phys, uint64_t end, uint64_t flags) {
    bool gigabyte = cpuid(0x80000001, 0).d >> 26 & 1;
    while (phys < end) {
        for (unsigned level = gigabyte ? 2 : 1;; level--) {
            uint64_t size = PAGE_SIZE << 9 * level;
            if (level && ((phys & (size - 1)) || end - phys < size))
                continue;
            uint64_t *entry = paging_entry(arch_boot_root, BUILD_MAP + phys, level, true);
            if (level && entry && *entry)
                continue;
            if (entry && !*entry)
                *entry = phys | flags | (level ? PTE_LARGE : 0);
            phys += size;
            break;
        }
    }
}

void boot_memory(const struct start_info *info, uint64_t low, uint64_t stack, uint64_t stack_end) {
    const struct start_memory *map = (const void *)info->memory_map, *map_end = map + info->memory_map_count;
    for (const struct start_memory *m = map; m < map_end; m++)
        if (m->type == START_MEMORY_RAM)
            memory_add(m->address, m->address + m->size);
    memory_reserve((uintptr_t)hull_image_start, low);
    memory_reserve(stack, stack_end);
    const struct start_module *module = (const void *)info->modules;
    for (unsigned i = 0; i < info->module_count; i++)
        memory_reserve(module[i].address, module[i].address + module[i].size);
    uint64_t text = info->command_line, text_end = text;
    if (text) {
        text_end += strlen((const char *)text) + 1;
        memory_reserve(text, text_end);
    }
    memory_ready();

    /* The image's read-only part is read-only here, too. */
    const uint64_t read_only = PTE_PRESENT | PTE_NX, writable = read_only | PTE_WRITE;
    map_range((uintptr_t)hull_text_start, (uintptr_t)hull_data_start, read_only);
    for (const struct start_memory *m = map; m < map_end; m++)
        if (m->type == START_MEMORY_RAM)
            map_range(m->address & -PAGE_SIZE, m->address + m->size, writable);
    map_range(text & -PAGE_SIZE, text_end, read_only);
    uint64_t *root = (uint64_t *)arch_boot_root;
    memcpy(root + 4 * BUILD, root + BUILD, BUILD * sizeof(*root));
    memset(root + BUILD, 0, BUILD * sizeof(*root));
}

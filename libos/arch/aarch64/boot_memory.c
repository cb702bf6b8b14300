/*
 * Early boot of images with the page allocator: hands RAM to it and makes the direct map. Runs as boot.c does.
 */
#include "boot.h"
#include "device_tree.h"
#include "init/image.h"
#include "init/init.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "vm/vm.h"

#define BLOCK (2ul << 20)

arch_root arch_boot_root;
static uint64_t *top; /* of the direct map: entries of 1 GiB */

static uint64_t *table_below(uint64_t *entry) {
    if (!*entry)
        *entry = virt_to_phys(page_alloc_zeroed()) | PTE_TABLE;
    return phys_to_virt(*entry & PTE_ADDRESS);
}

/* Blocks where they fit; the image's text and constants stay read-only here, too. */
static void map_ram(uint64_t phys, uint64_t end) {
    const uint64_t text = (uintptr_t)hull_text_start, data = (uintptr_t)hull_data_start;
    while (phys < end) {
        uint64_t *table = table_below(&top[phys >> 30]), *entry = &table[phys >> 21 & 511];
        if (!(phys & (BLOCK - 1)) && end - phys >= BLOCK && (phys >= data || phys + BLOCK <= text)) {
            *entry = phys | PTE_BLOCK | PTE_NORMAL | PTE_NO_EXEC;
            phys += BLOCK;
            continue;
        }
        table_below(entry)[phys >> 12 & 511] = arch_entry_make(phys, phys - text < data - text ? MAP_READ : MAP_READ | MAP_WRITE);
        phys += PAGE_SIZE;
    }
}

/* Each piece of RAM that the device tree tells of, as far as the direct map goes. */
static void for_each_ram(const void *tree, void (*action)(uint64_t start, uint64_t end)) {
    struct devicetree_property p = {0};
    while (devicetree_next(tree, &p)) {
        if (p.depth != 2 || strncmp(p.node, "memory@", 7) || strcmp(p.name, "reg"))
            continue;
        uint64_t start = devicetree_number(p.value, 2), end = start + devicetree_number(p.value + 2, 2);
        if (start < DIRECT_MAP_END)
            action(start, end < DIRECT_MAP_END ? end : DIRECT_MAP_END);
    }
}

void boot_memory(const void *tree, uint64_t room, uint64_t low) {
    arch_boot_root = (uintptr_t)(arch_boot_tables + TABLE_LOWER * 512);
    for_each_ram(tree, memory_add);
    memory_reserve((uintptr_t)hull_image_start, (uintptr_t)hull_image_end);
    memory_reserve(room, low);
    memory_reserve(boot_module_phys, boot_module_phys + boot_module_size);
    memory_reserve((uintptr_t)tree, (uintptr_t)tree + devicetree_size(tree));
    memory_ready();
    HULL_NEEDS(vm_map); /* the program's stack is made by it */

    top = page_alloc_zeroed();
    *top = arch_boot_tables[TABLE_DIRECT * 512]; /* devices */
    for_each_ram(tree, map_ram);
    /* This runs in the identity map, which keeps the boot tables' blocks: nothing is in the direct map while its entry changes. */
    volatile uint64_t *slot = &arch_boot_tables[TABLE_UPPER * 512 + (DIRECT_MAP >> 39 & 511)];
    *slot = 0;
    __asm__ volatile("dsb ishst\n\ttlbi vmalle1\n\tdsb ish\n\tisb" ::: "memory");
    *slot = virt_to_phys(top) | PTE_TABLE;
    __asm__ volatile("dsb ishst\n\tisb" ::: "memory");
}

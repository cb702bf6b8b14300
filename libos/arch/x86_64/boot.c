/*
 * Early boot: picks the slide, relocates the image, builds the page tables.
 *
 * Runs at the link (= physical) address under the boot tables: symbols are physical addresses, and pointers stored in data
 * are already the slid ones, so nothing here may follow a stored pointer or call through one. Reads only below 4 GiB.
 *
 * Page tables, and the stack of a linked program that has no `vm`, come from the largest free piece of RAM behind the image. The rest of the RAM
 * is the page allocator's, in images that have one (boot_memory.c); without it nothing is ever allocated.
 */
#include "boot.h"
#include "abi/boot_abi.h"
#include "init/image.h"
#include "init/init.h"
#include "lib/string.h"
#include "memory/memory.h"
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

static uint64_t low, high; /* physical: what is still free behind the image */

/* RELR (ELF gABI, SHT_RELR): an even word is an address to relocate; an odd one a bitmap of the 63 words after the last. */
static void relocate(uintptr_t delta) {
    uint64_t *where = NULL;
    for (const uint64_t *entry = (const uint64_t *)hull_relr_start; entry < (const uint64_t *)hull_relr_end; entry++) {
        if (!(*entry & 1)) {
            where = (uint64_t *)*entry;
            *where++ += delta;
            continue;
        }
        for (uint64_t *at = where, bits = *entry >> 1; bits; bits >>= 1, at++)
            if (bits & 1)
                *at += delta;
        where += 63;
    }
}

/* low and high: the largest free piece of the RAM that the image is in. */
static void find_room(const struct start_info *info) {
    const struct start_memory *map = (const void *)info->memory_map;
    low = (uintptr_t)hull_image_end;
    for (unsigned i = 0; i < info->memory_map_count; i++)
        if (map[i].type == START_MEMORY_RAM && low - map[i].address < map[i].size)
            high = map[i].address + map[i].size;
    const uint64_t busy[][2] = {{boot_module_phys, boot_module_size}, {boot_command_line_phys, PAGE_SIZE},
                                {(uintptr_t)info, PAGE_SIZE}, {(uintptr_t)map, PAGE_SIZE}};
    for (unsigned i = 0; i < sizeof(busy) / sizeof(*busy); i++) {
        uint64_t start = busy[i][0], end = start + busy[i][1];
        if (end <= low || start >= high)
            continue;
        if (start > low && start - low > high - end)
            high = start;
        else
            low = end;
    }
    low = (low + PAGE_SIZE - 1) & -PAGE_SIZE;
    high &= -PAGE_SIZE;
}

static uint64_t *page_entry(uintptr_t virt) {
    uint64_t *table = (uint64_t *)arch_boot_tables;
    for (unsigned shift = 39;; shift -= 9) {
        uint64_t *entry = &table[virt >> shift & 511];
        if (shift == 12)
            return entry;
        if (!*entry) {
            memset((void *)low, 0, PAGE_SIZE);
            *entry = low | PTE_PRESENT | PTE_WRITE;
            low += PAGE_SIZE;
        }
        table = (uint64_t *)(*entry & PTE_ADDRESS);
    }
}

static void map_pages(uintptr_t virt, uint64_t phys, uint64_t end, uint64_t flags) {
    for (uint64_t *entry = NULL; phys < end; entry++, virt += PAGE_SIZE, phys += PAGE_SIZE) {
        if (!((uintptr_t)entry % PAGE_SIZE)) /* the first, and each that begins a table */
            entry = page_entry(virt);
        *entry = phys | flags;
    }
}

static void map_image(const char *start, const char *end, uint64_t flags) {
    map_pages(arch_slide + (uintptr_t)start, (uintptr_t)start, (uintptr_t)end, flags);
}

/* Guard pages: address kept out of the tables. */
static void unmap_guard(unsigned page) { *page_entry(arch_slide + (uintptr_t)arch_stacks + page * PAGE_SIZE) = 0; }

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
    relocate(arch_slide);
    find_room(info);

    const uint64_t read_only = PTE_PRESENT | PTE_NX, writable = read_only | PTE_WRITE;
    map_image(hull_text_start, hull_rodata_start, PTE_PRESENT);
    map_image(hull_rodata_start, hull_data_start, read_only);
    map_image(hull_data_start, hull_image_end, writable);
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
        map_pages(linked_stack_top - size, high, high + size, writable);
    }
    arch_boot_root = (uintptr_t)arch_boot_tables;
    if (boot_memory)
        boot_memory(info, low, high, high + size);
    else /* read-only from here on: all that writes, writes at the image's addresses or the stack's */
        ((uint64_t *)arch_boot_tables)[DIRECT_MAP >> 39 & 511] ^= PTE_WRITE | PTE_NX;
    return arch_boot_root;
}

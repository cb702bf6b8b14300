/*
 * Early boot: reads the device tree, picks the slide, relocates the image, builds the page tables.
 *
 * Runs where the image was loaded, under the boot tables: symbols are physical addresses, and pointers stored in data are already the slid ones, so nothing
 * here may follow a stored pointer. Page tables, and the stack of a linked program, come from the largest free piece of RAM behind the image.
 */
#include "boot.h"
#include "device_tree.h"
#include "init/image.h"
#include "init/init.h"
#include "lib/string.h"
#include "memory/memory.h"

#pragma GCC visibility push(hidden)
uintptr_t arch_slide, arch_image_offset;
uint64_t boot_module_phys, boot_module_size, boot_command_line_phys, arch_uart_phys, arch_tree_phys;
uintptr_t arch_boot(const void *tree);
uint64_t boot_random64(void);
extern uintptr_t linked_stack_top __attribute__((weak)); /* in linked images without page allocator: made here */
#pragma GCC visibility pop

#pragma weak boot_memory

#define PROGRAM_STACK_SIZE (8ul << 20)

static uint64_t room, low, high; /* physical: the largest free piece of RAM behind the image, and what of it is still free */
/* Holds the link address until relocate() has been here. */
static const char *const volatile linked_start = hull_image_start;

/* RELR (ELF gABI, SHT_RELR): an even word is an address to relocate; an odd one a bitmap of the 63 words after the last. */
static void relocate(uintptr_t loaded) {
    uint64_t *where = NULL;
    for (const uint64_t *entry = (const uint64_t *)hull_relr_start; entry < (const uint64_t *)hull_relr_end; entry++) {
        if (!(*entry & 1)) {
            where = (uint64_t *)(*entry + loaded);
            *where++ += arch_slide;
            continue;
        }
        for (uint64_t *at = where, bits = *entry >> 1; bits; bits >>= 1, at++)
            if (bits & 1)
                *at += arch_slide;
        where += 63;
    }
}

/* The number behind the path's first '@': "/pl011@9000000"; 0 without one. */
static uint64_t unit_address(const char *path) {
    uint64_t value = 0;
    while (*path && *path != '@')
        path++;
    while (*path) {
        unsigned digit = (unsigned)*++path - '0';
        if (digit > 9)
            digit = (unsigned)*path - 'a' + 10;
        if (digit > 15)
            break;
        value = value << 4 | digit;
    }
    return value;
}

/* A name, or the beginning of one up to a unit address. */
static bool begins(const char *text, const char *name) {
    while (*name)
        if (*text++ != *name++)
            return false;
    return true;
}

/* The module, the console, and the RAM that the image is in. */
static void read_tree(const void *tree) {
    struct devicetree_property p = {0};
    uint64_t module_end = 0;
    while (devicetree_next(tree, &p)) {
        if (p.depth != 2)
            continue;
        if (begins(p.node, "chosen")) {
            if (begins(p.name, "linux,initrd-start"))
                boot_module_phys = devicetree_number(p.value, p.size / 4);
            if (begins(p.name, "linux,initrd-end"))
                module_end = devicetree_number(p.value, p.size / 4);
            if (begins(p.name, "stdout-path"))
                arch_uart_phys = unit_address((const char *)p.value);
        }
        if (begins(p.node, "memory@") && begins(p.name, "reg")) { /* two cells each: what the machine `virt` has */
            uint64_t start = devicetree_number(p.value, 2), size = devicetree_number(p.value + 2, 2);
            if ((uintptr_t)hull_image_start - start < size)
                high = start + size;
        }
    }
    boot_module_size = module_end - boot_module_phys;
}

static void find_room(const void *tree) {
    low = (uintptr_t)hull_image_end;
    if (high > DIRECT_MAP_END)
        high = DIRECT_MAP_END;
    const uint64_t busy[][2] = {{boot_module_phys, boot_module_size}, {(uintptr_t)tree, devicetree_size(tree)}};
    for (unsigned i = 0; i < sizeof(busy) / sizeof(*busy); i++) {
        uint64_t start = busy[i][0], end = start + busy[i][1];
        if (end <= low || start >= high)
            continue;
        if (start > low && start - low > high - end)
            high = start;
        else
            low = end;
    }
    room = low = (low + PAGE_SIZE - 1) & -PAGE_SIZE;
    high &= -PAGE_SIZE;
}

static uint64_t *page_entry(uintptr_t virt) {
    uint64_t *table = arch_boot_tables + (virt >> 63 ? TABLE_UPPER : TABLE_LOWER) * 512;
    for (unsigned shift = 39;; shift -= 9) {
        uint64_t *entry = &table[virt >> shift & 511];
        if (shift == 12)
            return entry;
        if (!*entry) {
            memset((void *)low, 0, PAGE_SIZE);
            *entry = low | PTE_TABLE;
            low += PAGE_SIZE;
        }
        table = (uint64_t *)(*entry & PTE_ADDRESS);
    }
}

static void map_pages(uintptr_t virt, uint64_t phys, uint64_t end, unsigned prot) {
    for (uint64_t *entry = NULL; phys < end; entry++, virt += PAGE_SIZE, phys += PAGE_SIZE) {
        if (!((uintptr_t)entry % PAGE_SIZE)) /* the first, and each that begins a table */
            entry = page_entry(virt);
        *entry = arch_entry_make(phys, prot);
    }
}

static void map_image(const char *start, const char *end, unsigned prot) {
    map_pages(arch_image_offset + (uintptr_t)start, (uintptr_t)start, (uintptr_t)end, prot);
}

/* Guard pages: address kept out of the tables. */
static void unmap_guard(unsigned page) { *page_entry(arch_image_offset + (uintptr_t)arch_stacks + page * PAGE_SIZE) = 0; }

uintptr_t arch_boot(const void *tree) {
    uintptr_t loaded = (uintptr_t)hull_image_start - (uintptr_t)linked_start;
    read_tree(tree);
    arch_tree_phys = (uintptr_t)tree;
    uintptr_t slide = 0;
    if (!(boot_flags() & HULL_FLAG_FIXED))
        slide = boot_random64() % ((IMAGE_WINDOW_SIZE - (uintptr_t)(hull_image_end - hull_image_start)) / PAGE_SIZE - 1) * PAGE_SIZE;
    arch_image_offset = IMAGE_WINDOW + slide - (uintptr_t)hull_image_start;
    arch_slide = arch_image_offset + loaded;
    relocate(loaded);
    find_room(tree);

    map_image(hull_text_start, hull_rodata_start, MAP_READ | MAP_EXEC);
    map_image(hull_rodata_start, hull_data_start, MAP_READ);
    map_image(hull_data_start, hull_image_end, MAP_READ | MAP_WRITE);
    unmap_guard(STACK_GUARD_0);
    unmap_guard(STACK_GUARD_1);
    if (boot_memory) {
        boot_memory(tree, room, low);
    } else if (&linked_stack_top) {
        /* Its tables come from the same piece: room for them is left. */
        uint64_t size = high - low - 16 * PAGE_SIZE;
        if (size > PROGRAM_STACK_SIZE)
            size = PROGRAM_STACK_SIZE;
        linked_stack_top = PROGRAM_END - (boot_random64() % (1ul << 21) << PAGE_SHIFT);
        high -= size;
        /* TTBR0's table still is the identity map's: entry 0 of it, which the program's stack is far from. */
        map_pages(linked_stack_top - size, high, high + size, MAP_READ | MAP_WRITE);
    }
    return arch_image_offset;
}

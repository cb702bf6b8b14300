/*
 * Early boot: reads the device tree, picks the slide, relocates the image, builds the page tables.
 *
 * Runs where the image was loaded, under the boot tables: symbols are physical addresses, and pointers stored in data are already the slid ones, so nothing
 * here may follow a stored pointer. Page tables, and the stack of a linked program, come from the largest free piece of RAM behind the image.
 */
#include "arch/boot_image.h"
#include "device_tree.h"
#include "init/init.h"

#pragma GCC visibility push(hidden)
uintptr_t arch_slide, arch_image_offset;
uint64_t boot_module_phys, boot_module_size, boot_command_line_phys, arch_uart_phys, arch_tree_phys;
uintptr_t arch_boot(const void *tree);
uint64_t boot_random64(void);
extern uintptr_t linked_stack_top __attribute__((weak)); /* in linked images without page allocator: made here */
#pragma GCC visibility pop

#pragma weak boot_memory

#define PROGRAM_STACK_SIZE (8ul << 20)

/* Holds the link address until relocate() has been here. */
static const char *const volatile linked_start = hull_image_start;

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

uintptr_t arch_boot(const void *tree) {
    uintptr_t loaded = (uintptr_t)hull_image_start - (uintptr_t)linked_start;
    read_tree(tree);
    arch_tree_phys = (uintptr_t)tree;
    uintptr_t slide = 0;
    if (!(boot_flags() & HULL_FLAG_FIXED))
        slide = boot_random64() % ((IMAGE_WINDOW_SIZE - (uintptr_t)(hull_image_end - hull_image_start)) / PAGE_SIZE - 1) * PAGE_SIZE;
    arch_image_offset = IMAGE_WINDOW + slide - (uintptr_t)hull_image_start;
    arch_slide = arch_image_offset + loaded;
    relocate(arch_slide, loaded);
    if (high > DIRECT_MAP_END)
        high = DIRECT_MAP_END;
    const uint64_t busy[][2] = {{boot_module_phys, boot_module_size}, {(uintptr_t)tree, devicetree_size(tree)}};
    find_room(busy, sizeof(busy) / sizeof(*busy));
    const uint64_t room = low;

    map_image();
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
        map_pages(linked_stack_top - size, high, high + size, arch_entry_make(0, MAP_READ | MAP_WRITE));
    }
    return arch_image_offset;
}

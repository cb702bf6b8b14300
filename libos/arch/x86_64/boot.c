/*
 * Early boot: picks the slide, relocates the image, hands RAM to the page allocator, builds the page tables.
 *
 * Runs at the link (= physical) address under the boot tables: symbols are physical addresses, and pointers stored in data
 * are already the slid ones, so nothing here may follow a stored pointer or call through one. Reads only below 1 GiB.
 */
#include "init/image.h"
#include "internal.h"
#include "lib/string.h"
#include "memory/memory.h"

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
uintptr_t arch_slide;
arch_root arch_boot_root;
uint64_t boot_module_phys, boot_module_size, boot_command_line_phys;
arch_root arch_boot(const struct start_info *info);
#pragma GCC visibility pop

/* A random page-aligned slide with which the image stays inside the window. */
static uintptr_t choose_slide(void) {
    uint64_t random;
    if (!arch_random64(&random))
        random = (arch_cycles() * 0x9e3779b97f4a7c15) >> 32;
    uint64_t pages = (IMAGE_WINDOW_SIZE - (uintptr_t)hull_image_end) / PAGE_SIZE;
    return IMAGE_WINDOW + random % pages * PAGE_SIZE;
}

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

/* Maps a range with the largest pages that fit. What is already mapped stays as it is. */
static void map_range(uintptr_t virt, uint64_t phys, uint64_t end, uint64_t flags) {
    bool gigabyte = cpuid(0x80000001, 0).d >> 26 & 1;
    while (phys < end) {
        for (unsigned level = gigabyte ? 2 : 1;; level--) {
            uint64_t size = PAGE_SIZE << 9 * level;
            if (level && (((virt | phys) & (size - 1)) || end - phys < size))
                continue;
            uint64_t *entry = paging_entry(arch_boot_root, virt, level, true);
            if (level && entry && *entry)
                continue;
            if (entry && !*entry)
                *entry = phys | flags | (level ? PTE_LARGE : 0);
            virt += size;
            phys += size;
            break;
        }
    }
}

static void map_image(const char *start, const char *end, uint64_t flags) {
    map_range(arch_slide + (uintptr_t)start, (uintptr_t)start, (uintptr_t)end, flags);
}

/* Guard pages: address kept out of the tables. */
static void unmap_guard(unsigned page) {
    *paging_entry(arch_boot_root, arch_slide + (uintptr_t)arch_stacks + page * PAGE_SIZE, 0, false) = 0;
}

arch_root arch_boot(const struct start_info *info) {
    arch_slide = choose_slide();
    relocate(arch_slide);

    const struct start_memory *map = (const void *)info->memory_map, *map_end = map + info->memory_map_count;
    for (const struct start_memory *m = map; m < map_end; m++)
        if (m->type == START_MEMORY_RAM)
            memory_add(m->address, m->address + m->size);
    memory_reserve((uintptr_t)hull_image_start, (uintptr_t)hull_image_end);
    const struct start_module *module = (const void *)info->modules;
    for (unsigned i = info->module_count; i-- > 0;) {
        memory_reserve(module[i].address, module[i].address + module[i].size);
        boot_module_phys = module[i].address; /* the first module is the one that counts */
        boot_module_size = module[i].size;
    }
    uint64_t text = info->command_line, text_end = text;
    if (text) {
        text_end += strlen((const char *)text) + 1;
        memory_reserve(text, text_end);
        boot_command_line_phys = text;
    }
    memory_ready();

    arch_boot_root = (uintptr_t)page_alloc_zeroed() - DIRECT_MAP;
    const uint64_t read_only = PTE_PRESENT | PTE_NX, writable = read_only | PTE_WRITE;
    map_image(hull_text_start, hull_rodata_start, PTE_PRESENT);
    map_image(hull_rodata_start, hull_data_start, read_only);
    map_image(hull_data_start, hull_image_end, writable);
    unmap_guard(STACK_GUARD_0);
    unmap_guard(STACK_GUARD_1);
    unmap_guard(STACK_GUARD_2);
    /* The direct map: the image's read-only part is read-only here, too. */
    map_range(DIRECT_MAP + (uintptr_t)hull_text_start, (uintptr_t)hull_text_start, (uintptr_t)hull_data_start, read_only);
    for (const struct start_memory *m = map; m < map_end; m++)
        if (m->type == START_MEMORY_RAM)
            map_range(DIRECT_MAP + (m->address & -PAGE_SIZE), m->address & -PAGE_SIZE, m->address + m->size, writable);
    map_range(DIRECT_MAP + (text & -PAGE_SIZE), text & -PAGE_SIZE, text_end, read_only);
    /* The boot tables' identity map, until arch_main() runs at its slid address. */
    *(uint64_t *)(DIRECT_MAP + arch_boot_root) = *(uint64_t *)(arch_stacks + STACK_KERNEL * PAGE_SIZE);
    return arch_boot_root;
}

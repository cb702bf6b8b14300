/*
 * Early boot: what all instruction sets do alike to put the image where it runs. Included by each one's boot.c only, and so no larger in the smallest images than
 * if it were written there. Its boot.h gives BOOT_TABLE (the bits of an entry that refers to a table), boot_table and boot_image_offset.
 * Runs as boot.c does: nothing here may follow a pointer that is stored in data, or call through one.
 */
#ifndef HULL_ARCH_BOOT_IMAGE_H
#define HULL_ARCH_BOOT_IMAGE_H
#include "boot.h"
#include "init/image.h"
#include "lib/string.h"
#include "memory/memory.h"

static uint64_t low, high; /* physical: what is still free behind the image; `high` before find_room: the end of the RAM that it is in */

/* RELR (ELF gABI, SHT_RELR): an even word is an address to relocate; an odd one a bitmap of the 63 words after the last. loaded: where the image is in memory
 * less its link address. */
static void relocate(uintptr_t delta, uintptr_t loaded) {
    uint64_t *where = NULL;
    for (const uint64_t *entry = (const uint64_t *)hull_relr_start; entry < (const uint64_t *)hull_relr_end; entry++) {
        if (!(*entry & 1)) {
            where = (uint64_t *)(*entry + loaded);
            *where++ += delta;
            continue;
        }
        for (uint64_t *at = where, bits = *entry >> 1; bits; bits >>= 1, at++)
            if (bits & 1)
                *at += delta;
        where += 63;
    }
}

/* low and high: the largest piece behind the image without `busy`, which are addresses and sizes. */
static void find_room(const uint64_t (*busy)[2], unsigned count) {
    low = (uintptr_t)hull_image_end;
    for (unsigned i = 0; i < count; i++) {
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
    uint64_t *table = boot_table(virt);
    for (unsigned shift = 39;; shift -= 9) {
        uint64_t *entry = &table[virt >> shift & 511];
        if (shift == 12)
            return entry;
        if (!*entry) {
            memset((void *)low, 0, PAGE_SIZE);
            *entry = low | BOOT_TABLE;
            low += PAGE_SIZE;
        }
        table = (uint64_t *)(*entry & PTE_ADDRESS);
    }
}

/* model: an entry for physical address 0 (arch_entry_make). */
static void map_pages(uintptr_t virt, uint64_t phys, uint64_t end, arch_entry model) {
    for (uint64_t *entry = NULL; phys < end; entry++, virt += PAGE_SIZE, phys += PAGE_SIZE) {
        if (!((uintptr_t)entry % PAGE_SIZE)) /* the first, and each that begins a table */
            entry = page_entry(virt);
        *entry = phys | model;
    }
}

static void map_image_part(const char *start, const char *end, arch_entry model) {
    map_pages(boot_image_offset() + (uintptr_t)start, (uintptr_t)start, (uintptr_t)end, model);
}

static void map_image(void) {
    map_image_part(hull_text_start, hull_rodata_start, arch_entry_make(0, MAP_READ | MAP_EXEC));
    map_image_part(hull_rodata_start, hull_data_start, arch_entry_make(0, MAP_READ));
    map_image_part(hull_data_start, hull_image_end, arch_entry_make(0, MAP_READ | MAP_WRITE));
}

/* Guard pages: address kept out of the tables. */
static void unmap_guard(unsigned page) { *page_entry(boot_image_offset() + (uintptr_t)arch_stacks + page * PAGE_SIZE) = 0; }
#endif

/*
 * Cached pages of files out of page tables, when memory is short: a mapping has a reference to each, so that the caches cannot give them back. All of them go at once, and
 * what is still in use comes back by a fault that needs no device: what does not come back is what a cache may have. So a program whose text and files exceed the memory goes on.
 */
#include "vm/internal.h"

/* This part of the memory stays with what is mapped of files: with less a program does nothing but wait for its own pages. */
#define LEAST_SHARE 16

static bool is_cached(arch_entry entry) {
    if (arch_entry_protection(entry) & MAP_WRITE) return false;
    const struct page *page = page_of(arch_entry_page(entry));
    return page && page->flags & PAGE_CACHED;
}

/* How many such pages the space has mapped, until there are enough; without them, when they shall go. */
static uint64_t walk(struct address_space *space, bool unmap, uint64_t enough) {
    struct arch_stale stale = arch_stale_begin(space->root);
    uint64_t found = 0;
    for (struct vm_area *area = areas_find(&space->areas, 0); area && found < enough; area = areas_find(&space->areas, area->end)) {
        if (!area->file || area->flags & VM_LOCKED) continue;
        struct vm_walk walk = {.root = space->root, .next = area->start, .end = area->end};
        while (found < enough && vm_walk_next(&walk)) {
            if (!is_cached(*walk.entry)) continue;
            found++;
            if (!unmap) continue;
            uint64_t page = arch_entry_page(*walk.entry);
            *walk.entry = 0;
            arch_stale_note(&stale, walk.at);
            space->resident--;
            page_put(page);
        }
    }
    arch_stale_end(&stale);
    return found;
}

uint64_t memory_unmap_cached(void) {
    uint64_t least = memory_total() / LEAST_SHARE >> PAGE_SHIFT, found = 0;
    for (struct address_space *space = vm_spaces; space && found < least; space = space->next) found += walk(space, false, least - found);
    if (found < least) return 0;
    found = 0;
    for (struct address_space *space = vm_spaces; space; space = space->next) found += walk(space, true, ~0ull);
    return found;
}

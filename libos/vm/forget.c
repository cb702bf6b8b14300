/*
 * Pages of files that went from their file (truncation, holes) go from every mapping of it, too: the next touch meets what the file has now, or SIGBUS
 * beyond its end. Otherwise a mapping would go on with pages that are nobody's, and what is written there be lost (mmap(2); POSIX, "mmap").
 */
#include "vm/internal.h"

/* A page of the area's own, made by a write to a private mapping? */
static bool is_copy(struct address_space *space, const struct vm_area *area, uintptr_t at) {
    uint64_t mapped, page;
    unsigned protection;
    if (area->flags & VM_SHARED || !arch_lookup(space->root, at, &mapped, &protection)) return false;
    if (area->file->ops->get_page(area->file, (area->offset + (at - area->start)) >> PAGE_SHIFT, FILE_PAGE_AT_HAND, &page)) return true;
    page_put(page);
    return page != mapped;
}

static void forget(struct address_space *space, const struct vm_area *area, uint64_t first, uint64_t end, bool copies) {
    uint64_t shown = area->offset >> PAGE_SHIFT, shown_end = shown + ((area->end - area->start) >> PAGE_SHIFT);
    if (first < shown) first = shown;
    if (end > shown_end) end = shown_end;
    if (first >= end) return;
    uintptr_t from = area->start + ((first - shown) << PAGE_SHIFT), to = area->start + ((end - shown) << PAGE_SHIFT);
    if (copies || area->flags & VM_SHARED) {
        vm_drop_pages(space, from, to);
        return;
    }
    for (uintptr_t at = from; (at = arch_next_mapped(space->root, at, to)) < to; at += PAGE_SIZE)
        if (!is_copy(space, area, at)) vm_drop_pages(space, at, at + PAGE_SIZE);
}

void vm_forget_file(bool (*is)(struct file *, const void *which), const void *which, uint64_t first, uint64_t end, bool copies) {
    for (struct address_space *space = vm_spaces; space; space = space->next)
        for (struct vm_area *area = areas_find(&space->areas, 0); area; area = areas_find(&space->areas, area->end))
            if (area->file && area->file->ops->get_page && is(area->file, which)) forget(space, area, first, end, copies);
}

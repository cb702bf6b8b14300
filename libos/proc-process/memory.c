/*
 * Counting a process's memory. A page of a private file mapping is anonymous when it is not the file's own any more: it is compared with what the
 * file has at hand. Executable mappings are taken for the file's. Nothing is faulted in.
 */
#include "proc-process/internal.h"
#include "arch/arch.h"

static bool is_file_page(const struct vm_area *area, uintptr_t at, uint64_t page) {
    uint64_t own;
    if (!area->file) return false;
    if (area->flags & VM_SHARED || area->protection & PROT_EXEC || !page_of(page)) return true;
    if (area->file->ops->get_page(area->file, (area->offset + (at - area->start)) >> PAGE_SHIFT, FILE_PAGE_AT_HAND, &own)) return false;
    page_put(own);
    return own == page;
}

static bool has_place(struct file *file) {
    struct path path;
    if (vfs_path_of(file, &path)) return false;
    vfs_path_put(path);
    return true;
}

void memory_count_area(const struct address_space *space, const struct vm_area *area, struct memory_count *c) {
    uint64_t pages = (area->end - area->start) >> PAGE_SHIFT;
    bool nameless = area->file && area->flags & VM_SHARED && !has_place(area->file);
    c->size += pages;
    if (area->flags & VM_LOCKED) c->locked += pages;
    if (space->program.stack >= area->start && space->program.stack < area->end) c->stack += pages;
    else if (area->protection & PROT_WRITE && !(area->flags & VM_SHARED)) c->data += pages;
    if (area->protection & PROT_EXEC) {
        bool program = space->program.code >= area->start && space->program.code < area->end;
        *(program ? &c->code : &c->libraries) += pages;
    }
    for (uintptr_t at = area->start; (at = arch_next_mapped(space->root, at, area->end)) < area->end; at += PAGE_SIZE) {
        uint64_t page;
        unsigned protection;
        if (!arch_lookup(space->root, at, &page, &protection)) continue;
        const struct page *descriptor = page_of(page);
        if (!descriptor && !area->file) continue; /* the zero page */
        bool file = is_file_page(area, at, page), dirty = !file || (area->flags & VM_SHARED && protection & MAP_WRITE);
        uint32_t mappings = descriptor ? descriptor->references - (file && descriptor->references > 1) : 1;
        if (!mappings) mappings = 1;
        c->resident++;
        if (!file) c->anonymous++;
        else if (nameless) c->shared++;
        else c->file++;
        if (mappings > 1) *(dirty ? &c->shared_dirty : &c->shared_clean) += 1;
        else *(dirty ? &c->private_dirty : &c->private_clean) += 1;
        c->share += 4096 / mappings;
        if (dirty) c->share_dirty += 4096 / mappings;
    }
}

void memory_count_space(const struct address_space *space, struct memory_count *out) {
    memset(out, 0, sizeof *out);
    if (!space) return;
    for (const struct vm_area *area = areas_find(&space->areas, 0); area; area = areas_find(&space->areas, area->end))
        if (!(area->flags & VM_GUARD)) memory_count_area(space, area, out);
}

uint64_t memory_size(const struct address_space *space) {
    uint64_t size = 0;
    for (const struct vm_area *area = space ? areas_find(&space->areas, 0) : NULL; area; area = areas_find(&space->areas, area->end))
        if (!(area->flags & VM_GUARD)) size += area->end - area->start;
    return size;
}

uintptr_t memory_tables(const struct address_space *space) {
    uintptr_t bytes = 3 * PAGE_SIZE, last = ~0ul;
    if (!space) return 0;
    for (uintptr_t at = 0; (at = arch_next_mapped(space->root, at, VM_HIGHEST)) < VM_HIGHEST; at = (at | 0x1fffff) + 1)
        if (at >> 21 != last) {
            bytes += PAGE_SIZE;
            last = at >> 21;
        }
    return bytes;
}

size_t memory_read(struct address_space *space, uintptr_t from, void *to, size_t size) {
    size_t done = 0;
    while (space && done < size) {
        uintptr_t at = from + done, within = at & (PAGE_SIZE - 1);
        size_t piece = size - done < PAGE_SIZE - within ? size - done : PAGE_SIZE - within;
        const struct vm_area *area = areas_find(&space->areas, at);
        uint64_t page;
        unsigned protection;
        if (!area || area->start > at) break;
        if (!arch_lookup(space->root, at - within, &page, &protection)) {
            if (area->file) break;
            memset((char *)to + done, 0, piece);
        } else {
            memcpy((char *)to + done, (const char *)phys_to_virt(page) + within, piece);
        }
        done += piece;
    }
    return done;
}

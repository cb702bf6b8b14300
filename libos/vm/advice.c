/*
 * The calls that advise about, lock and inspect memory: madvise, mincore, msync, mlock and its family.
 */
#include "vm/internal.h"

enum { MADV_WILLNEED = 3, MADV_DONTNEED = 4, MADV_FREE = 8, MADV_REMOVE = 9, MADV_POPULATE_READ = 22, MADV_POPULATE_WRITE = 23 };
enum { MS_ASYNC = 1, MS_INVALIDATE = 2, MS_SYNC = 4 };

SYSCALL_DEFINE(madvise, uintptr_t start, size_t length, int advice) {
    struct address_space *space = current_space();
    size_t size = page_up(length);
    /* Known and harmless to ignore: 0..3, 8, 10..21 (huge pages, merging, dumping, cold, page out …). */
    if (!page_aligned(start) || advice < 0 || (advice > 4 && advice < 8) || advice == MADV_REMOVE || advice > MADV_POPULATE_WRITE)
        return -EINVAL;
    if (length && !size) return -EINVAL;
    if (!size) return 0;
    if (!in_range(start, size)) return -ENOMEM;
    uintptr_t end = start + size;
    bool covered = vm_covered(space, start, end);
    if (advice == MADV_DONTNEED || advice == MADV_FREE) {
        for (struct vm_area *area = areas_find(&space->areas, start); area && area->start < end; area = areas_find(&space->areas, area->end)) {
            if (advice == MADV_FREE && (area->file || area->flags & VM_SHARED)) return -EINVAL;
            vm_drop_pages(space, start > area->start ? start : area->start, end < area->end ? end : area->end);
        }
    } else if (advice >= MADV_POPULATE_READ) {
        return vm_populate(space, start, end) ? -ENOMEM : 0;
    }
    return covered ? 0 : -ENOMEM;
}

SYSCALL_DEFINE(mincore, uintptr_t start, size_t length, uint8_t *vector) {
    struct address_space *space = current_space();
    size_t size = page_up(length);
    if (!page_aligned(start)) return -EINVAL;
    if (start > VM_HIGHEST || size > VM_HIGHEST - start || !vm_covered(space, start, start + size)) return -ENOMEM;
    for (uintptr_t at = start; at < start + size; at += PAGE_SIZE) {
        uint64_t page;
        unsigned protection;
        uint8_t resident = arch_lookup(space->root, at, &page, &protection);
        if (user_copy_out(vector++, &resident, 1)) return -EFAULT;
    }
    return 0;
}

SYSCALL_DEFINE(msync, uintptr_t start, size_t length, int flags) {
    size_t size = page_up(length);
    if (!page_aligned(start) || flags & ~7 || (flags & MS_ASYNC && flags & MS_SYNC)) return -EINVAL;
    if (start > VM_HIGHEST || size > VM_HIGHEST - start) return -ENOMEM;
    struct address_space *space = current_space();
    for (uintptr_t at = start; flags & MS_SYNC && at < start + size;) { /* the space may change while a file is written */
        struct vm_area *area = areas_find(&space->areas, at);
        if (!area || area->start >= start + size) break;
        at = area->end;
        struct file *file = area->file;
        if (!file || !(area->flags & VM_SHARED) || !file->ops->sync) continue;
        file_get(file);
        int error = file->ops->sync(file);
        file_put(file);
        if (error) return error;
    }
    return vm_covered(space, start, start + size) ? 0 : -ENOMEM; /* otherwise mapped pages are the file's own pages */
}

/* Nothing is ever paged out, so a locked page is one that is there. */
SYSCALL_DEFINE(mlock, uintptr_t start, size_t length) {
    uintptr_t end = page_up(start + length);
    start = page_down(start);
    if (end < start) return -EINVAL;
    return start > VM_HIGHEST || end > VM_HIGHEST || vm_populate(current_space(), start, end) ? -ENOMEM : 0;
}

SYSCALL_DEFINE(mlock2, uintptr_t start, size_t length, int flags) {
    if (flags & ~1) return -EINVAL;
    if (!flags) return sys_mlock(start, length);
    return vm_covered(current_space(), page_down(start), page_up(start + length)) ? 0 : -ENOMEM; /* MLOCK_ONFAULT */
}

SYSCALL_DEFINE(munlock, uintptr_t start, size_t length) {
    return vm_covered(current_space(), page_down(start), page_up(start + length)) ? 0 : -ENOMEM;
}

SYSCALL_DEFINE(mlockall, int flags) {
    return !flags || flags & ~7 || flags == 4 ? -EINVAL : 0;
}

SYSCALL_DEFINE(munlockall, void) {
    return 0;
}

/*
 * The calls that advise about and inspect memory: madvise(2), mincore(2), msync(2), remap_file_pages(2), and the memory protection keys (pkeys(7)) of a
 * machine that has none.
 */
#include "vm/internal.h"
#include "signal/signal.h"

enum { MADV_WILLNEED = 3, MADV_DONTNEED = 4, MADV_FREE = 8, MADV_REMOVE = 9, MADV_DONTFORK = 10, MADV_DOFORK = 11, MADV_WIPEONFORK = 18, MADV_KEEPONFORK = 19,
       MADV_COLD = 20, MADV_PAGEOUT = 21, MADV_POPULATE_READ = 22, MADV_POPULATE_WRITE = 23, MADV_DONTNEED_LOCKED = 24, MADV_COLLAPSE = 25,
       MADV_HWPOISON = 100, MADV_SOFT_OFFLINE = 101 };
enum { MS_ASYNC = 1, MS_INVALIDATE = 2, MS_SYNC = 4, MAP_NONBLOCK = 0x10000, O_ACCMODE = 3, O_RDONLY = 0 };

/* MADV_REMOVE: a hole in the file, or in the shared memory, behind [start, end) of the area. */
static int punch(struct address_space *space, struct vm_area *area, uintptr_t start, uintptr_t end) {
    if (area->flags & VM_LOCKED || !area->file) return -EINVAL;
    if (!(area->flags & VM_SHARED) || (area->file->flags & O_ACCMODE) == O_RDONLY) return -EACCES; /* it may be written, if not now */
    struct file *file = area->file;
    uint64_t at = area->offset + (start - area->start);
    file_get(file); /* the area may go while the file is changed */
    vm_drop_pages(space, start, end);
    int error = shared_memory_punch ? shared_memory_punch(file, at >> PAGE_SHIFT, (at + (end - start)) >> PAGE_SHIFT) : -EINVAL;
    if (error == -EINVAL) error = vfs_punch ? vfs_punch(file, (int64_t)at, (int64_t)(end - start)) : -EOPNOTSUPP;
    file_put(file);
    return error;
}

/* One area's part of the range. Advice without a case is known and harmless to ignore: huge pages, merging, dumping, reading ahead. */
static int advise(struct address_space *space, struct vm_area *area, uintptr_t start, uintptr_t end, int advice) {
    bool nameless = !area->file && !(area->flags & VM_SHARED), locked = area->flags & VM_LOCKED;
    unsigned clear = 0, set = 0;
    switch (advice) {
    case MADV_FREE:
        if (!nameless) return -EINVAL;
        __attribute__((fallthrough));
    case MADV_DONTNEED:
        if (locked) return -EINVAL;
        __attribute__((fallthrough));
    case MADV_DONTNEED_LOCKED: vm_drop_pages(space, start, end); return 0;
    case MADV_REMOVE: return punch(space, area, start, end);
    case MADV_COLD:
    case MADV_PAGEOUT: return locked ? -EINVAL : 0; /* nothing is paged out */
    case MADV_COLLAPSE: return -EINVAL;             /* into huge pages, which there are not */
    case MADV_DONTFORK: set = VM_DONTFORK; break;
    case MADV_DOFORK: clear = VM_DONTFORK; break;
    case MADV_WIPEONFORK:
        if (!nameless) return -EINVAL;
        set = VM_WIPEONFORK;
        break;
    case MADV_KEEPONFORK: clear = VM_WIPEONFORK; break;
    default: return 0;
    }
    if (vm_cut(space, start, end)) return -ENOMEM;
    area = areas_find(&space->areas, start);
    area->flags = (uint8_t)((area->flags & ~clear) | set);
    return 0;
}

static long populate(struct address_space *space, uintptr_t start, uintptr_t end, unsigned access) {
    for (; start < end; start += PAGE_SIZE) { /* a fault may sleep: each page anew */
        struct vm_area *area = areas_find(&space->areas, start);
        if (!area || area->start > start) return -ENOMEM;
        if (!(table_protection(area->protection) & access)) return -EINVAL;
        int code = vm_fault_in(space, start, access);
        if (code) return code >> 8 == SIGBUS ? -EFAULT : -ENOMEM;
    }
    return 0;
}

SYSCALL_DEFINE(madvise, uintptr_t start, size_t length, int advice) {
    struct address_space *space = current_space();
    size_t size = page_up(length);
    if (advice == MADV_HWPOISON || advice == MADV_SOFT_OFFLINE) return current_process()->credentials.euid ? -EPERM : -EINVAL;
    if (!page_aligned(start) || advice < 0 || (advice > MADV_DONTNEED && advice < MADV_FREE) || advice > MADV_COLLAPSE) return -EINVAL;
    if (length && !size) return -EINVAL;
    if (!size) return 0;
    if (!in_range(start, size)) return -ENOMEM;
    uintptr_t end = start + size;
    if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)
        return populate(space, start, end, advice == MADV_POPULATE_READ ? MAP_READ : MAP_WRITE);
    bool covered = vm_covered(space, start, end);
    int error = 0;
    for (uintptr_t at = start; at < end && !error;) {
        struct vm_area *area = areas_find(&space->areas, at);
        if (!area || area->start >= end) break;
        uintptr_t stop = end < area->end ? end : area->end;
        error = advise(space, area, at > area->start ? at : area->start, stop, advice);
        at = stop;
    }
    vm_join_around(space, start, end);
    return error ? error : covered ? 0 : -ENOMEM;
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
    for (uintptr_t at = start; at < start + size;) { /* the space may change while a file is written */
        struct vm_area *area = areas_find(&space->areas, at);
        if (!area || area->start >= start + size) break;
        if (flags & MS_INVALIDATE && area->flags & VM_LOCKED) return -EBUSY;
        at = area->end;
        struct file *file = area->file;
        if (!(flags & MS_SYNC) || !file || !(area->flags & VM_SHARED) || !file->ops->sync) continue;
        file_get(file);
        int error = file->ops->sync(file);
        file_put(file);
        if (error) return error;
    }
    return vm_covered(space, start, start + size) ? 0 : -ENOMEM; /* otherwise mapped pages are the file's own pages */
}

/* Shows other pages of the file behind a shared mapping, by mappings of their own, as Linux does since 4.0. */
SYSCALL_DEFINE(remap_file_pages, uintptr_t start, size_t size, unsigned long protection, size_t index, unsigned long flags) {
    struct address_space *space = current_space();
    start = page_down(start);
    size = page_down(size);
    if (protection || start + size <= start || index + (size >> PAGE_SHIFT) < index || index >> (64 - PAGE_SHIFT)) return -EINVAL;
    struct vm_area *area = areas_find(&space->areas, start);
    if (!area || area->start > start || !(area->flags & VM_SHARED) || !area->file) return -EINVAL;
    for (struct vm_area *next = area; next->end < start + size;) { /* of one file, without a gap */
        struct vm_area *before = next;
        next = areas_find(&space->areas, before->end);
        if (!next || next->start != before->end || next->file != area->file || next->protection != area->protection || next->flags != area->flags) return -EINVAL;
    }
    struct file *file = area->file;
    unsigned area_flags = area->flags & ~VM_CHARGED, kept = area->protection;
    file_get(file);
    int error = vm_map(space, start, size, kept, area_flags, file, (uint64_t)index << PAGE_SHIFT);
    if (!error && area_flags & VM_LOCKED) space->locked += size >> PAGE_SHIFT;
    file_put(file);
    if (!error && !(flags & MAP_NONBLOCK)) vm_populate(space, start, start + size);
    return error;
}

long sys_mprotect(uintptr_t start, size_t length, unsigned long protection);

SYSCALL_DEFINE(pkey_alloc, unsigned flags, unsigned rights) {
    return flags || rights & ~3u ? -EINVAL : -ENOSPC;
}

SYSCALL_DEFINE(pkey_free, int key) {
    (void)key; /* none was given out */
    return -EINVAL;
}

SYSCALL_DEFINE(pkey_mprotect, uintptr_t start, size_t length, unsigned long protection, int key) {
    return key == -1 ? sys_mprotect(start, length, protection) : -EINVAL;
}

/*
 * The calls on a program's memory: mmap, munmap, mprotect, mremap, brk. Behaviour as Linux's manual pages (section 2) have it.
 */
#include "vm/internal.h"
#include "linux_abi.h"

enum { O_ACCMODE = 3, O_RDONLY = 0, O_WRONLY = 1, F_GET_SEALS = 1034, F_SEAL_WRITE = 8, F_SEAL_FUTURE_WRITE = 16 };
enum { MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2, MREMAP_DONTUNMAP = 4 };
enum { PROT_GROWSDOWN = 0x01000000 };

/* Would `extra` more bytes exceed RLIMIT_AS? Adds up what is mapped only where a limit is set. */
static bool exceeds_limit(struct address_space *space, uint64_t extra) {
    uint64_t most = limit_address_space ? limit_address_space(current_process()) : ~0ull;
    if (!~most) return false;
    for (struct vm_area *area = areas_find(&space->areas, 0); area; area = areas_find(&space->areas, area->end)) extra += area->end - area->start;
    return extra > most;
}

/* Would `extra` more bytes of memory that is the program's own to write exceed RLIMIT_DATA? The stack does not count. */
static bool exceeds_data_limit(struct address_space *space, uint64_t extra) {
    uint64_t most = limit_data ? limit_data(current_process()) : ~0ull;
    if (!~most) return false;
    for (struct vm_area *area = areas_find(&space->areas, 0); area; area = areas_find(&space->areas, area->end))
        if (area->protection & PROT_WRITE && !(area->flags & VM_SHARED) && area->start < space->mmap_top) extra += area->end - area->start;
    return extra > most;
}

/* Has the file been sealed against writing (fcntl(2))? */
static bool sealed(struct file *file) {
    long seals = file->ops->fcntl ? file->ops->fcntl(file, F_GET_SEALS, 0) : 0;
    return seals > 0 && seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
}

/* The file behind the mapping, referenced, or NULL for anonymous memory. */
static long mapping_file(int type, unsigned protection, unsigned flags, int descriptor, struct file **out) {
    *out = NULL;
    if (flags & MAP_ANONYMOUS) {
        if (type == MAP_PRIVATE) return 0;
        return shared_memory_create && (*out = shared_memory_create()) ? 0 : -ENOMEM;
    }
    struct file *file = file_lookup ? file_lookup(descriptor) : NULL;
    if (!file) return -EBADF;
    unsigned mode = file->flags & O_ACCMODE;
    if (mode == O_WRONLY || (type != MAP_PRIVATE && protection & PROT_WRITE && mode == O_RDONLY)) return -EACCES;
    if (protection & PROT_EXEC && vfs_may_map_code && !vfs_may_map_code(file)) return -EPERM;
    if (!file->ops->get_page) return -ENODEV;
    if (type != MAP_PRIVATE && protection & PROT_WRITE && sealed(file)) return -EPERM;
    file_get(file);
    *out = file;
    return 0;
}

/* A place for MAP_32BIT below one of the uppermost 32 MiB there, as random as where mmap goes down from; 0 when none. */
static uintptr_t low_room(const struct address_space *space, size_t size) {
    return areas_room(&space->areas, size, LOW_PLACE_BEGIN, LOW_PLACE_END - (space->mmap_top & 0x1fff000));
}

/* Where the mapping goes, or -errno. */
static long place(struct address_space *space, uintptr_t hint, size_t size, unsigned flags) {
    if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        if (!page_aligned(hint)) return -EINVAL;
        if (!in_range(hint, size)) return hint < VM_LOWEST ? -EPERM : -ENOMEM;
        struct vm_area *area = areas_find(&space->areas, hint);
        if (flags & MAP_FIXED_NOREPLACE && area && area->start < hint + size) return -EEXIST;
        return (long)hint;
    }
    bool low = flags & MAP_32BIT;
    hint = low ? 0 : page_down(hint);
    if (hint && in_range(hint, size)) {
        struct vm_area *area = areas_find(&space->areas, hint);
        if (!area || area->start >= hint + size) return (long)hint;
    }
    hint = low ? low_room(space, size) : vm_room(space, size);
    return hint ? (long)hint : -ENOMEM;
}

SYSCALL_DEFINE(mmap, uintptr_t hint, size_t length, unsigned long protection, unsigned long flags, int descriptor, uint64_t offset) {
    struct address_space *space = current_space();
    int type = flags & MAP_TYPE;
    if (!length || !page_aligned(offset) || type < MAP_SHARED || type > MAP_SHARED_VALIDATE) return -EINVAL;
    if (type == MAP_SHARED_VALIDATE && flags & ~(unsigned long)MAP_VALIDATED) return -EOPNOTSUPP;
    size_t size = page_up(length);
    /* Of huge pages there are none, as on a Linux where none were reserved: programs then do without. A plain mapping would not be what they asked for. */
    if (!size || size > VM_HIGHEST || flags & MAP_HUGETLB || exceeds_limit(space, flags & MAP_FIXED ? 0 : size)) return -ENOMEM;
    if (type == MAP_PRIVATE && protection & PROT_WRITE && !(flags & MAP_FIXED) && exceeds_data_limit(space, size)) return -ENOMEM;
    if (!(flags & MAP_ANONYMOUS) && offset + size < offset) return -EOVERFLOW;
    protection &= PROT_READ | PROT_WRITE | PROT_EXEC;
    struct file *file;
    long at = mapping_file(type, protection, flags, descriptor, &file);
    if (at) return at;
    unsigned area_flags = type == MAP_PRIVATE ? 0 : VM_SHARED;
    bool none_promised = flags & MAP_NORESERVE && vm_commit.mode != COMMIT_NEVER;
    if (none_promised) area_flags |= VM_NORESERVE;
    if (flags & MAP_GROWSDOWN) area_flags |= VM_GROWSDOWN;
    if (flags & MAP_LOCKED || space->lock_all) area_flags |= VM_LOCKED;
    at = flags & MAP_LOCKED && !vm_may_lock_any() ? -EPERM : area_flags & VM_LOCKED && !vm_may_lock(space, size) ? -EAGAIN : 0;
    if (at) goto out;
    at = place(space, hint, size, flags);
    if (at < 0) goto out;
    uintptr_t start = (uintptr_t)at;
    bool promise = protection & PROT_WRITE && !none_promised && (type == MAP_PRIVATE || flags & MAP_ANONYMOUS);
    if (promise) {
        area_flags |= VM_CHARGED;
        if (vm_charge(size, !(flags & MAP_FIXED && vm_covered(space, start, start + size)))) {
            at = -ENOMEM;
            goto out;
        }
    }
    int error = vm_map(space, start, size, protection, area_flags, file, file && !(flags & MAP_ANONYMOUS) ? offset : 0);
    if (error) {
        if (promise) vm_uncharge(size);
        at = error;
    } else {
        if (area_flags & VM_LOCKED) space->locked += size >> PAGE_SHIFT;
        if (flags & MAP_POPULATE || area_flags & VM_LOCKED) vm_populate(space, start, start + size);
    }
out:
    if (file) file_put(file);
    return at;
}

SYSCALL_DEFINE(munmap, uintptr_t start, size_t length) {
    size_t size = page_up(length);
    if (!page_aligned(start) || !size || start > VM_HIGHEST || size > VM_HIGHEST - start) return -EINVAL;
    return vm_unmap(current_space(), start, size);
}

/* Brings the page table entries of an area under its new protection. Writing is given back only to pages that are this mapping's own. */
static void protect_pages(struct address_space *space, const struct vm_area *area) {
    unsigned wanted = table_protection(area->protection);
    struct arch_stale stale = arch_stale_begin(space->root);
    struct vm_walk walk = {.root = space->root, .next = area->start, .end = area->end};
    while (vm_walk_next(&walk)) {
        uint64_t page = arch_entry_page(*walk.entry);
        unsigned old = arch_entry_protection(*walk.entry), now = wanted;
        if (now & MAP_WRITE && !(old & MAP_WRITE)) {
            struct page *descriptor = page_of(page);
            if (area->flags & VM_SHARED || !descriptor || descriptor->references != 1) now &= ~(unsigned)MAP_WRITE;
        }
        if (now == old) continue;
        *walk.entry = arch_entry_make(page, now);
        arch_stale_note(&stale, walk.at);
    }
    arch_stale_end(&stale);
}

static bool may_write(struct file *file) {
    if ((file->flags & O_ACCMODE) == O_RDONLY) return false;
    return !sealed(file);
}

SYSCALL_DEFINE(mprotect, uintptr_t start, size_t length, unsigned long protection) {
    struct address_space *space = current_space();
    size_t size = page_up(length);
    bool down = protection & PROT_GROWSDOWN;
    protection &= ~(unsigned long)PROT_GROWSDOWN;
    if (!page_aligned(start) || protection & ~7ul) return -EINVAL; /* PROT_GROWSUP, too: nothing grows up here */
    if (!length) return 0;
    if (!in_range(start, size) || !size) return -ENOMEM;
    uintptr_t end = start + size;
    if (down) { /* from where a stack now begins */
        struct vm_area *area = areas_find(&space->areas, start);
        if (!area || area->start >= end) return -ENOMEM;
        if (!(area->flags & VM_GROWSDOWN) && !(space->program.stack >= area->start && space->program.stack < area->end)) return -EINVAL;
        start = area->start;
    }
    if (!vm_covered(space, start, end)) return -ENOMEM;
    for (struct vm_area *area = areas_find(&space->areas, start); area && area->start < end; area = areas_find(&space->areas, area->end)) {
        if (area->file && area->flags & VM_SHARED && protection & PROT_WRITE && !may_write(area->file))
            return -EACCES;
        if (area->file && protection & PROT_EXEC && !(area->protection & PROT_EXEC) && vfs_may_map_code && !vfs_may_map_code(area->file)) return -EACCES;
    }
    if (vm_cut(space, start, end)) return -ENOMEM;
    int error = 0;
    for (struct vm_area *area = areas_find(&space->areas, start); area && area->start < end; area = areas_find(&space->areas, area->end)) {
        if (protection & PROT_WRITE && !(area->flags & (VM_CHARGED | VM_NORESERVE | VM_SHARED))) {
            if ((error = vm_charge(area->end - area->start, false))) break;
            area->flags |= VM_CHARGED;
        }
        area->protection = (uint8_t)protection;
        protect_pages(space, area);
    }
    vm_join_around(space, start, end);
    return error;
}

/* Moves page table entries. Tables for the new place are made on the way; when that fails the pages stay where they were. */
static int move_pages(struct address_space *space, uintptr_t from, uintptr_t to, size_t size) {
    for (uintptr_t at = from; (at = arch_next_mapped(space->root, at, from + size)) < from + size; at += PAGE_SIZE) {
        uint64_t page;
        unsigned protection;
        if (!arch_lookup(space->root, at, &page, &protection)) continue;
        if (arch_map(space->root, to + (at - from), page, protection ? protection : (unsigned)MAP_READ)) {
            if (at > from) move_pages(space, to, from, at - from);
            return -ENOMEM;
        }
        if (!protection) arch_protect(space->root, to + (at - from), 0);
        arch_unmap(space->root, at);
    }
    return 0;
}

static long move(struct address_space *space, struct vm_area *area, uintptr_t start, size_t old_size, size_t size, unsigned long flags,
                 uintptr_t target) {
    struct vm_area like = *area;
    like.offset += start - area->start;
    like.start = target;
    if (!vm_area_add(space, like, target, target + size)) return -ENOMEM;
    if (old_size && move_pages(space, start, target, old_size < size ? old_size : size)) {
        areas_find(&space->areas, target)->flags &= ~(VM_CHARGED | VM_LOCKED);
        vm_unmap(space, target, size);
        return -ENOMEM;
    }
    bool locked = like.flags & VM_LOCKED;
    if (locked) space->locked += size >> PAGE_SHIFT;
    if (old_size && !(flags & MREMAP_DONTUNMAP)) {
        vm_unmap(space, start, old_size);
    } else if (locked && old_size) { /* what stays behind is no longer locked */
        space->locked -= old_size >> PAGE_SHIFT;
        area->flags &= ~VM_LOCKED;
        vm_join_around(space, start, start + old_size);
    }
    if (locked) vm_populate(space, target, target + size);
    vm_join_around(space, target, target + size);
    return (long)target;
}

SYSCALL_DEFINE(mremap, uintptr_t start, size_t old_length, size_t length, unsigned long flags, uintptr_t target) {
    struct address_space *space = current_space();
    size_t old_size = page_up(old_length), size = page_up(length);
    if (!page_aligned(start) || !size || flags & ~7ul || (flags & MREMAP_FIXED && !(flags & MREMAP_MAYMOVE))) return -EINVAL;
    if (flags & MREMAP_DONTUNMAP && (!(flags & MREMAP_MAYMOVE) || old_size != size)) return -EINVAL;
    struct vm_area *area = areas_find(&space->areas, start);
    if (!area || area->start > start || area->flags & VM_GUARD) return -EFAULT;
    if (!old_size && !(area->flags & VM_SHARED)) return -EINVAL;
    if (flags & MREMAP_FIXED) {
        if (!page_aligned(target) || !in_range(target, size)) return -EINVAL;
        if (target < start + old_size && start < target + size) return -EINVAL;
        if (vm_unmap(space, target, size)) return -ENOMEM;
        area = areas_find(&space->areas, start);
    }
    if (flags & MREMAP_FIXED && old_size > size) { /* what it is to lose goes first */
        if (vm_unmap(space, start + size, old_size - size)) return -ENOMEM;
        old_size = size;
        area = areas_find(&space->areas, start);
    }
    if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && old_size >= size && old_size) {
        if (!vm_covered(space, start, start + old_size)) return -EFAULT;
        if (old_size > size && vm_unmap(space, start + size, old_size - size)) return -ENOMEM;
        return (long)start;
    }
    if (start + old_size > area->end) return -EFAULT; /* one area only */
    size_t extra = flags & MREMAP_DONTUNMAP || !old_size ? size : size > old_size ? size - old_size : 0;
    bool charged = area->flags & VM_CHARGED, locked = area->flags & VM_LOCKED;
    if (locked && size > old_size && !vm_may_lock(space, size - old_size)) return -EAGAIN;
    if (exceeds_limit(space, extra)) return -ENOMEM;
    if (charged && area->protection & PROT_WRITE && exceeds_data_limit(space, extra)) return -ENOMEM;
    if (charged && extra && vm_charge(extra, true)) return -ENOMEM;
    struct vm_area *next = areas_find(&space->areas, area->end);
    if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && old_size && start + old_size == area->end && in_range(start, size) &&
        (!next || next->start >= start + size)) {
        struct vm_area like = *area;
        if (vm_area_add(space, like, area->end, start + size)) {
            if (locked) {
                space->locked += extra >> PAGE_SHIFT;
                vm_populate(space, start + old_size, start + size);
            }
            vm_join_around(space, start, start + size);
            return (long)start;
        }
    } else if (flags & MREMAP_MAYMOVE) {
        if (!(flags & MREMAP_FIXED)) {
            long at = place(space, flags & MREMAP_DONTUNMAP ? target : 0, size, 0);
            target = at < 0 ? 0 : (uintptr_t)at;
        }
        /* What unmapping the old place gives back was promised for `old_size`; the new one holds `size`. */
        if (target && !vm_cut(space, start, start + old_size)) {
            long moved = move(space, areas_find(&space->areas, start), start, old_size, size, flags, target);
            if (moved >= 0) {
                if (charged && !(flags & MREMAP_DONTUNMAP) && old_size) vm_recharge(old_size);
                return moved;
            }
        }
    }
    if (charged && extra) vm_uncharge(extra);
    return -ENOMEM;
}

SYSCALL_DEFINE(brk, uintptr_t wanted) {
    struct address_space *space = current_space();
    uintptr_t old = page_up(space->brk_end), now = page_up(wanted);
    if (wanted < space->brk_start || wanted > VM_HIGHEST) return (long)space->brk_end;
    if (now < old && vm_unmap(space, now, old - now)) return (long)space->brk_end;
    if (now > old) {
        struct vm_area *next = areas_find(&space->areas, old);
        if ((next && next->start < now + PAGE_SIZE) || exceeds_limit(space, now - old) || exceeds_data_limit(space, now - old) ||
            (space->lock_all && !vm_may_lock(space, now - old)) || vm_charge(now - old, true))
            return (long)space->brk_end;
        if (vm_map(space, old, now - old, PROT_READ | PROT_WRITE, VM_CHARGED | (space->lock_all ? VM_LOCKED : 0), NULL, 0)) {
            vm_uncharge(now - old);
            return (long)space->brk_end;
        }
        if (space->lock_all) {
            space->locked += (now - old) >> PAGE_SHIFT;
            vm_populate(space, old, now);
        }
    }
    space->brk_end = wanted;
    return (long)wanted;
}

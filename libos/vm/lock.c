/*
 * mlock(2) and its family. Nothing is ever paged out, so a locked page is one that is there; what may be locked is counted (RLIMIT_MEMLOCK) all the same,
 * and locked memory refuses what would take its pages away.
 */
#include "vm/internal.h"

enum { MLOCK_ONFAULT = 1, MCL_CURRENT = 1, MCL_FUTURE = 2, MCL_ONFAULT = 4 };

static uint64_t most(void) {
    const struct process *process = current_process();
    return limit_locked && !process_may(process, CAP_IPC_LOCK) ? limit_locked(process) : ~0ull;
}

bool vm_may_lock(const struct address_space *space, size_t size) {
    return space->locked + (size >> PAGE_SHIFT) <= most() >> PAGE_SHIFT;
}

bool vm_may_lock_any(void) {
    return most();
}

/* Of [start, end): what is locked already. */
static uint64_t locked_in(const struct address_space *space, uintptr_t start, uintptr_t end) {
    uint64_t pages = 0;
    for (struct vm_area *area = areas_find(&space->areas, start); area && area->start < end; area = areas_find(&space->areas, area->end)) {
        uintptr_t from = area->start > start ? area->start : start, to = area->end < end ? area->end : end;
        if (area->flags & VM_LOCKED) pages += (to - from) >> PAGE_SHIFT;
    }
    return pages;
}

/* Marks what is mapped of the range. 0, or -ENOMEM: there was a gap, up to which it is done. */
static int mark(struct address_space *space, uintptr_t start, uintptr_t end, bool lock) {
    if (vm_cut(space, start, end)) return -ENOMEM;
    uintptr_t at = start;
    for (struct vm_area *area; at < end && (area = areas_find(&space->areas, at)) && area->start == at; at = area->end) {
        uint64_t pages = (area->end - area->start) >> PAGE_SHIFT;
        bool was = area->flags & VM_LOCKED;
        area->flags = (uint8_t)(lock ? area->flags | VM_LOCKED : area->flags & ~VM_LOCKED);
        if (lock && !was) space->locked += pages;
        if (!lock && was) space->locked -= pages;
    }
    vm_join_around(space, start, end);
    return at < end ? -ENOMEM : 0;
}

/* What has a protection must be there; what has none cannot, and Linux says so. */
static bool bring_in(struct address_space *space, uintptr_t start, uintptr_t end) {
    if (vm_populate(space, start, end)) return false;
    for (struct vm_area *area = areas_find(&space->areas, start); area && area->start < end; area = areas_find(&space->areas, area->end))
        if (!area->protection) return false;
    return true;
}

/* The range in whole pages; false: none such. */
static bool whole_pages(uintptr_t *start, uintptr_t *end, size_t length) {
    size_t size = page_up(length + (*start & (PAGE_SIZE - 1)));
    *start = page_down(*start);
    *end = *start + size;
    return *end >= *start && size >= page_down(length);
}

static long lock(uintptr_t start, size_t length, bool now) {
    struct address_space *space = current_space();
    uintptr_t end;
    if (!vm_may_lock_any()) return -EPERM;
    bool whole = whole_pages(&start, &end, length);
    if (!whole) return vm_may_lock(space, end - start) ? -EINVAL : -ENOMEM;
    if (start == end) return 0;
    if (start > VM_HIGHEST || end > VM_HIGHEST) return -ENOMEM;
    if (!vm_may_lock(space, end - start) && !vm_may_lock(space, end - start - (locked_in(space, start, end) << PAGE_SHIFT))) return -ENOMEM;
    int error = mark(space, start, end, true);
    return error || (now && !bring_in(space, start, end)) ? -ENOMEM : 0;
}

SYSCALL_DEFINE(mlock, uintptr_t start, size_t length) { return lock(start, length, true); }

SYSCALL_DEFINE(mlock2, uintptr_t start, size_t length, int flags) {
    return flags & ~MLOCK_ONFAULT ? -EINVAL : lock(start, length, !flags);
}

SYSCALL_DEFINE(munlock, uintptr_t start, size_t length) {
    uintptr_t end;
    if (!whole_pages(&start, &end, length)) return -EINVAL;
    if (start == end) return 0;
    return start > VM_HIGHEST || end > VM_HIGHEST ? -ENOMEM : mark(current_space(), start, end, false);
}

/* All that is mapped, but for the guards. */
static void mark_all(struct address_space *space, bool lock) {
    for (struct vm_area *area = areas_find(&space->areas, 0); area; area = areas_find(&space->areas, area->end)) {
        if (area->flags & VM_GUARD) continue;
        uintptr_t end = area->end;
        mark(space, area->start, end, lock);
        area = areas_find(&space->areas, end - 1);
    }
}

SYSCALL_DEFINE(mlockall, int flags) {
    struct address_space *space = current_space();
    uint64_t pages = 0;
    if (!flags || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT) return -EINVAL;
    if (!vm_may_lock_any()) return -EPERM;
    for (struct vm_area *area = areas_find(&space->areas, 0); area; area = areas_find(&space->areas, area->end)) pages += (area->end - area->start) >> PAGE_SHIFT;
    if (flags & MCL_CURRENT && pages > most() >> PAGE_SHIFT) return -ENOMEM;
    space->lock_all = flags & MCL_FUTURE;
    if (!(flags & MCL_CURRENT)) return 0;
    mark_all(space, true);
    for (uintptr_t at = 0; !(flags & MCL_ONFAULT);) { /* what cannot be had is not there: no error (mlockall(2) of Linux) */
        struct vm_area *area = areas_find(&space->areas, at);
        if (!area) break;
        at = area->end;
        if (area->flags & VM_LOCKED && area->start < space->program.stack && area->end > space->program.stack) continue; /* the stack's room is not its size */
        if (area->flags & VM_LOCKED) vm_populate(space, area->start, at);
    }
    return 0;
}

SYSCALL_DEFINE(munlockall, void) {
    struct address_space *space = current_space();
    space->lock_all = false;
    mark_all(space, false);
    return 0;
}

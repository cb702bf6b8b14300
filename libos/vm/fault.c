/*
 * Page faults: from an area and an address to a page. See vm.h for copy on write.
 */
#include "vm/internal.h"
#include "channel/channel.h"
#include "process/shortage.h"
#include "signal/signal.h"

enum { SEGV_MAPERR = 1, SEGV_ACCERR = 2, BUS_ADRERR = 2 };
enum { AROUND = 16 }; /* pages of a file that one read fault maps, when they are at hand */
#define GROW_GAP (256 * PAGE_SIZE)

uint8_t vm_zero_page[PAGE_SIZE] __attribute__((aligned(4096))); /* never mapped writable */

#pragma weak signal_raise
#pragma weak process_relieve

/* The last pages are the libOS's own: with them it ends a process in order, and a call that needs memory ends in an error. See thread.c and fork.c, which leave more. */
static bool short_of_memory(void) { return !memory_make_free(memory_total() >> 7); }

enum { AGAIN = -1 }; /* memory was had meanwhile: look at the areas anew */

/*
 * The guest's memory is used up and a program touches more than was promised to it: an end, as by Linux's OOM killer, with a reason.
 * Where there are several processes, it is that of the one that has most. The first process ends on the spot, and the machine with it;
 * another one on its way out of the libOS.
 */
static int out_of_memory(void) {
    if (process_relieve && current_process()->family) {
        if (process_relieve() == SHORTAGE_OVER) return AGAIN;
        signal_raise(SIGKILL);
        return SIGKILL << 8;
    }
    unsigned total = (unsigned)(memory_total() >> 20), used = (unsigned)((memory_total() - memory_free()) >> 20);
    log_line("out of memory: guest has %u MiB, %u MiB used; the program, which has %u MiB, ends; give more with -m", total, used,
             (unsigned)(current_space()->resident >> (20 - PAGE_SHIFT)));
    if (current_process() == &first_process || !signal_raise) machine_exit(SIGKILL);
    signal_raise(SIGKILL);
    return SIGKILL << 8;
}

static int map_page(struct address_space *space, uintptr_t at, uint64_t page, unsigned protection) {
    if (!arch_map(space->root, at, page, protection)) {
        if (vm_is_counted(page)) vm_mapped(space);
        return 0;
    }
    page_put(page);
    return out_of_memory();
}

/* A page of its own at `at`; from: what it holds, NULL for zeros. */
static int map_fresh(struct address_space *space, uintptr_t at, const void *from, unsigned protection) {
    void *page = from ? page_alloc() : page_alloc_zeroed();
    if (!page) return out_of_memory();
    if (from) __builtin_memcpy(page, from, PAGE_SIZE);
    return map_page(space, at, virt_to_phys(page), protection);
}

/* Only this mapping holds it? Then it may be written in place. */
static bool exclusive(uint64_t page) {
    struct page *descriptor = page_of(page);
    return descriptor && descriptor->references == 1;
}

/* Replaces a page that others may hold by a copy; drops the reference to it that the caller has. */
static int map_copy(struct address_space *space, uintptr_t at, uint64_t page, unsigned protection) {
    int error = map_fresh(space, at, page == virt_to_phys(vm_zero_page) ? NULL : phys_to_virt(page), protection);
    if (!error) page_put(page);
    return error;
}

static int fault_code(int error) {
    if (error == -ENOMEM) return out_of_memory();
    return SIGBUS << 8 | BUS_ADRERR;
}

static uint64_t file_index(const struct vm_area *area, uintptr_t at) {
    return (area->offset + (at - area->start)) >> PAGE_SHIFT;
}

/* Neighbours of a file page that was just read: mapped when that needs no waiting, so that the next touches do not fault. Not where memory is short: they would count as in use (unmap.c). */
static void map_around(struct address_space *space, const struct vm_area *area, uintptr_t at, unsigned protection) {
    if (memory_free() < memory_total() >> 6) return;
    uintptr_t start = at & ~(AROUND * PAGE_SIZE - 1), end = start + AROUND * PAGE_SIZE;
    if (start < area->start) start = area->start;
    if (end > area->end) end = area->end;
    for (; start < end; start += PAGE_SIZE) {
        uint64_t page;
        unsigned old;
        if (arch_lookup(space->root, start, &page, &old)) continue;
        if (area->file->ops->get_page(area->file, file_index(area, start), FILE_PAGE_AT_HAND, &page)) return;
        if (arch_map(space->root, start, page, protection)) {
            page_put(page);
            return;
        }
        vm_mapped(space);
    }
}

/* After waiting for a page of `file`: is it still what belongs at `at`, where nothing is mapped yet? Other threads of the program ran meanwhile. */
static bool still_wanted(struct address_space *space, uintptr_t at, const struct file *file, uint64_t index, struct vm_area was) {
    const struct vm_area *area = areas_find(&space->areas, at);
    return area && area->start <= at && area->file == file && file_index(area, at) == index && area->flags == was.flags && area->protection == was.protection &&
           !arch_lookup(space->root, at, NULL, NULL);
}

static int fault_file(struct address_space *space, const struct vm_area *area, uintptr_t at, unsigned access, unsigned protection) {
    uint64_t page, index = file_index(area, at), switches = task_switches;
    struct vm_area was = *area;
    struct file *file = area->file;
    bool shared = area->flags & VM_SHARED;
    file_get(file);
    int error = file->ops->get_page(file, index, shared ? FILE_PAGE_CREATE : FILE_PAGE_READ, &page);
    bool again = switches != task_switches && !still_wanted(space, at, file, index, was);
    if (again && !error) page_put(page);
    file_put(file);
    if (again) return AGAIN;
    if (error) return fault_code(error);
    area = areas_find(&space->areas, at);
    if (!shared && access == MAP_WRITE) {
        error = map_copy(space, at, page, protection);
        if (error) page_put(page);
        return error;
    }
    if (!shared) protection &= ~(unsigned)MAP_WRITE;
    error = map_page(space, at, page, protection);
    if (!error && !shared) map_around(space, area, at, protection);
    return error;
}

/*
 * An area that grows down (mmap(2), MAP_GROWSDOWN) grows to the address, within RLIMIT_STACK, unless it came too near to what lies below: Linux's
 * stack_guard_gap. False: it does not.
 */
static bool grow(struct address_space *space, struct vm_area *area, uintptr_t address) {
    uintptr_t start = page_down(address), size = area->start - start;
    struct vm_area *below = areas_find(&space->areas, start > GROW_GAP ? start - GROW_GAP : 0);
    if (start < VM_LOWEST || (limit_stack && area->end - start > limit_stack(current_process()))) return false;
    if (below != area && !(below->flags & VM_GROWSDOWN) && below->protection) return false;
    if (below != area && below->end > start) return false;
    if (area->flags & VM_LOCKED && !vm_may_lock(space, size)) return false;
    if (area->flags & VM_CHARGED && vm_charge(size, true)) return false;
    if (area->flags & VM_LOCKED) space->locked += size >> PAGE_SHIFT;
    areas_remove(&space->areas, area);
    area->start = start;
    areas_insert(&space->areas, area);
    return true;
}

static int fault_in(struct address_space *space, uintptr_t address, unsigned access) {
    struct vm_area *area = areas_find(&space->areas, address);
    if (!area || area->flags & VM_GUARD || (area->start > address && !(area->flags & VM_GROWSDOWN && grow(space, area, address))))
        return SIGSEGV << 8 | SEGV_MAPERR;
    unsigned protection = table_protection(area->protection), old;
    if (!(protection & access)) return SIGSEGV << 8 | SEGV_ACCERR;
    uintptr_t at = page_down(address);
    uint64_t page;
    if (arch_lookup(space->root, at, &page, &old)) {
        if (old & access) return 0; /* resolved meanwhile, or a stale TLB entry */
        if (area->flags & VM_SHARED || exclusive(page)) arch_protect(space->root, at, protection);
        else if (access == MAP_WRITE) {
            uint64_t now;
            if (short_of_memory()) return out_of_memory();
            if (!arch_lookup(space->root, at, &now, &old) || now != page) return AGAIN; /* its turn came to go */
            int error = map_copy(space, at, page, protection);
            if (!error && vm_is_counted(page)) space->resident--; /* replaced */
            return error;
        } else arch_protect(space->root, at, protection & ~(unsigned)MAP_WRITE);
        return 0;
    }
    if (short_of_memory()) return out_of_memory();
    if (area->file) return fault_file(space, area, at, access, protection);
    if (access == MAP_WRITE) return map_fresh(space, at, NULL, protection);
    return map_page(space, at, virt_to_phys(vm_zero_page), protection & ~(unsigned)MAP_WRITE);
}

int vm_fault_in(struct address_space *space, uintptr_t address, unsigned access) {
    int code;
    do code = fault_in(space, address, access);
    while (code == AGAIN);
    return code;
}

int vm_fault_reason;

bool vm_fault(struct trap_frame *frame, uintptr_t address, unsigned error) {
    struct address_space *space = current_space();
    unsigned access = arch_fault_access(error);
    struct usage *used = &current_thread()->used;
    uint64_t waits = used->voluntary;
    vm_fault_reason = space ? vm_fault_in(space, address, access) : SIGSEGV << 8 | SEGV_MAPERR;
    if (used->voluntary != waits) used->major_faults++; /* it waited for a device */
    else used->minor_faults++;
    return !vm_fault_reason || (vm_fault_reason == SIGKILL << 8 && !arch_in_libos(arch_frame_pc(frame))); /* killed: on the way out */
}

int vm_populate(struct address_space *space, uintptr_t start, uintptr_t end) {
    for (; start < end; start += PAGE_SIZE) {
        struct vm_area *area = areas_find(&space->areas, start);
        if (!area || area->start > start) return -ENOMEM;
        if (!area->protection) continue;
        bool write = area->protection & PROT_WRITE && !(area->flags & VM_SHARED);
        if (vm_fault_in(space, start, write ? MAP_WRITE : MAP_READ)) return -ENOMEM;
    }
    return 0;
}

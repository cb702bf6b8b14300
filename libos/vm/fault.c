/*
 * Page faults: from an area and an address to a page. See vm.h for copy on write.
 */
#include "vm/internal.h"
#include "channel/channel.h"

enum { SIGKILL = 9, SIGBUS = 7, SIGSEGV = 11, SEGV_MAPERR = 1, SEGV_ACCERR = 2, BUS_ADRERR = 2 };
enum { AROUND = 16 }; /* pages of a file that one read fault maps, when they are at hand */

static uint8_t zero_page[PAGE_SIZE] __attribute__((aligned(4096))); /* never mapped writable */

/* The guest's memory is used up and the program touches more than was promised to it: as Linux's OOM killer, with a reason. */
_Noreturn static void out_of_memory(void) {
    unsigned total = (unsigned)(memory_total() >> 20), used = (unsigned)((memory_total() - memory_free()) >> 20);
    log_line("out of memory: guest has %u MiB, program uses %u MiB; give more with -m", total, used);
    machine_exit(SIGKILL);
}

static void map_page(struct address_space *space, uintptr_t at, uint64_t page, unsigned protection) {
    if (arch_map(space->root, at, page, protection)) out_of_memory();
}

static void *fresh_page(bool zeroed) {
    void *page = zeroed ? page_alloc_zeroed() : page_alloc();
    if (!page) out_of_memory();
    return page;
}

/* Only this mapping holds it? Then it may be written in place. */
static bool exclusive(uint64_t page) {
    struct page *descriptor = page_of(page);
    return descriptor && descriptor->references == 1;
}

/* Replaces a page that others may hold by a copy; drops the reference to it that the caller has. */
static void map_copy(struct address_space *space, uintptr_t at, uint64_t page, unsigned protection) {
    bool zero = page == virt_to_phys(zero_page);
    void *copy = fresh_page(zero);
    if (!zero) __builtin_memcpy(copy, phys_to_virt(page), PAGE_SIZE);
    map_page(space, at, virt_to_phys(copy), protection);
    page_put(page);
}

static int fault_code(int error) {
    if (error == -ENOMEM) out_of_memory();
    return SIGBUS << 8 | BUS_ADRERR;
}

static uint64_t file_index(const struct vm_area *area, uintptr_t at) {
    return (area->offset + (at - area->start)) >> PAGE_SHIFT;
}

/* Neighbours of a file page that was just read: mapped when that needs no waiting, so that the next touches do not fault. */
static void map_around(struct address_space *space, const struct vm_area *area, uintptr_t at, unsigned protection) {
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
    }
}

static int fault_file(struct address_space *space, const struct vm_area *area, uintptr_t at, unsigned access, unsigned protection) {
    uint64_t page;
    bool shared = area->flags & VM_SHARED;
    int error = area->file->ops->get_page(area->file, file_index(area, at), shared ? FILE_PAGE_CREATE : FILE_PAGE_READ, &page);
    if (error) return fault_code(error);
    if (!shared && access == MAP_WRITE) {
        map_copy(space, at, page, protection);
        return 0;
    }
    if (!shared) protection &= ~(unsigned)MAP_WRITE;
    map_page(space, at, page, protection);
    if (!shared) map_around(space, area, at, protection);
    return 0;
}

int vm_fault_in(struct address_space *space, uintptr_t address, unsigned access) {
    struct vm_area *area = areas_find(&space->areas, address);
    if (!area || area->start > address || area->flags & VM_GUARD) return SIGSEGV << 8 | SEGV_MAPERR;
    unsigned protection = table_protection(area->protection), old;
    if (!(protection & access)) return SIGSEGV << 8 | SEGV_ACCERR;
    uintptr_t at = page_down(address);
    uint64_t page;
    if (arch_lookup(space->root, at, &page, &old)) {
        if (old & access) return 0; /* resolved meanwhile, or a stale TLB entry */
        if (area->flags & VM_SHARED || exclusive(page)) arch_protect(space->root, at, protection);
        else if (access == MAP_WRITE) map_copy(space, at, page, protection);
        else arch_protect(space->root, at, protection & ~(unsigned)MAP_WRITE);
        return 0;
    }
    if (area->file) return fault_file(space, area, at, access, protection);
    if (access == MAP_WRITE) map_page(space, at, virt_to_phys(fresh_page(true)), protection);
    else map_page(space, at, virt_to_phys(zero_page), protection & ~(unsigned)MAP_WRITE);
    return 0;
}

int vm_fault_reason;

bool vm_fault(struct trap_frame *frame, uintptr_t address, unsigned error) {
    (void)frame;
    struct address_space *space = current_space();
    unsigned access = error & 2 ? MAP_WRITE : error & 16 ? MAP_EXEC : MAP_READ;
    vm_fault_reason = space ? vm_fault_in(space, address, access) : SIGSEGV << 8 | SEGV_MAPERR;
    return !vm_fault_reason;
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

/*
 * Private to vm. What is promised: private writable mappings and shared anonymous memory (VM_CHARGED), whoever maps them; MAP_NORESERVE promises
 * nothing, unless promises are kept to the letter (COMMIT_NEVER). vm.h has the rule of what is refused. What was promised and is not there when it is
 * touched is the business of fault.c.
 */
#ifndef HULL_VM_INTERNAL_H
#define HULL_VM_INTERNAL_H
#include "file/file.h"
#include "init/init.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "vm/vm.h"

/* Files exist only where the file component does. */
extern __typeof(file_get) file_get __attribute__((weak));
extern __typeof(file_put) file_put __attribute__((weak));
extern __typeof(file_lookup) file_lookup __attribute__((weak));
extern __typeof(file_create) file_create __attribute__((weak));
/* Shared anonymous memory exists only where the component shared-memory does. */
struct file *shared_memory_create(void) __attribute__((weak));
bool vfs_may_map_code(struct file *) __attribute__((weak)); /* by vfs */

extern __typeof(limit_address_space) limit_address_space __attribute__((weak));
extern __typeof(limit_data) limit_data __attribute__((weak));
extern __typeof(limit_stack) limit_stack __attribute__((weak));
extern __typeof(limit_locked) limit_locked __attribute__((weak));
int vfs_punch(struct file *, int64_t start, int64_t length) __attribute__((weak)); /* by vfs */
int shared_memory_punch(struct file *, uint64_t first, uint64_t end) __attribute__((weak));

enum { MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_SHARED_VALIDATE = 3, MAP_TYPE = 15, MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20,
       MAP_GROWSDOWN = 0x100, MAP_LOCKED = 0x2000, MAP_NORESERVE = 0x4000, MAP_POPULATE = 0x8000, MAP_FIXED_NOREPLACE = 0x100000,
       MAP_HUGETLB = 0x40000,
       MAP_VALIDATED = 0x7c07f9f3 /* all that MAP_SHARED_VALIDATE takes (mmap(2)): not MAP_SYNC */ };

static inline struct address_space *current_space(void) { return current_process()->space; }
static inline uintptr_t page_up(uintptr_t n) { return (n + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1); }
static inline uintptr_t page_down(uintptr_t n) { return n & ~(PAGE_SIZE - 1); }
static inline bool page_aligned(uintptr_t n) { return !(n & (PAGE_SIZE - 1)); }
/* x86 and Arm page tables alike cannot map memory that may be written or run but not read. */
static inline unsigned table_protection(unsigned protection) { return protection ? protection | MAP_READ : 0; }

/* Is [start, start + size) inside the program's half? */
static inline bool in_range(uintptr_t start, size_t size) {
    return start >= VM_LOWEST && start <= VM_HIGHEST && size <= VM_HIGHEST - start;
}
/* Makes areas begin and end at the range's edges, so that only whole areas lie inside. 0 or -ENOMEM, nothing changed. */
int vm_cut(struct address_space *, uintptr_t start, uintptr_t end);
void vm_join_around(struct address_space *, uintptr_t start, uintptr_t end); /* merges neighbours that became alike */
void vm_drop_pages(struct address_space *, uintptr_t start, uintptr_t end);  /* page table entries only */
struct vm_area *vm_area_add(struct address_space *, struct vm_area like, uintptr_t start, uintptr_t end); /* NULL: no memory */
/* Promises of memory. */
int vm_charge(size_t size, bool fresh); /* 0 or -ENOMEM. fresh: not a piece of what was reserved before, nor a copy */
void vm_recharge(size_t size);          /* cannot fail */
void vm_uncharge(size_t size);
/* May the caller have `size` bytes more that are locked? (RLIMIT_MEMLOCK; the superuser may.) */
bool vm_may_lock(const struct address_space *, size_t size);
bool vm_may_lock_any(void);
/* Every page of the range mapped by an area? */
bool vm_covered(struct address_space *, uintptr_t start, uintptr_t end);
extern uint8_t vm_zero_page[];
static inline bool vm_is_counted(uint64_t page) { return page != virt_to_phys(vm_zero_page); } /* in address_space.resident */
static inline void vm_mapped(struct address_space *space) { /* one page more */
    if (++space->resident > space->most_resident) space->most_resident = space->resident;
}
/* The entries of the pages from `next` to `end`, in order; `at`: the page of `entry`. Good until the caller waits. */
struct vm_walk { arch_root root; uintptr_t next, end, at; arch_entry *entry; };
static inline bool vm_walk_next(struct vm_walk *walk) {
    bool within = walk->entry && walk->next & (ARCH_TABLE_SPAN - 1);
    while (walk->next < walk->end) {
        if (within) {
            walk->entry++;
        } else {
            walk->next = arch_next_mapped(walk->root, walk->next, walk->end);
            if (walk->next >= walk->end) break;
            walk->entry = arch_entry_of(walk->root, walk->next, false);
        }
        walk->at = walk->next;
        walk->next += PAGE_SIZE;
        if (arch_entry_used(*walk->entry)) return true;
        within = walk->next & (ARCH_TABLE_SPAN - 1);
    }
    return false;
}
extern struct address_space *vm_spaces;
int vm_populate(struct address_space *, uintptr_t start, uintptr_t end);
#endif

/*
 * A program's memory: address spaces, the areas in them, page faults, and the program's half of the address space.
 *
 * An address space is an object (fork makes a second one). Areas say what may be where; page tables are filled by faults.
 * A page that is mapped without write permission in a writable private area is shared with someone (the zero page, a file, a
 * forked process) and is copied on the first write. Page references are counted in memory.h's descriptors; pages of the image
 * itself have none and are never freed.
 * Context: calls and faults, never interrupt handlers. Lock: address_space.lock (one CPU: nothing yet).
 */
#ifndef HULL_VM_VM_H
#define HULL_VM_VM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/arch.h"
#include "vm/areas.h"

#define VM_LOWEST 0x10000ul          /* the null page and what small offsets from it reach stay unmapped */
#define VM_HIGHEST 0x7ffffffff000ul  /* end of the program's half */

enum { PROT_NONE = 0, PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4 }; /* = MAP_READ, MAP_WRITE, MAP_EXEC of arch.h */

struct process;
struct address_space {
    struct address_space *next;      /* vm_spaces: all of them */
    uint32_t references;
    bool linked;                     /* the program is part of the image: calls may pass image addresses */
    arch_root root;
    struct vm_areas areas;
    uintptr_t mmap_top;              /* mmap goes down from here */
    uintptr_t brk_start, brk_end;    /* brk_end: as the program set it, not rounded */
    uint64_t resident, most_resident; /* pages that are mapped, without the zero page, and how many were at most */
    uint64_t locked;                  /* pages of areas that mlock(2) and its kind named */
    bool lock_all;                    /* mlockall(MCL_FUTURE) */
    struct program_place {           /* where exec put things: for procfs. All 0 in linked programs */
        struct file *file;           /* the program's; a reference. NULL: the image's own */
        uintptr_t arguments, arguments_end, environment_end, stack, auxv, auxv_end; /* the environment begins where the arguments end */
        uintptr_t code, code_end, data, data_end, entry;
    } program;
};

struct address_space *vm_space_create(void);           /* new page tables; NULL when out of memory */
struct address_space *vm_space_first(void);            /* the boot page tables' lower half, empty */
void vm_space_put(struct address_space *);             /* last reference: unmaps everything, frees the tables */
struct address_space *vm_space_copy(struct address_space *); /* fork: copy on write; NULL when out of memory */
void vm_space_randomise(struct address_space *);       /* draws mmap_top */
uint64_t vm_layout_random(void);                       /* for the place of what a program and its libraries are mapped at; 63 bits */

/* Maps [start, start + size) (replaces what is there). file may be NULL; a reference is taken. 0 or -ENOMEM. */
int vm_map(struct address_space *, uintptr_t start, size_t size, unsigned protection, unsigned flags, struct file *file,
           uint64_t offset);
int vm_unmap(struct address_space *, uintptr_t start, size_t size);
uintptr_t vm_room(struct address_space *, size_t size); /* a free range, top down; 0 when none */
int vm_fault_in(struct address_space *, uintptr_t address, unsigned access); /* 0 or signal << 8 | si_code */

/*
 * Before pages [first, end) of a file go from it: unmaps them in all spaces. `is` tells the file's mappings. copies: what private mappings made of them
 * goes, too (truncation: the address leads nowhere any more); else only the file's own pages (a hole).
 */
void vm_forget_file(bool (*is)(struct file *, const void *which), const void *which, uint64_t first, uint64_t end, bool copies);

/*
 * How much memory may be promised (the kernel's vm/overcommit-accounting): COMMIT_GUESS: what alone is more than there is is refused, unless it is a piece of an earlier reservation; COMMIT_ALWAYS: nothing;
 * COMMIT_NEVER: what comes to more than vm_commit_limit() with all that was promised. /proc/sys/vm sets it.
 */
enum { COMMIT_GUESS, COMMIT_ALWAYS, COMMIT_NEVER };
extern struct vm_commit {
    uint64_t mode, ratio, kilobytes; /* percent of memory; or, unless 0, so many kilobytes */
    uint64_t promised;               /* pages, over all spaces: Committed_AS */
} vm_commit;
uint64_t vm_commit_limit(void);      /* pages */

/* RLIMIT_AS, by `system` where that is in the image. */
uint64_t limit_address_space(const struct process *);
uint64_t limit_data(const struct process *);  /* RLIMIT_DATA */
uint64_t limit_stack(const struct process *); /* RLIMIT_STACK */
uint64_t limit_locked(const struct process *); /* RLIMIT_MEMLOCK */

/* Why the last vm_fault() (arch_inline.h) did not resolve: signal << 8 | si_code. For whoever turns it into a signal. */
extern int vm_fault_reason;
#endif

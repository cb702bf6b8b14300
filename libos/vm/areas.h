/*
 * The sorted set of a program's memory areas: a treap keyed by start address whose nodes also know the largest hole below
 * them, so that lookup, insertion, removal and "where is room for N bytes" each cost O(log n), with thousands of areas too.
 * Hardware-free (test/libos/native runs it against a model). Context: calls and fault handling; never interrupt handlers.
 * Lock: the address space's.
 */
#ifndef HULL_VM_AREAS_H
#define HULL_VM_AREAS_H
#include <stddef.h>
#include <stdint.h>

struct file;
enum { VM_SHARED = 1, VM_NORESERVE = 2, VM_GUARD = 4, VM_CHARGED = 8, VM_LOCKED = 16, VM_GROWSDOWN = 32,
       VM_DONTFORK = 64, VM_WIPEONFORK = 128 }; /* the last two: madvise(2) */
struct vm_area {
    struct vm_area *left, *right;
    uintptr_t start, end;         /* page-aligned, start < end */
    uintptr_t low, high, largest; /* of the subtree: first start, last end, largest hole between its areas */
    uint32_t priority;
    uint8_t protection;           /* PROT_*: what the program asked for */
    uint8_t flags;                /* VM_* */
    struct file *file;            /* NULL: anonymous. One reference is the area's */
    uint64_t offset;              /* of `start` in the file; page-aligned */
};
struct vm_areas { struct vm_area *root; uint32_t seed; uint32_t count; };

struct vm_area *areas_find(const struct vm_areas *, uintptr_t address); /* the first area that ends above address */
void areas_insert(struct vm_areas *, struct vm_area *);                 /* must not overlap another */
void areas_remove(struct vm_areas *, struct vm_area *);
/* Highest address where `size` bytes are free inside [low, high); 0 when there is no room. */
uintptr_t areas_room(const struct vm_areas *, size_t size, uintptr_t low, uintptr_t high);
#endif

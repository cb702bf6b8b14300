/* Kernel stacks (stacks.h). Some that are freed stay mapped, for threads to come. */
#include "memory/stacks.h"
#include "arch/arch.h"
#include "memory/memory.h"

#define STACK_SLOT ((uintptr_t)(STACK_KERNEL_PAGES + 1) * PAGE_SIZE)

enum { STACKS_KEPT = 16 };
struct free_stack { struct free_stack *next; };
static struct free_stack *kept; /* at most STACKS_KEPT stay mapped; the link lies at their bottom */
static unsigned kept_count;
static uintptr_t next_stack = STACK_AREA, lowest_empty = STACK_AREA; /* slots from next_stack on were never used; below lowest_empty all have pages */

uintptr_t stack_create(void) {
    if (kept) {
        uintptr_t bottom = (uintptr_t)kept;
        kept = kept->next;
        kept_count--;
        return bottom;
    }
    while (lowest_empty < next_stack && arch_lookup(arch_boot_root, lowest_empty + PAGE_SIZE, NULL, NULL)) lowest_empty += STACK_SLOT;
    uintptr_t bottom = lowest_empty + PAGE_SIZE;
    for (unsigned i = 0; i < STACK_KERNEL_PAGES; i++) {
        void *page = page_alloc();
        if (!page || arch_map(arch_boot_root, bottom + i * PAGE_SIZE, virt_to_phys(page), MAP_READ | MAP_WRITE)) {
            if (page)
                pages_free(page, 1);
            while (i-- > 0)
                page_put(arch_unmap(arch_boot_root, bottom + i * PAGE_SIZE));
            return 0;
        }
    }
    lowest_empty += STACK_SLOT;
    if (lowest_empty > next_stack) next_stack = lowest_empty;
    return bottom;
}

static void unmap(uintptr_t bottom) {
    for (unsigned i = 0; i < STACK_KERNEL_PAGES; i++) page_put(arch_unmap(arch_boot_root, bottom + i * PAGE_SIZE));
    if (bottom - PAGE_SIZE < lowest_empty) lowest_empty = bottom - PAGE_SIZE;
}

void stacks_free_kept(void) {
    while (kept) {
        uintptr_t bottom = (uintptr_t)kept;
        kept = kept->next;
        unmap(bottom);
    }
    kept_count = 0;
}

void stack_free(uintptr_t bottom) {
    struct free_stack *stack = (struct free_stack *)bottom;
    if (kept_count < STACKS_KEPT) {
        stack->next = kept;
        kept = stack;
        kept_count++;
        return;
    }
    unmap(bottom);
}

/* The walk through x86-64's four levels of page tables. */
#include "internal.h"
#include "memory/memory.h"

uint64_t *paging_entry(arch_root root, uintptr_t virt, unsigned level, bool create) {
    uint64_t *table = phys_to_virt(root);
    for (unsigned at = 3;; at--) {
        uint64_t *entry = &table[virt >> (12 + 9 * at) & 511];
        if (at == level)
            return entry;
        if (!(*entry & PTE_PRESENT)) {
            void *page = create ? page_alloc_zeroed() : NULL;
            if (!page)
                return NULL;
            *entry = ((uintptr_t)page - DIRECT_MAP) | PTE_PRESENT | PTE_WRITE;
        } else if (*entry & PTE_LARGE) {
            return NULL;
        }
        table = phys_to_virt(*entry & PTE_ADDRESS);
    }
}

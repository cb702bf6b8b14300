/* The walk through AArch64's four levels of page tables: TTBR0's, which a root is, for the lower half, TTBR1's for the upper. */
#include "internal.h"
#include "memory/memory.h"

uint64_t *paging_entry(arch_root root, uintptr_t virt, unsigned level, bool create) {
    uint64_t *table = virt >> 63 ? arch_boot_tables + TABLE_UPPER * 512 : phys_to_virt(root);
    for (unsigned at = 3;; at--) {
        uint64_t *entry = &table[virt >> (12 + 9 * at) & 511];
        if (at == level)
            return entry;
        if (!(*entry & PTE_VALID)) {
            void *page = create ? page_alloc_zeroed() : NULL;
            if (!page)
                return NULL;
            *entry = virt_to_phys(page) | PTE_TABLE;
        } else if ((*entry & PTE_TABLE) == PTE_BLOCK) {
            return NULL;
        }
        table = phys_to_virt(*entry & PTE_ADDRESS);
    }
}

/*
 * Many entries at once (arch.h): what the CPU is to forget; arch_drop_tables. Part of the component vm.
 */
#include "internal.h"
#include "memory/memory.h"

enum { SINGLE_MOST = 32 }; /* more stale entries than this: all are forgotten, which costs less */

arch_entry *arch_entry_of(arch_root root, uintptr_t virt, bool create) { return paging_entry(root, virt, 0, create); }

struct arch_stale arch_stale_begin(arch_root root) { return (struct arch_stale){.known = root == arch_root_current()}; }

void arch_stale_note(struct arch_stale *stale, uintptr_t virt) {
    if (stale->known && ++stale->count <= SINGLE_MOST)
        __asm__ volatile("invlpg (%0)" ::"r"(virt) : "memory");
}

void arch_stale_end(const struct arch_stale *stale) {
    if (stale->count > SINGLE_MOST)
        arch_root_switch(arch_root_current());
}

void arch_drop_tables(arch_root root, uintptr_t start, uintptr_t end) {
    for (start = (start + ARCH_TABLE_SPAN - 1) & -ARCH_TABLE_SPAN; start + ARCH_TABLE_SPAN <= end; start += ARCH_TABLE_SPAN) {
        uint64_t *entry = paging_entry(root, start, 1, false);
        if (!entry || !(*entry & PTE_PRESENT) || *entry & PTE_LARGE)
            continue;
        uint64_t table = *entry & PTE_ADDRESS;
        *entry = 0;
        __asm__ volatile("invlpg (%0)" ::"r"(start) : "memory"); /* and what the CPU keeps of the upper levels (Intel SDM 3A, 4.10.4.1) */
        page_put(table);
    }
}

/* arch.h's page tables. Roots share their upper halves' tables; all of those that will ever be needed exist after boot. */
#include "internal.h"
#include "lib/string.h"
#include "memory/memory.h"

static void flush(uintptr_t virt) { __asm__ volatile("invlpg (%0)" ::"r"(virt) : "memory"); }

arch_root arch_root_current(void) {
    arch_root root;
    __asm__ volatile("movq %%cr3, %0" : "=r"(root));
    return root & PTE_ADDRESS;
}

void arch_root_switch(arch_root root) { __asm__ volatile("movq %0, %%cr3" ::"r"(root) : "memory"); }

arch_root arch_root_create(void) {
    uint64_t *table = page_alloc_zeroed();
    if (!table)
        return 0;
    memcpy(table + 256, (uint64_t *)phys_to_virt(arch_boot_root) + 256, 2048);
    return virt_to_phys(table);
}

static void free_tables(uint64_t *table, unsigned level, unsigned count) {
    for (unsigned i = 0; level && i < count; i++)
        if ((table[i] & PTE_PRESENT) && !(table[i] & PTE_LARGE))
            free_tables(phys_to_virt(table[i] & PTE_ADDRESS), level - 1, 512);
    pages_free(table, 1);
}

void arch_root_destroy(arch_root root) { free_tables(phys_to_virt(root), 3, 256); }

int arch_map(arch_root root, uintptr_t virt, uint64_t phys, unsigned prot) {
    uint64_t *entry = paging_entry(root, virt, 0, true);
    if (!entry)
        return -12; /* ENOMEM */
    bool was_present = *entry & PTE_PRESENT;
    *entry = arch_entry_make(phys, prot);
    if (was_present)
        flush(virt);
    return 0;
}

uint64_t arch_unmap(arch_root root, uintptr_t virt) {
    uint64_t *entry = paging_entry(root, virt, 0, false);
    if (!entry)
        return 0;
    uint64_t old = *entry;
    *entry = 0;
    if (old & PTE_PRESENT)
        flush(virt);
    return old & PTE_ADDRESS;
}

bool arch_lookup(arch_root root, uintptr_t virt, uint64_t *phys, unsigned *prot) {
    uint64_t table = root;
    for (unsigned shift = 39;; shift -= 9) {
        uint64_t entry = ((uint64_t *)phys_to_virt(table))[virt >> shift & 511];
        if (!arch_entry_used(entry))
            return false;
        table = entry & PTE_ADDRESS;
        if (shift > 12 && !(entry & PTE_LARGE))
            continue;
        uint64_t inside = (1ul << shift) - PAGE_SIZE;
        if (phys)
            *phys = (table & ~inside) | (virt & inside);
        if (prot)
            *prot = arch_entry_protection(entry);
        return true;
    }
}

void arch_protect(arch_root root, uintptr_t virt, unsigned prot) {
    uint64_t *entry = paging_entry(root, virt, 0, false);
    if (!entry || !arch_entry_used(*entry))
        return;
    *entry = arch_entry_make(*entry & PTE_ADDRESS, prot);
    flush(virt);
}

void *arch_map_device(uint64_t phys, size_t size) {
    for (uint64_t at = phys & -PAGE_SIZE; at < phys + size; at += PAGE_SIZE)
        if (arch_map(arch_boot_root, DIRECT_MAP + at, at, MAP_READ | MAP_WRITE | MAP_DEVICE))
            return NULL;
    return phys_to_virt(phys);
}

/*
 * arch.h's page tables. The upper half is TTBR1's, the same for all roots. There are no address-space identifiers: a switch of roots empties the TLB.
 * An entry that maps something is made invalid, and forgotten by the TLB, before it maps something else (Arm Architecture Reference Manual, D8.14.1).
 */
#include "internal.h"
#include "memory/memory.h"

static void flush(uintptr_t virt) {
    __asm__ volatile("dsb ishst\n\ttlbi vaae1, %0\n\tdsb ish\n\tisb" ::"r"(virt >> 12 & 0xfffffffffff) : "memory");
}

static void set(uint64_t *entry, uintptr_t virt, uint64_t value) {
    uint64_t old = *entry;
    if (old & PTE_VALID) {
        *entry = 0;
        flush(virt);
    }
    *entry = value;
    __asm__ volatile("dsb ishst\n\tisb" ::: "memory");
}

arch_root arch_root_current(void) {
    arch_root root;
    __asm__ volatile("mrs %0, ttbr0_el1" : "=r"(root));
    return root & PTE_ADDRESS;
}

void arch_root_switch(arch_root root) {
    __asm__ volatile("dsb ishst\n\tmsr ttbr0_el1, %0\n\tisb\n\ttlbi vmalle1\n\tdsb ish\n\tisb" ::"r"(root) : "memory");
}

arch_root arch_root_create(void) {
    void *table = page_alloc_zeroed();
    return table ? virt_to_phys(table) : 0;
}

static void free_tables(uint64_t *table, unsigned level) {
    for (unsigned i = 0; level && i < 512; i++)
        if ((table[i] & PTE_TABLE) == PTE_TABLE)
            free_tables(phys_to_virt(table[i] & PTE_ADDRESS), level - 1);
    pages_free(table, 1);
}

void arch_root_destroy(arch_root root) { free_tables(phys_to_virt(root), 3); }

int arch_map(arch_root root, uintptr_t virt, uint64_t phys, unsigned prot) {
    uint64_t *entry = paging_entry(root, virt, 0, true);
    if (!entry)
        return -12; /* ENOMEM */
    set(entry, virt, arch_entry_make(phys, prot));
    return 0;
}

uint64_t arch_unmap(arch_root root, uintptr_t virt) {
    uint64_t *entry = paging_entry(root, virt, 0, false);
    if (!entry)
        return 0;
    uint64_t old = *entry;
    set(entry, virt, 0);
    return old & PTE_ADDRESS;
}

bool arch_lookup(arch_root root, uintptr_t virt, uint64_t *phys, unsigned *prot) {
    for (unsigned level = 0; level < 3; level++) {
        uint64_t *entry = paging_entry(root, virt, level, false);
        if (!entry || !arch_entry_used(*entry) || (level && (*entry & PTE_TABLE) != PTE_BLOCK))
            continue;
        uint64_t inside = (PAGE_SIZE << 9 * level) - PAGE_SIZE;
        if (phys)
            *phys = (*entry & PTE_ADDRESS & ~inside) | (virt & inside);
        if (prot)
            *prot = arch_entry_protection(*entry);
        return true;
    }
    return false;
}

void arch_protect(arch_root root, uintptr_t virt, unsigned prot) {
    uint64_t *entry = paging_entry(root, virt, 0, false);
    if (entry && arch_entry_used(*entry))
        set(entry, virt, arch_entry_make(*entry & PTE_ADDRESS, prot));
}

void *arch_map_device(uint64_t phys, size_t size) {
    for (uint64_t at = phys & -PAGE_SIZE; at < phys + size; at += PAGE_SIZE) {
        if (at < DEVICES_END) /* mapped since boot */
            continue;
        if (arch_map(0, DIRECT_MAP + at, at, MAP_READ | MAP_WRITE | MAP_DEVICE))
            return NULL;
    }
    return phys_to_virt(phys);
}

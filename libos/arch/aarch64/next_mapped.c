/*
 * Many entries at once (arch.h): what the CPU is to forget; arch_drop_tables;
 * and aborts that are page faults. Part of the component vm.
 */
#include "internal.h"
#include "memory/memory.h"
#include "vm/vm.h"

enum { SINGLE_MOST = 32 }; /* more stale entries than this: all are forgotten, which costs less */

arch_entry *arch_entry_of(arch_root root, uintptr_t virt, bool create) { return paging_entry(root, virt, 0, create); }

struct arch_stale arch_stale_begin(arch_root root) { return (struct arch_stale){.known = root == arch_root_current()}; }

static void forget(uintptr_t virt) { __asm__ volatile("dsb ishst\n\ttlbi vaae1, %0" ::"r"(virt >> 12 & 0xfffffffffff) : "memory"); }

void arch_stale_note(struct arch_stale *stale, uintptr_t virt) {
    if (stale->known && ++stale->count <= SINGLE_MOST)
        forget(virt);
}

void arch_stale_end(const struct arch_stale *stale) {
    if (stale->count > SINGLE_MOST)
        __asm__ volatile("dsb ishst\n\ttlbi vmalle1" ::: "memory");
    __asm__ volatile("dsb ish\n\tisb" ::: "memory"); /* also for entries that are new */
}

void arch_drop_tables(arch_root root, uintptr_t start, uintptr_t end) {
    for (start = (start + ARCH_TABLE_SPAN - 1) & -ARCH_TABLE_SPAN; start + ARCH_TABLE_SPAN <= end; start += ARCH_TABLE_SPAN) {
        uint64_t *entry = paging_entry(root, start, 1, false);
        if (!entry || (*entry & PTE_TABLE) != PTE_TABLE)
            continue;
        uint64_t table = *entry & PTE_ADDRESS;
        *entry = 0;
        forget(start); /* and what the CPU keeps of the upper levels */
        __asm__ volatile("dsb ish\n\tisb" ::: "memory");
        page_put(table);
    }
}

int arch_page_fault(struct trap_frame *frame) {
    unsigned class = frame->syndrome >> 26 & 63, status = frame->syndrome & 63;
    if ((class != CLASS_FETCH && class != CLASS_DATA) || status - 4 >= 12 || frame->address >= PROGRAM_END)
        return -1; /* no abort by translation, access flag or permission (ESR_EL1, IFSC and DFSC) of the program's half */
    if (vm_fault(frame, frame->address, class == CLASS_FETCH ? MAP_EXEC : frame->syndrome & 64 ? MAP_WRITE : MAP_READ))
        return 0;
    return vm_fault_reason;
}

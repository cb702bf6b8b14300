/* arch_next_mapped (arch.h): the walk through four levels of tables, which both instruction sets' have; whole absent tables are stepped over. */
#include "arch/arch.h"
#include "memory/memory.h"

uintptr_t arch_next_mapped(arch_root root, uintptr_t start, uintptr_t end) {
    while (start < end) {
        uint64_t table = root;
        unsigned shift = 39;
        for (;; shift -= 9) {
            arch_entry entry = ((arch_entry *)phys_to_virt(table))[start >> shift & 511];
            if (!arch_entry_used(entry)) break;
            if (shift == 12) return start;
            table = arch_entry_page(entry);
        }
        start = ((start >> shift) + 1) << shift;
    }
    return end;
}

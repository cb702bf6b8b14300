/* arch_next_mapped (arch.h): walks the four levels and steps over whole absent tables. Part of the component vm. */
#include "internal.h"

uintptr_t arch_next_mapped(arch_root root, uintptr_t start, uintptr_t end) {
    while (start < end) {
        uint64_t table = root;
        unsigned shift = 39;
        for (;; shift -= 9) {
            uint64_t entry = ((uint64_t *)phys_to_virt(table))[start >> shift & 511];
            if (!(entry & (PTE_PRESENT | PTE_KEPT))) break;
            if (shift == 12) return start;
            table = entry & PTE_ADDRESS;
        }
        start = ((start >> shift) + 1) << shift;
    }
    return end;
}

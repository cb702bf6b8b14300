/* The CPU's caches by CLIDR_EL1, CSSELR_EL1 and CCSIDR_EL1 (Arm Architecture Reference Manual, D17.2). Numbered as Linux does: level by level, data before instructions. */
#include "arch/arch.h"
#include "sysfs/internal.h"

enum { NONE, INSTRUCTIONS, DATA, SEPARATE, UNIFIED };         /* CLIDR_EL1.Ctype<n> */
enum { KIND_DATA = 1, KIND_INSTRUCTIONS = 2, KIND_UNIFIED = 3 }; /* struct cpu_cache */

static bool read_cache(unsigned level, unsigned kind, struct cpu_cache *out) {
    uint64_t size, wide, select = (uint64_t)(level - 1) << 1 | (kind == KIND_INSTRUCTIONS);
    unsigned long state = arch_irq_save();
    __asm__ volatile("msr csselr_el1, %2\n\tisb\n\tmrs %0, ccsidr_el1\n\tmrs %1, id_aa64mmfr2_el1" : "=r"(size), "=r"(wide) : "r"(select));
    arch_irq_restore(state);
    *out = (struct cpu_cache){ .kind = kind, .level = level, .line = 16u << (size & 7) };
    if (wide >> 20 & 15) { /* CCIDX */
        out->ways = (unsigned)(size >> 3 & 0x1fffff) + 1;
        out->sets = (unsigned)(size >> 32 & 0xffffff) + 1;
    } else {
        out->ways = (unsigned)(size >> 3 & 0x3ff) + 1;
        out->sets = (unsigned)(size >> 13 & 0x7fff) + 1;
    }
    return true;
}

bool cpu_cache_find(unsigned index, struct cpu_cache *out) {
    uint64_t levels;
    __asm__("mrs %0, clidr_el1" : "=r"(levels));
    for (unsigned level = 1; level <= 7; level++, levels >>= 3) {
        unsigned type = levels & 7;
        if (type == NONE) return false;
        if (type == UNIFIED) {
            if (!index--) return read_cache(level, KIND_UNIFIED, out);
            continue;
        }
        if (type & DATA && !index--) return read_cache(level, KIND_DATA, out);
        if (type & INSTRUCTIONS && !index--) return read_cache(level, KIND_INSTRUCTIONS, out);
    }
    return false;
}

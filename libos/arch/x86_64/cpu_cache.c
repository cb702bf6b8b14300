/* The CPU's caches by CPUID: leaf 4 (Intel SDM volume 2), or 0x8000001d of the same layout (AMD APM volume 3). */
#include "arch/arch.h"
#include "sysfs/internal.h"

#define AMD_LEAF 0x8000001du
#define AMD_TOPOLOGY (1u << 22) /* 0x80000001 ecx: the leaf is there */

bool cpu_cache_find(unsigned index, struct cpu_cache *out) {
    uint32_t leaf = 4;
    if (cpuid(0x80000000, 0).a >= AMD_LEAF && cpuid(0x80000001, 0).c & AMD_TOPOLOGY) leaf = AMD_LEAF;
    else if (cpuid(0, 0).a < 4) return false;
    struct cpuid r = cpuid(leaf, index);
    if (!(r.a & 31)) return false;
    *out = (struct cpu_cache){ .kind = r.a & 31, .level = r.a >> 5 & 7, .line = (r.b & 0xfff) + 1, .ways = (r.b >> 22) + 1, .sets = r.c + 1 };
    return true;
}

/*
 * AT_HWCAP of unmodified programs (Linux: arch/arm64/include/uapi/asm/hwcap.h) by the CPU's identification registers (Arm Architecture Reference Manual, D19.2), which a program at EL1 may
 * read as well: HWCAP_CPUID. Only what needs nothing of the libOS.
 */
#ifndef HULL_ARCH_FEATURES_H
#define HULL_ARCH_FEATURES_H
#include <stdint.h>

/* A field of ID_AA64ISAR0_EL1 (register 0), ISAR1 (1) or PFR0 (2), the least value that means the feature, and its bit. */
struct arch_feature { uint8_t reg, shift, least, bit; };
static const struct arch_feature arch_features[] = {
    {2, 16, 0, 0},     {2, 20, 0, 1},    {0, 4, 1, 3},      {0, 4, 2, 4},    {0, 8, 1, 5},   {0, 12, 1, 6},
    {0, 16, 1, 7},  {0, 20, 2, 8},  {2, 16, 1, 9},    {2, 20, 1, 10}, {3, 0, 0, 11}, {0, 28, 1, 12},
    {1, 12, 1, 13}, {1, 16, 1, 14},    {1, 20, 1, 15},  {1, 0, 1, 16},   {0, 32, 1, 17}, {0, 36, 1, 18},
    {0, 40, 1, 19},   {0, 44, 1, 20}, {0, 12, 2, 21}, {0, 48, 1, 23}, {1, 20, 2, 26}, {0, 52, 1, 27},
};
#define ARCH_FEATURES (sizeof(arch_features) / sizeof(*arch_features))

static inline uint64_t arch_feature_register(unsigned number) {
    uint64_t value = 0;
    if (number == 0)
        __asm__("mrs %0, id_aa64isar0_el1" : "=r"(value));
    else if (number == 1)
        __asm__("mrs %0, id_aa64isar1_el1" : "=r"(value));
    else if (number == 2)
        __asm__("mrs %0, id_aa64pfr0_el1" : "=r"(value));
    return value;
}

static inline int arch_feature_there(const struct arch_feature *feature) {
    unsigned value = arch_feature_register(feature->reg) >> feature->shift & 15;
    return value >= feature->least && !(feature->reg == 2 && value == 15); /* 15: no floating point */
}

static inline uint64_t arch_features_hwcap(void) {
    uint64_t all = 0;
    for (unsigned i = 0; i < ARCH_FEATURES; i++)
        all |= (uint64_t)arch_feature_there(&arch_features[i]) << arch_features[i].bit;
    return all;
}
/* AT_HWCAP2: RNDR, which arch_random64 uses, too. */
static inline uint64_t arch_features_hwcap2(void) { return arch_feature_register(0) >> 60 ? 1ul << 16 : 0; }
#endif

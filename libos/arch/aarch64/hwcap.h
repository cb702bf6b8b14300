/* AT_HWCAP: floating point and Advanced SIMD (Linux: arch/arm64/include/uapi/asm/hwcap.h); more is not told. */
#ifndef HULL_ARCH_HWCAP_H
#define HULL_ARCH_HWCAP_H
#include <stdint.h>
static inline uint64_t arch_hwcap(void) { return 3; }
#endif

/* AT_HWCAP: CPUID.1:EDX (Linux: Documentation/arch/x86/elf_auxvec.rst). */
#ifndef HULL_ARCH_HWCAP_H
#define HULL_ARCH_HWCAP_H
#include "arch/arch.h"
static inline uint64_t arch_hwcap(void) { return cpuid(1, 0).d; }
#endif

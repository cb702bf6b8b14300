/*
 * What AArch64 Linux tells a program about the CPU in its auxiliary vector (Linux: Documentation/arch/arm64/elf_hwcaps.rst). Part of the component exec.
 * Told is what the libOS keeps for a program, which leaves out SVE, SME, pointer authentication, memory tags and branch targets.
 */
#include "exec/exec.h"
#include "features.h"

const uint16_t arch_elf_machine = 183; /* EM_AARCH64 */

void arch_program_abi(struct program_abi *out) {
    out->hwcap = arch_features_hwcap();
    out->hwcap2 = arch_features_hwcap2();
    out->signal_stack = 4720; /* struct rt_sigframe, a frame record and alignment */
    out->platform = "aarch64";
}

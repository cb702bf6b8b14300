/*
 * What the x86-64 Linux ABI tells a program about the CPU in its auxiliary vector. Part of the component exec.
 * AT_HWCAP is CPUID.1:EDX; AT_HWCAP2 bit 1 says that RDFSBASE and its family may be used (Linux: Documentation/arch/x86/elf_auxvec.rst).
 */
#include "exec/exec.h"

const uint16_t arch_elf_machine = 62; /* EM_X86_64 */

void arch_program_abi(struct program_abi *out) {
    uint64_t cr4;
    __asm__("movq %%cr4, %0" : "=r"(cr4));
    out->hwcap = cpuid(1, 0).d;
    out->hwcap2 = cr4 & 1u << 16 ? 2 : 0; /* CR4.FSGSBASE */
    /* siginfo, ucontext, the FPU state and alignment. */
    out->signal_stack = 1024 + (cr4 & 1u << 18 ? cpuid(0xd, 0).b : 512); /* CR4.OSXSAVE */
    out->platform = "x86_64";
}

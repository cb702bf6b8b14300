/*
 * size_t arch_copy_faultable(void *to, const void *from, size_t size): bytes not copied. A fault at the copying instruction that
 * vm_fault() does not resolve goes on after it (trap.c). In: rdi, rsi, rdx. Out: rax. Clobbers rcx, rdi, rsi.
 */
    .section .text.arch_copy_faultable, "ax", @progbits
    .globl arch_copy_faultable, arch_copy_faults, arch_copy_recovers
    .hidden arch_copy_faultable, arch_copy_faults, arch_copy_recovers
arch_copy_faultable:
    movq %rdx, %rcx
arch_copy_faults:
    rep movsb
arch_copy_recovers:
    movq %rcx, %rax
    ret
    .section .note.GNU-stack, "", @progbits

/*
 * size_t arch_copy_faultable(void *to, const void *from, size_t size): bytes not copied. A fault at a copying instruction that vm_fault() does not resolve goes on
 * elsewhere (trap.c): after that of words at the bytes that are left, after that of bytes at the end. In: rdi, rsi, rdx. Out: rax. Clobbers rcx, rdx, rdi, rsi.
 */
    .section .text.arch_copy_faultable, "ax", @progbits
    .globl arch_copy_faultable, arch_copy_word_faults, arch_copy_word_recovers, arch_copy_faults, arch_copy_recovers
    .hidden arch_copy_faultable, arch_copy_word_faults, arch_copy_word_recovers, arch_copy_faults, arch_copy_recovers
arch_copy_faultable:
    movq %rdx, %rcx
    andl $7, %edx
    shrq $3, %rcx
arch_copy_word_faults:
    rep movsq
arch_copy_word_recovers: /* rcx: words that are left, rdx: bytes after them */
    leaq (%rdx,%rcx,8), %rcx
arch_copy_faults:
    rep movsb
arch_copy_recovers:
    movq %rcx, %rax
    ret
    .section .note.GNU-stack, "", @progbits

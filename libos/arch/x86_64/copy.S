/*
 * size_t arch_copy_faultable(void *to, const void *from, size_t size): bytes not copied. A fault at one of the two copying instructions that vm_fault() does not
 * resolve goes on behind it (trap.c): behind the first, which copies four bytes at a time (an emulator runs "rep movsb" a byte at a time), with the bytes before the place that
 * cannot be reached. In: rdi, rsi, rdx. Out: rax. Clobbers rcx, rdx, rdi, rsi.
 */
    .section .text.arch_copy_faultable, "ax", @progbits
    .globl arch_copy_faultable, arch_copy_faults
    .hidden arch_copy_faultable, arch_copy_faults
arch_copy_faultable:
    pushq %rdx
    popq %rcx
    andl $3, %edx
    shrq $2, %rcx
arch_copy_faults:
    rep movsl
    leaq (%rdx,%rcx,4), %rcx
tail:
    rep movsb
    .if tail - arch_copy_faults != 6
    .error "trap.c knows where the second one is, and how long both are"
    .endif
    xchgq %rcx, %rax
    ret
    .section .note.GNU-stack, "", @progbits

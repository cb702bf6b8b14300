/*
 * size_t arch_copy_faultable(void *to, const void *from, size_t size): bytes not copied. A fault at one of the two copying instructions that vm_fault() does not
 * resolve goes on behind it (trap.c): behind the first, which copies eight bytes at a time (an emulator runs each of them as one step), with the bytes before the place that
 * cannot be reached. Both are three bytes long. In: rdi, rsi, rdx. Out: rax. Clobbers rcx, rdx, rdi, rsi.
 */
    .section .text.arch_copy_faultable, "ax", @progbits
    .globl arch_copy_faultable, arch_copy_faults
    .hidden arch_copy_faultable, arch_copy_faults
arch_copy_faultable:
    pushq %rdx
    popq %rcx
    andl $7, %edx
    shrq $3, %rcx
arch_copy_faults:
    rep movsq
    leaq (%rdx,%rcx,8), %rcx
tail:
    .byte 0xf3, 0x40, 0xa4 /* rep movsb with a prefix that says nothing */
    .if tail - arch_copy_faults != 7
    .error "trap.c knows where the second one is, and how long both are"
    .endif
    xchgq %rcx, %rax
    ret
    .section .note.GNU-stack, "", @progbits

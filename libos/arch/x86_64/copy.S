/*
 * size_t arch_copy_faultable(void *to, const void *from, size_t size): bytes not copied. A fault of an instruction from arch_copy_faults to before
 * arch_copy_tail that vm_fault() does not resolve goes on at arch_copy_tail, which copies the bytes before the place that cannot be reached; one there at
 * arch_copy_recovers (trap.c). Words in a loop of their own: an emulator runs "rep movsb" a byte at a time, and a processor needs some thirty cycles to begin with it.
 * In: rdi, rsi, rdx. Out: rax. Clobbers rcx, rdx, rdi, rsi, r8, r9.
 */
    .section .text.arch_copy_faultable, "ax", @progbits
    .globl arch_copy_faultable, arch_copy_faults, arch_copy_tail, arch_copy_recovers
    .hidden arch_copy_faultable, arch_copy_faults, arch_copy_tail, arch_copy_recovers
arch_copy_faultable:
    movq %rdx, %rcx /* bytes left */
    jmp 2f
arch_copy_faults:
1:  movq (%rsi), %rax
    movq 8(%rsi), %rdx
    movq 16(%rsi), %r8
    movq 24(%rsi), %r9
    movq %rax, (%rdi)
    movq %rdx, 8(%rdi)
    movq %r8, 16(%rdi)
    movq %r9, 24(%rdi)
    addq $32, %rsi
    addq $32, %rdi
    subq $32, %rcx
2:  cmpq $32, %rcx
    jae 1b
    jmp 4f
3:  movq (%rsi), %rax
    movq %rax, (%rdi)
    addq $8, %rsi
    addq $8, %rdi
    subq $8, %rcx
4:  cmpq $8, %rcx
    jae 3b
arch_copy_tail:
    rep movsb
arch_copy_recovers:
    movq %rcx, %rax
    ret
    .section .note.GNU-stack, "", @progbits

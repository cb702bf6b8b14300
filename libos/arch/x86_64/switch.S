/*
 * void arch_switch_stack(uintptr_t *save_sp, uintptr_t load_sp): in rdi, rsi. Callee-saved registers go to the old stack and come
 * from the new one. Clobbers the caller-saved ones.
 */
    .section .text.arch_switch_stack, "ax", @progbits
    .globl arch_switch_stack, arch_thread_trampoline
    .hidden arch_switch_stack, arch_thread_trampoline
arch_switch_stack:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
arch_thread_trampoline:         /* a new thread's first return: rbx entry, r12 argument, r13 its arch_thread */
    movq %r13, %rdi
    call arch_thread_begin
    movq %r12, %rdi
    xorl %ebp, %ebp
    call *%rbx
    ud2
    .section .note.GNU-stack, "", @progbits

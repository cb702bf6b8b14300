/*
 * Switching of stacks, and of the registers of floating point and vectors, which the rest of the libOS does not touch.
 *
 * void arch_switch_stack(uintptr_t *save_sp, uintptr_t load_sp): in x0, x1. Callee-saved registers go to the old stack and come from the new one.
 * void arch_fpu_save(struct arch_fpu *), void arch_fpu_load(const struct arch_fpu *): in x0. Clobber x1, x2.
 */
    .arch_extension fp
    .arch_extension simd
    .section .text.arch_switch_stack, "ax", @progbits
    .globl arch_switch_stack, arch_thread_trampoline
    .hidden arch_switch_stack, arch_thread_trampoline, arch_thread_begin
arch_switch_stack:
    stp x29, x30, [sp, #-96]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp x29, x30, [sp], #96
    ret
arch_thread_trampoline:         /* a new thread's first return: x19 entry, x20 argument, x21 its arch_thread */
    mov x0, x21
    bl arch_thread_begin
    mov x0, x20
    mov x29, #0
    blr x19
    brk #1

    .macro each_pair do, from
    \do q0, q1, [\from, #16]
    \do q2, q3, [\from, #48]
    \do q4, q5, [\from, #80]
    \do q6, q7, [\from, #112]
    \do q8, q9, [\from, #144]
    \do q10, q11, [\from, #176]
    \do q12, q13, [\from, #208]
    \do q14, q15, [\from, #240]
    \do q16, q17, [\from, #272]
    \do q18, q19, [\from, #304]
    \do q20, q21, [\from, #336]
    \do q22, q23, [\from, #368]
    \do q24, q25, [\from, #400]
    \do q26, q27, [\from, #432]
    \do q28, q29, [\from, #464]
    \do q30, q31, [\from, #496]
    .endm

    .section .text.arch_fpu_save, "ax", @progbits
    .globl arch_fpu_save
    .hidden arch_fpu_save
arch_fpu_save:
    each_pair stp, x0
    mrs x1, fpsr
    mrs x2, fpcr
    stp w1, w2, [x0, #8]
    ret

    .section .text.arch_fpu_load, "ax", @progbits
    .globl arch_fpu_load
    .hidden arch_fpu_load
arch_fpu_load:
    each_pair ldp, x0
    ldp w1, w2, [x0, #8]
    msr fpsr, x1
    msr fpcr, x2
    ret
    .section .note.GNU-stack, "", @progbits

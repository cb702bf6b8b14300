/*
 * SVC from EL1 (Arm Architecture Reference Manual, ESR_EL1.EC 0x15): program and libOS run at one exception level, so the call comes to the vectors of SP_EL1,
 * interrupts off. In: x8 number, arguments in x0 … x5. Out: x0; all other registers and the flags are preserved. Nothing is written below the program's
 * stack pointer; vector registers stay where they are, for the libOS uses none.
 */
#include "call_frame.h"

    .section .text.arch_syscall_entry, "ax", @progbits
    .globl arch_syscall_entry, arch_syscall_exit
    .hidden arch_syscall_entry, arch_syscall_exit, arch_trap_entry, arch_interrupt_entry, arch_trap_leave, arch_lost
    .hidden hull_syscall_table, hull_syscall_index, hull_syscall_count, hull_syscall_absent, sys_absent, arch_cpu, arch_work, arch_work_run
    .globl hull_syscall_absent
    .balign 2048
arch_syscall_entry:
    SVC_VECTORS call

    .balign 64
call:
    SAVE_CALL
    msr daifclr, #2
    movz x9, #:abs_g0:hull_syscall_count    /* one more than the highest call that is there */
    cmp x8, x9
    b.hs absent
    adrp x9, hull_syscall_index
    add x9, x9, :lo12:hull_syscall_index
    ldrh w9, [x9, x8, lsl #1]               /* 0: the entry of absent calls */
    adrp x10, hull_syscall_table
    add x10, x10, :lo12:hull_syscall_table
    ldr x9, [x10, x9, lsl #3]
    blr x9
arch_syscall_exit:                          /* x0 the result, sp the frame */
    msr daifset, #2
    adrp x9, arch_work
    ldr w9, [x9, :lo12:arch_work]
    cbnz w9, work
    ldp x9, x10, [sp, #FRAME_PC]
    msr elr_el1, x9
    msr spsr_el1, x10
    ldp x1, x2, [sp, #8]
    ldp x3, x4, [sp, #24]
    ldp x5, x6, [sp, #40]
    ldp x7, x8, [sp, #56]
    ldp x9, x10, [sp, #72]
    ldp x11, x12, [sp, #88]
    ldp x13, x14, [sp, #104]
    ldp x16, x18, [sp, #136]
    msr tpidr_el1, x16
    ldp x15, x16, [sp, #120]
    ldp x30, x17, [sp, #240]
    mov sp, x17
    mrs x17, tpidr_el1
    eret

absent:
    bl hull_syscall_absent
    b arch_syscall_exit

/* Where the table sends calls that are not in the image: the frame, which has the number, is on top of the stack. */
hull_syscall_absent:
    ldr x0, [sp, #64]
    b sys_absent

/* Something to do first: the whole frame. */
work:
    str x0, [sp]
    bl save_rest
    mov x0, sp
    bl arch_work_run
    mov x0, sp
    b arch_trap_leave

save_rest:                                  /* callee-saved registers still are the program's. Clobbers x9 */
    stp x19, x20, [sp, #152]
    stp x21, x22, [sp, #168]
    stp x23, x24, [sp, #184]
    stp x25, x26, [sp, #200]
    stp x27, x28, [sp, #216]
    str x29, [sp, #232]
    mov x9, #-1                             /* TRAP_ERROR_SYSCALL */
    str x9, [sp, #FRAME_SYNDROME]
    ret

/*
 * For calls that need the program's whole registers (SYSCALL_WITH_FRAME): in x9 the function, on top of the stack the frame. Completes it and calls
 * function(frame), which returns to the entry.
 */
    .section .text.arch_syscall_with_frame, "ax", @progbits
    .globl arch_syscall_with_frame
    .hidden arch_syscall_with_frame
arch_syscall_with_frame:
    mov x10, x9
    mov x11, x30
    ldr x9, [sp, #FRAME_ADDRESS]
    str x9, [sp]
    bl save_rest
    mov x30, x11
    mov x0, sp
    br x10
    .section .note.GNU-stack, "", @progbits

/*
 * The entry of system calls while they are traced: as syscall_entry.S has it, with trace_enter(frame) before the call and
 * trace_leave(frame) after it. Same registers in, out and clobbered; the way out is the ordinary one. Part of `trace`.
 */
#include "call_frame.h"

    .section .text.arch_trace_entry, "ax", @progbits
    .globl arch_trace_entry
    .hidden arch_trace_entry, arch_syscall_exit, arch_cpu, trace_enter, trace_leave, arch_trap_entry, arch_interrupt_entry, arch_lost
    .hidden hull_syscall_table, hull_syscall_index, hull_syscall_count
    .balign 2048
arch_trace_entry:
    SVC_VECTORS traced

traced:
    SAVE_CALL
    msr daifclr, #2
    mov x0, sp
    bl trace_enter
    ldr x0, [sp, #FRAME_ADDRESS]
    ldp x1, x2, [sp, #8]
    ldp x3, x4, [sp, #24]
    ldr x5, [sp, #40]
    ldr x8, [sp, #64]
    adrp x10, hull_syscall_table
    add x10, x10, :lo12:hull_syscall_table
    movz x9, #:abs_g0:hull_syscall_count
    cmp x8, x9
    b.hs 1f
    adrp x9, hull_syscall_index
    add x9, x9, :lo12:hull_syscall_index
    ldrh w9, [x9, x8, lsl #1]
    b 2f
1:  mov x9, #0                              /* entry 0: absent calls */
2:  ldr x9, [x10, x9, lsl #3]
    blr x9
    str x0, [sp]
    mov x0, sp
    bl trace_leave
    ldr x0, [sp]
    b arch_syscall_exit
    .section .note.GNU-stack, "", @progbits

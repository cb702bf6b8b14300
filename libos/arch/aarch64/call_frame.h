/*
 * What both entries of system calls have (syscall_entry.S, trace_entry.S), each a table of exception vectors of its own that a program runs with.
 *
 * SVC_VECTORS entry: the table. Registers are as the program left them when an exception comes, and no stack may be touched: TPIDR_EL1 keeps x17 while the
 * exception's class is looked at. A system call goes on at `entry`, with x17 the thread's call frame; all else where it goes without this table (entry.S).
 *
 * SAVE_CALL: to that frame, which becomes the stack: what a call may change, the arguments, the way back. The first argument lies in FRAME_ADDRESS, since x0
 * is the result's. In: x17 the frame, TPIDR_EL1 the program's x17. Clobbers x9, x10, x16, x17.
 */
#ifndef HULL_ARCH_CALL_FRAME_H
#define HULL_ARCH_CALL_FRAME_H
#include "memory_map.h"

#define CLASS_SVC 0x15

    .macro SVC_VECTORS entry
    b arch_lost                             /* on SP_EL0: an exception within an exception's first steps */
    .org . + 124
    b arch_lost
    .org . + 124
    b arch_lost
    .org . + 124
    b arch_lost
    .org . + 124
    msr tpidr_el1, x17                      /* 0x200: synchronous */
    mrs x17, esr_el1
    lsr x17, x17, #26
    cmp x17, #CLASS_SVC                     /* the program's flags are in SPSR_EL1 */
    b.ne 1f
    adrp x17, arch_cpu
    ldr x17, [x17, :lo12:arch_cpu + 16]     /* call_frame */
    b \entry
1:  mrs x17, tpidr_el1
    b arch_trap_entry
    .org . + 88
    b arch_interrupt_entry                  /* 0x280 */
    .org . + 124
    b arch_lost                             /* fast interrupts are masked */
    .org . + 124
    b arch_trap_entry                       /* system error */
    .endm

    .macro SAVE_CALL
    stp x1, x2, [x17, #8]
    stp x3, x4, [x17, #24]
    stp x5, x6, [x17, #40]
    stp x7, x8, [x17, #56]
    stp x9, x10, [x17, #72]
    stp x11, x12, [x17, #88]
    stp x13, x14, [x17, #104]
    stp x15, x16, [x17, #120]
    mrs x9, tpidr_el1
    stp x9, x18, [x17, #136]
    mov x10, sp
    stp x30, x10, [x17, #240]
    mrs x9, elr_el1
    mrs x10, spsr_el1
    stp x9, x10, [x17, #FRAME_PC]
    str x0, [x17, #FRAME_ADDRESS]
    mov sp, x17
    .endm
#endif

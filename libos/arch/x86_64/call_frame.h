/*
 * SAVE_CALL: what both entries of system calls do first (syscall_entry.S, trace_entry.S): onto the thread's call frame, whose address is in
 * arch_cpu, with what SYSCALL left and the arguments. In: as SYSCALL left them. Out: rsp the frame, rax and the arguments as they were.
 * Clobbers rcx.
 */
#ifndef HULL_ARCH_CALL_FRAME_H
#define HULL_ARCH_CALL_FRAME_H
#include "trap_frame.h"

    .macro SAVE_CALL
    movq %rsp, arch_cpu + 16(%rip)      /* program_sp */
    movq arch_cpu + 24(%rip), %rsp      /* call_frame */
    movq %r11, RFLAGS(%rsp)
    movq %rcx, RIP(%rsp)
    movq arch_cpu + 16(%rip), %rcx
    movq %rax, VECTOR(%rsp)
    movq %rcx, RSP(%rsp)
    movq %rdi, RDI(%rsp)
    movq %rsi, RSI(%rsp)
    movq %rdx, RDX(%rsp)
    movq %r10, R10(%rsp)
    movq %r8, R8(%rsp)
    movq %r9, R9(%rsp)
    .endm
#endif

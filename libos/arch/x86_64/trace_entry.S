/*
 * The entry of system calls while they are traced: as syscall_entry.S has it, with trace_enter(frame) before the call and
 * trace_leave(frame) after it. Same registers in, out and clobbered; the way out is the ordinary one. Part of `trace`.
 */
#include "call_frame.h"

    .section .text.arch_trace_entry, "ax", @progbits
    .globl arch_trace_entry
    .hidden arch_trace_entry, arch_syscall_exit, arch_cpu, trace_enter, trace_leave
    .hidden hull_syscall_table, hull_syscall_index, hull_syscall_count
arch_trace_entry:
    SAVE_CALL
    movq %rsp, %rdi
    call trace_enter
    movq RDI(%rsp), %rdi
    movq RSI(%rsp), %rsi
    movq RDX(%rsp), %rdx
    movq R10(%rsp), %rcx
    movq R8(%rsp), %r8
    movq R9(%rsp), %r9
    movq VECTOR(%rsp), %rax
    leaq hull_syscall_table(%rip), %r11
    cmpq $hull_syscall_count, %rax
    jae absent
    leaq hull_syscall_index(%rip), %r10
    movzwl (%r10, %rax, 2), %eax
    jmp perform
absent:
    xorl %eax, %eax                     /* entry 0: absent calls */
perform:
    call *(%r11, %rax, 8)
    movq %rax, RAX(%rsp)
    movq %rsp, %rdi
    call trace_leave
    movq RAX(%rsp), %rax
    jmp arch_syscall_exit
    .section .note.GNU-stack, "", @progbits

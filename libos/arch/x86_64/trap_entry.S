/*
 * Trap entry and return. In: the CPU's interrupt frame on an IST stack. arch_trap_place() may move the frame to the kernel
 * stack; arch_trap() handles it; then everything is restored from wherever the frame is. All registers preserved, but for
 * what the handlers change in the frame. Layout: struct trap_frame, arch_inline.h.
 */
#include "memory_map.h"

    .section .text.arch_trap_stubs, "ax", @progbits
    .globl arch_trap_stubs, arch_trap_entry, arch_trap_return
    .hidden arch_trap_stubs, arch_trap_entry, arch_trap_return
/* One 6-byte stub a vector: an error code where the CPU pushes none, the vector, a short jump. Vector 15 is never raised
 * (Intel SDM volume 3, table 6-1): its slot is where the short jumps go. */
arch_trap_stubs:
    .set vector, 0
    .rept 22
    .if vector == 15
stub_hub:
    jmp arch_trap_entry
    .else
    .if (0x227d00 >> vector) & 1
    xchgw %ax, %ax
    .else
    pushq $0
    .endif
    pushq $vector
    jmp stub_hub
    .endif
    .org arch_trap_stubs + (vector + 1) * 6, 0xcc
    .set vector, vector + 1
    .endr

arch_trap_entry:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    cld
    movq %rsp, %rdi
    call arch_trap_place
    movq %rax, %rsp
    movq %rax, %rdi
    call arch_trap
arch_trap_return:               /* %rsp: the frame */
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

    .section .text.arch_return_to_program, "ax", @progbits
    .globl arch_return_to_program
    .hidden arch_return_to_program
arch_return_to_program:         /* in: %rdi frame */
    movq %rdi, %rsp
    jmp arch_trap_return
    .section .note.GNU-stack, "", @progbits

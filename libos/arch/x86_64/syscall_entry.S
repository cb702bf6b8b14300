/*
 * SYSCALL from ring 0 (Intel SDM volume 2, SYSCALL): %rsp and the privilege level stay, %rcx = return address, %r11 = flags.
 * In: %rax number, arguments in %rdi %rsi %rdx %r10 %r8 %r9. Out: %rax; %rcx, %r11 as SYSCALL left them; all else preserved, flags too.
 * Interrupts stay on. Nothing is written below the program's stack pointer.
 *
 * The way out is a restartable sequence: from arch_syscall_exit on, registers are only loaded. An interrupt that finds the CPU
 * there sends it back to arch_syscall_exit (trap.c), so work that it raised is seen before the program runs on; at
 * arch_syscall_exit_jump, the program's own registers are all there, and it counts as program. While the flags are made, the result is in
 * rcx: from arch_syscall_exit_flags to arch_syscall_exit_flags_end, there included, rax gets it from there before the sequence begins anew.
 */
#include "memory_map.h"
#include "call_frame.h"

    .section .text.arch_syscall_entry, "ax", @progbits
    .globl arch_syscall_entry, arch_syscall_exit, arch_syscall_exit_jump, arch_syscall_exit_flags, arch_syscall_exit_flags_end
    .hidden arch_syscall_entry, arch_syscall_exit, arch_syscall_exit_jump, arch_syscall_exit_flags, arch_syscall_exit_flags_end
    .hidden hull_syscall_table, hull_syscall_index, hull_syscall_count, hull_syscall_absent, sys_absent, arch_cpu, arch_work
    .globl hull_syscall_absent
    .balign 16
arch_syscall_entry:
    SAVE_CALL
    cmpq $hull_syscall_count, %rax      /* one more than the highest call that is there */
    jae absent
    leaq hull_syscall_index(%rip), %rcx
    leaq hull_syscall_table(%rip), %r11
    movzwl (%rcx, %rax, 2), %eax        /* 0: the entry of absent calls */
    movq %r10, %rcx
    call *(%r11, %rax, 8)
arch_syscall_exit:
    cmpl $0, arch_work(%rip)
    jne work
    movq RFLAGS(%rsp), %r11
    movq RDI(%rsp), %rdi
    movq RSI(%rsp), %rsi
    movq RDX(%rsp), %rdx
    movq R10(%rsp), %r10
    movq R8(%rsp), %r8
    movq R9(%rsp), %r9
    /* The arithmetic flags without POPF, which is slow: SF ZF AF PF CF by SAHF, OF by an addition that overflows. */
    testl $~0xad7, %r11d
    jne work
    movq %rax, %rcx
arch_syscall_exit_flags:
    movl %r11d, %eax
    shll $8, %eax
    btl $11, %r11d
    setc %al
    addb $0x7f, %al
    sahf
    movq %rcx, %rax
arch_syscall_exit_flags_end:
    movq RIP(%rsp), %rcx
    movq RSP(%rsp), %rsp
arch_syscall_exit_jump:
    jmp *%rcx

absent:
    call hull_syscall_absent
    jmp arch_syscall_exit

/* Where the table sends calls that are not in the image: above the return address lies the frame, which has the number. */
hull_syscall_absent:
    movq 8 + VECTOR(%rsp), %rdi
    jmp sys_absent

/* Something to do first, or flags that SAHF does not set: the whole frame, and out by IRET. */
work:
    movq %rax, RAX(%rsp)
    movq %rbx, RBX(%rsp)
    movq %rbp, RBP(%rsp)
    movq %r12, R12(%rsp)
    movq %r13, R13(%rsp)
    movq %r14, R14(%rsp)
    movq %r15, R15(%rsp)
    movq RIP(%rsp), %rax
    movq RFLAGS(%rsp), %rcx
    movq %rax, RCX(%rsp)
    movq %rcx, R11(%rsp)
    movq $-1, ERROR(%rsp)               /* TRAP_ERROR_SYSCALL */
    movq $SELECTOR_CODE, CS(%rsp)
    movq $SELECTOR_DATA, SS(%rsp)
    movq %rsp, %rdi
    cli                                 /* until IRET: what an interrupt raises after the last look would wait for the next one */
    call arch_work_run
    jmp arch_trap_return

/*
 * For calls that need the program's whole registers (SYSCALL_WITH_FRAME): in %rax the function, on the stack the return address into
 * arch_syscall_entry. Completes the frame and calls function(frame). Callee-saved registers are still the program's.
 */
    .section .text.arch_syscall_with_frame, "ax", @progbits
    .globl arch_syscall_with_frame
    .hidden arch_syscall_with_frame
arch_syscall_with_frame:
    leaq 8(%rsp), %rdi
    movq %rbx, RBX(%rdi)
    movq %rbp, RBP(%rdi)
    movq %r12, R12(%rdi)
    movq %r13, R13(%rdi)
    movq %r14, R14(%rdi)
    movq %r15, R15(%rdi)
    movq RIP(%rdi), %rcx
    movq %rcx, RCX(%rdi)
    movq RFLAGS(%rdi), %rcx
    movq %rcx, R11(%rdi)
    movq VECTOR(%rdi), %rcx
    movq %rcx, RAX(%rdi)
    movq $-1, ERROR(%rdi)
    movq $SELECTOR_CODE, CS(%rdi)
    movq $SELECTOR_DATA, SS(%rdi)
    jmp *%rax
    .section .note.GNU-stack, "", @progbits

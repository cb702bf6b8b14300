/*
 * int __clone(int (*function)(void *), void *stack, int flags, void *argument, int *parent_tid, void *tls, int *child_tid)
 * In place of musl's assembly with a syscall instruction.
 * Contract with sys_clone in linked images: the child continues as if its own sys_clone call had returned 0 on the stack that
 * was given, so the word at that stack's top is where it goes on.
 * In: rdi, rsi, edx, rcx, r8, r9, 8(rsp). Out: eax = thread number or -errno. Clobbers caller-saved registers.
 */
.text
.section .text.__clone,"ax",@progbits
.global __clone
.hidden __clone
.hidden sys_clone
.hidden sys_exit
/* Declared, for .reloc makes no symbols of its own. */
.hidden __lock
.hidden __unlock
.hidden __lockfile
.hidden __unlockfile
.type __clone,@function
__clone:
    and $-16, %rsi
    sub $32, %rsi
    lea child(%rip), %rax
    mov %rax, (%rsi)      /* "return address" of the child */
    mov %rdi, 8(%rsi)
    mov %rcx, 16(%rsi)
    movslq %edx, %rdi     /* sys_clone(flags, stack, parent_tid, child_tid, tls) */
    mov %r8, %rdx
    mov 8(%rsp), %rcx
    mov %r9, %r8
    sub $8, %rsp
    call sys_clone
    add $8, %rsp
    ret
child:                    /* rsp = given stack + 8 (16-byte aligned + 8) */
    xor %ebp, %ebp
    pop %rax
    pop %rdi
    sub $8, %rsp
    call *%rax
    movslq %eax, %rdi
    call sys_exit
    ud2
    .hidden __lock, __unlock, __lockfile, __unlockfile
    .long __lock - ., __unlock - ., __lockfile - ., __unlockfile - .    /* with threads, the locks (tools/build/musl.ts) */
.size __clone, . - __clone
.section .note.GNU-stack,"",@progbits

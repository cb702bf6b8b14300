/*
 * int __clone(int (*function)(void *), void *stack, int flags, void *argument, int *parent_tid, void *tls, int *child_tid)
 * In place of musl's assembly with an svc instruction.
 * Contract with sys_clone in linked images: the child continues as if its own sys_clone call had returned 0 on the stack that
 * was given, so the word at that stack's top is where it goes on.
 * In: x0, x1, w2, x3, x4, x5, x6. Out: w0 = thread number or -errno. Clobbers caller-saved registers.
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
    and x1, x1, #-16
    adr x7, child
    stp x0, x3, [x1, #-16]!
    stp x7, xzr, [x1, #-16]!  /* "return address" of the child */
    sxtw x0, w2               /* sys_clone(flags, stack, parent_tid, child_tid, tls) */
    mov x2, x4
    mov x3, x6
    mov x4, x5
    b sys_clone
child:                        /* sp = given stack + 8 */
    mov x29, #0
    add sp, sp, #8
    ldp x1, x0, [sp], #16
    blr x1
    sxtw x0, w0
    bl sys_exit
    brk #1
    .long __lock - ., __unlock - ., __lockfile - ., __unlockfile - .    /* with threads, the locks (tools/build/musl.ts) */
.size __clone, . - __clone
.section .note.GNU-stack,"",@progbits

/*
 * Where a signal handler returns to, in place of musl's assembly with an svc instruction.
 * Contract with sys_rt_sigreturn in linked images: its first argument is the program's stack pointer after the handler's return,
 * which is where the signal frame begins. It does not return.
 */
.section .text.__restore_rt,"ax",@progbits
.global __restore_rt
.hidden __restore_rt
.global __restore
.hidden __restore
.hidden sys_rt_sigreturn
.type __restore_rt,@function
__restore:
__restore_rt:
    mov x0, sp
    bl sys_rt_sigreturn
    brk #1
.size __restore_rt, . - __restore_rt
.section .note.GNU-stack,"",@progbits

/* arch_enter_linked(stack, random): in rdi, rsi. Goes on in the program, on its stack: hull_linked_start(stack, random); no return. */
    .section .text.arch_enter_linked, "ax", @progbits
    .globl arch_enter_linked
    .hidden arch_enter_linked, hull_linked_start
arch_enter_linked:
    movq %rdi, %rsp
    xorl %ebp, %ebp
    sti
    call hull_linked_start
    ud2
    .section .note.GNU-stack, "", @progbits

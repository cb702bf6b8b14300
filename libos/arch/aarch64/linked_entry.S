/* arch_enter_linked(stack, random): in x0, x1. Goes on in the program, on its stack: hull_linked_start(stack, random); no return. */
    .section .text.arch_enter_linked, "ax", @progbits
    .globl arch_enter_linked
    .hidden arch_enter_linked, hull_linked_start
arch_enter_linked:
    mov sp, x0
    mov x29, #0
    mov x30, #0
    msr daifclr, #2
    b hull_linked_start
    .section .note.GNU-stack, "", @progbits

/* arch_enter_linked(stack, start): in rdi, rsi. Goes on in the program, on its stack; no return. */
    .section .text.arch_enter_linked, "ax", @progbits
    .globl arch_enter_linked
    .hidden arch_enter_linked
arch_enter_linked:
    movq %rdi, %rsp
    xorl %ebp, %ebp
    sti
    call *%rsi
    ud2
    .section .note.GNU-stack, "", @progbits

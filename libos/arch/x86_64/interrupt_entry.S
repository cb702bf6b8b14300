/*
 * Interrupt vectors 32..63: 6-byte stubs as in trap_entry.S; the slot of vector 47, which is never given out, is their hub.
 */
    .section .text.arch_irq_stubs, "ax", @progbits
    .globl arch_irq_stubs
    .hidden arch_irq_stubs, arch_trap_entry
arch_irq_stubs:
    .set vector, 32
    .rept 32
    .if vector == 47
irq_hub:
    jmp arch_trap_entry
    .else
    pushq $0
    pushq $vector
    jmp irq_hub
    .endif
    .org arch_irq_stubs + (vector - 31) * 6, 0xcc
    .set vector, vector + 1
    .endr
    .section .note.GNU-stack, "", @progbits

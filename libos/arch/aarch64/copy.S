/*
 * size_t arch_copy_faultable(void *to, const void *from, size_t size): bytes not copied. A fault at one of the two copying instructions goes on behind
 * them (trap.c), with the bytes from there on not copied. In: x0, x1, x2. Out: x0. Clobbers x1, x2, x3.
 */
    .section .text.arch_copy_faultable, "ax", @progbits
    .globl arch_copy_faultable, arch_copy_faults, arch_copy_faults_end
    .hidden arch_copy_faultable, arch_copy_faults, arch_copy_faults_end
arch_copy_faultable:
    cbz x2, 2f
1:
arch_copy_faults:
    ldrb w3, [x1], #1
    strb w3, [x0], #1
    subs x2, x2, #1
    b.ne 1b
arch_copy_faults_end:
2:  mov x0, x2
    ret
    .section .note.GNU-stack, "", @progbits

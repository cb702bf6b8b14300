/*
 * Entry of the boot layer's test guest: PVH (32-bit protected mode, %ebx = hvm_start_info) -> long mode with the first GiB mapped
 * one to one -> guest_main(start_info). The image note promises a UART, input and signals unless FEATURES says otherwise.
 */
#ifndef FEATURES
#define FEATURES 0xd /* UART, INPUT, SIGNALS */
#endif
#ifndef LEAST_MEMORY
#define LEAST_MEMORY 0x180000
#endif
    .section .note.guest, "a", @note
    .long 4, 4, 18              /* Xen, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long guest_entry
    .long 5, 16, 1              /* hull, HULL_NOTE_IMAGE */
    .asciz "hull"
    .balign 4
    .long 1, FEATURES
    .quad LEAST_MEMORY

    .section .text.entry, "ax", @progbits
    .code32
    .globl guest_entry
guest_entry:
    movl $stack_end, %esp
    movl $(pdpt + 3), %eax
    movl %eax, pml4
    movl $0x83, pdpt            /* present, writable, 1 GiB page */
    movl $pml4, %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $0x20, %eax             /* PAE */
    movl %eax, %cr4
    movl $0xc0000080, %ecx      /* EFER.LME */
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax       /* paging */
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $8, $long_mode
    .code64
long_mode:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %ebx, %edi
    call guest_main
1:  hlt
    jmp 1b

    .section .rodata
    .balign 8
gdt: .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdt_pointer: .word 23
    .long gdt

    .bss
    .balign 4096
pml4: .skip 4096
pdpt: .skip 4096
    .skip 8192
stack_end:

/*
 * PVH entry (Xen docs/misc/pvh.pandoc): 32-bit protected mode, paging off, %ebx = physical address of hvm_start_info.
 * The image lies at its link address. This file turns long mode on with boot tables (4 GiB of identity map, the same at
 * DIRECT_MAP), calls arch_boot() there, and continues at the slid address that it returned, on the kernel stack.
 * The boot tables' top is the root that stays.
 */
#include "memory_map.h"

    .section .note.Xen, "aR", @note
    .balign 4
    .long 4, 8, 18              /* name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad hull_pvh_entry

    .section .text.hull_pvh_entry, "ax", @progbits
    .globl hull_pvh_entry
    .hidden hull_pvh_entry
    .code32
hull_pvh_entry:
    cld
    leal 4(%ebx), %esp          /* the magic number's four bytes serve as the stack of one call */
    call 0f
0:  popl %ebp
    leal arch_boot_tables - 0b(%ebp), %edi
    leal arch_stacks + (STACK_FAULT + 1) * 4096 - 0b(%ebp), %esp

    leal 0x1003(%edi), %eax     /* PML4: entry 0 and DIRECT_MAP's */
    movl %eax, (%edi)
    movl %eax, ((DIRECT_MAP >> 39) & 511) * 8(%edi)
    xorl %ecx, %ecx             /* PDPT: 4 entries */
1:  addl $0x1000, %eax
    movl %eax, 0x1000(%edi, %ecx, 8)
    incl %ecx
    cmpl $4, %ecx
    jb 1b
    movl $0x83, %eax            /* PDs: 2048 pages of 2 MiB */
    xorl %ecx, %ecx
2:  movl %eax, 0x2000(%edi, %ecx, 8)
    incl %ecx
    addl $0x200000, %eax
    jnc 2b

    movl %edi, %cr3
    movl $0x20, %eax            /* CR4.PAE */
    movl %eax, %cr4
    movl $0xc0000080, %ecx      /* EFER: SCE, LME, NXE */
    rdmsr
    orl $0x901, %eax
    wrmsr
    movl $0x80010033, %eax      /* CR0: PG, WP, NE, ET, MP, PE */
    movl %eax, %cr0

    leal arch_gdt - 0b(%ebp), %eax
    pushl %eax
    subl $2, %esp
    movw $39, (%esp)
    lgdt (%esp)
    leal 3f - 0b(%ebp), %eax
    pushl $SELECTOR_CODE
    pushl %eax
    lretl
    .code64
3:  movl $SELECTOR_DATA, %eax
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %ebx, %edi
    leaq arch_stacks + (STACK_FAULT + 1) * 4096(%rip), %rsp
    xorl %ebp, %ebp
    call arch_boot              /* the new root in %rax; arch_slide is set */
    movq %rax, %cr3
    leaq arch_stacks + (STACK_KERNEL + STACK_KERNEL_PAGES) * 4096(%rip), %rcx
    movq arch_slide(%rip), %rdx
    leaq 4f(%rip), %rsi
    addq %rdx, %rsi
    jmp *%rsi
4:  leaq (%rcx, %rdx), %rsp
    call arch_main
    ud2

    .section .bss.arch_stacks, "aw", @nobits
    .balign 4096
    .globl arch_stacks
    .hidden arch_stacks
arch_stacks:
    .skip STACK_PAGES * 4096
    .globl arch_boot_tables
    .hidden arch_boot_tables
arch_boot_tables:               /* PML4, PDPT, four PDs; zero but for what is written above (x86-64's ABI: bss is zero) */
    .skip 6 * 4096
    .section .note.GNU-stack, "", @progbits

/*
 * The boot loader of exported disks and CDs, up to its C half: what a PC BIOS starts (one sector at 0x7c00, 16-bit real mode, drive number in %dl;
 * of a CD, by El Torito, all sectors at once), and the way back into the BIOS for each of its calls. All of it lies below 64 KiB, where offsets are addresses.
 *
 * Sector 0: reads the other sectors with INT 13h AH=42h (Enhanced Disk Drive Specification 3.0). Sector 1 begins with the table that the exporter fills in
 * (layout.ts): where kernel and boot module are on the disk.
 */
#define LOADER_SECTORS 16
#define SELECTOR_CODE32 0x08
#define SELECTOR_DATA32 0x10
#define SELECTOR_CODE16 0x18
#define SELECTOR_DATA16 0x20

    .section .text.start, "ax", @progbits
    .code16
    .globl start
start:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $start, %sp
    ljmp $0, $1f
1:  sti
    movb %dl, drive
    cmpb $0, is_whole
    jne more
    movw $packet, %si
    movb $0x42, %ah
    int $0x13
    jnc more
    movw $text, %si
2:  lodsb
    testb %al, %al
    jz 3f
    movb $0x0e, %ah
    xorw %bx, %bx
    int $0x10
    jmp 2b
3:  hlt
    jmp 3b

text:
    .asciz "hull: the disk cannot be read\r\n"
    .balign 4
packet:                         /* size, sectors, to offset:segment, from sector */
    .byte 16, 0
    .word LOADER_SECTORS - 1, start + 512, 0
    .quad 1
    .globl drive
drive:
    .byte 0
    .org 0x1b7
is_whole:                       /* 1: the firmware brought every sector (El Torito) */
    .byte 0
    .org 0x1fe                  /* 0x1b8: the disk's signature and partitions, the exporter's */
    .word 0xaa55

    .globl layout
layout:
    .asciz "HULLDSK"
    .skip 5 * 8

more:
    movw $0x2401, %ax           /* A20, by the BIOS and by the chipset: real machines know one of them */
    int $0x15
    inb $0x92, %al
    orb $2, %al
    andb $0xfe, %al
    outb %al, $0x92
    cli
    movl $__bss_start, %edi
    movl $__bss_end, %ecx
    subl %edi, %ecx
    xorl %eax, %eax
    rep stosb
    lgdtl table
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    movzwl %sp, %esp
    ljmpl $SELECTOR_CODE32, $4f
    .code32
4:  call load_segments
    call loader_main            /* the kernel's entry */
    movl $start_info, %ebx
    jmp *%eax

load_segments:                  /* clobbers %ecx */
    movl $SELECTOR_DATA32, %ecx
    movl %ecx, %ds
    movl %ecx, %es
    movl %ecx, %ss
    movl %ecx, %fs
    movl %ecx, %gs
    ret

/* void bios_call(uint8_t vector): one BIOS call with, and then back in, `registers`. Interrupts are on in the BIOS only. */
    .globl bios_call
bios_call:
    pushl %ebp
    pushl %ebx
    pushl %esi
    pushl %edi
    movb 20(%esp), %al
    movb %al, vector
    ljmp $SELECTOR_CODE16, $5f
    .code16
5:  movw $SELECTOR_DATA16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs
    movl %cr0, %eax
    andl $~1, %eax
    movl %eax, %cr0
    ljmp $0, $6f
6:  xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs
    lidtl real_table
    movl registers, %eax
    movl registers + 4, %ebx
    movl registers + 8, %ecx
    movl registers + 12, %edx
    movl registers + 16, %esi
    movl registers + 20, %edi
    sti
    .byte 0xcd                  /* int */
vector:
    .byte 0
    cli
    movl %eax, %cs:registers
    pushfl
    popl %eax
    movl %eax, %cs:registers + 24
    xorw %ax, %ax
    movw %ax, %ds
    movl %ebx, registers + 4
    movl %ecx, registers + 8
    movl %edx, registers + 12
    movl %esi, registers + 16
    movl %edi, registers + 20
    cld
    lgdtl table
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $SELECTOR_CODE32, $7f
    .code32
7:  call load_segments
    popl %edi
    popl %esi
    popl %ebx
    popl %ebp
    ret

    .balign 8
segments:                       /* none; 32-bit code and data of 4 GiB; 16-bit code and data of 64 KiB */
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00009b000000ffff, 0x000093000000ffff
table:
    .word 5 * 8 - 1
    .long segments
real_table:
    .word 0x3ff
    .long 0
    .section .note.GNU-stack, "", @progbits

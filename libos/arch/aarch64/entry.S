/*
 * Entry by the Linux Image protocol (Linux, Documentation/arch/arm64/booting.rst): MMU off, x0 = physical address of the device tree, at EL1.
 * The file in memory is packed: text, constants, data and an embedded program follow each other at 16-byte steps. This file moves them to
 * pages of their own, zeroes bss, turns the MMU on with boot tables (the first 4 GiB, identity and at DIRECT_MAP), calls arch_boot() there,
 * and continues at the slid address that it returned, on the kernel stack.
 *
 * The exception vectors begin at the image's first byte, too: the libOS and its program run on SP_EL1, whose vectors are at 0x200. Those of
 * SP_EL0, on which exceptions begin, are the header's place: an exception there is one within the handler, and ends the machine.
 */
#include "memory_map.h"

#define TCR 0x2b5103510 /* 48-bit halves, 4 KiB granules, cached and inner shareable walks, 40 bits of physical address */
#define SCTLR 0x30d0180d /* reserved ones, I, SA, C, M */

    .section .text.hull_image_entry, "ax", @progbits
    .globl hull_image_entry
    .hidden hull_image_entry
    .balign 2048
hull_image_entry:
    b 1f
    .long 0
    .quad 0x1000                            /* text offset */
    .quad hull_image_end - hull_image_entry /* image size: effective */
    .quad 0xa                               /* little-endian, 4 KiB pages, anywhere */
    .quad 0                                 /* where the last segment lies in the file: boot/qemu/linux-image.ts */
    .quad 0, 0
    .ascii "ARM\x64"
    .long 0
1:  mrs x1, sctlr_el1
    tbnz x1, #0, arch_lost
    mov x19, x0

    adr x4, hull_image_entry
    ldr x3, [x4, #32]
    add x3, x3, x4
    adrp x1, hull_program_start             /* highest first: each moves up, over nothing that is still needed. Empty where no program is embedded */
    adrp x2, hull_program_end
    add x2, x2, :lo12:hull_program_end
    bl move_up
    adrp x1, hull_data_start
    adrp x2, hull_bss_start
    add x2, x2, :lo12:hull_bss_start
    adrp x3, hull_data_packed
    add x3, x3, :lo12:hull_data_packed
    bl move_up
    adrp x1, hull_rodata_start
    adrp x2, hull_rodata_end
    add x2, x2, :lo12:hull_rodata_end
    adrp x3, hull_rodata_packed
    add x3, x3, :lo12:hull_rodata_packed
    bl move_up
    adrp x1, hull_bss_start
    add x1, x1, :lo12:hull_bss_start
    adrp x2, hull_program_start
2:  cmp x1, x2
    b.hs 3f
    strb wzr, [x1], #1
    b 2b

3:  adrp x1, arch_boot_tables               /* four blocks of 1 GiB: devices, RAM */
    add x2, x1, #TABLE_DIRECT * 4096
    movz x3, #PTE_BLOCK | PTE_USED | PTE_DEVICE
    movk x3, #0x60, lsl #48                 /* no execution */
    str x3, [x2]
    mov x3, #PTE_BLOCK | PTE_NORMAL
    mov x4, #0x40000000
    orr x3, x3, x4
    str x3, [x2, #8]
    add x3, x3, x4
    str x3, [x2, #16]
    add x3, x3, x4
    str x3, [x2, #24]
    orr x2, x2, #PTE_TABLE
    str x2, [x1, #((DIRECT_MAP >> 39) & 511) * 8]
    add x3, x1, #TABLE_LOWER * 4096
    str x2, [x3]
    msr ttbr1_el1, x1
    msr ttbr0_el1, x3
    mov x1, #0x04ff                         /* attribute 0: write-back; 1: device, early acknowledgement */
    msr mair_el1, x1
    ldr x1, =TCR
    msr tcr_el1, x1
    mov x1, #3 << 20                        /* floating point and vectors do not trap */
    msr cpacr_el1, x1
    adr x1, hull_image_entry
    msr vbar_el1, x1
    isb
    tlbi vmalle1
    dsb sy
    ldr x1, =SCTLR
    msr sctlr_el1, x1
    isb
    msr spsel, #1
    adrp x1, arch_stacks + (STACK_FAULT + 1) * 4096
    mov sp, x1
    mov x29, #0
    mov x0, x19
    bl arch_boot                            /* arch_slide is set; gives the image's address less where it is */
    adrp x1, arch_stacks + (STACK_KERNEL + STACK_KERNEL_PAGES) * 4096
    adrp x2, arch_stacks + (STACK_FAULT + 1) * 4096
    adr x3, hull_image_entry
    adr x4, 5f
    add x1, x1, x0
    add x2, x2, x0
    add x3, x3, x0
    add x4, x4, x0
    mov sp, x1
    msr vbar_el1, x3
    msr spsel, #0
    mov sp, x2
    msr spsel, #1
    isb
    br x4
5:  b arch_main

    /* Moves what lies packed at x3 to [x1, x2), from the end. Clobbers x2, x4, x5. */
move_up:
    add x2, x2, #15
    and x2, x2, #-16
    sub x4, x2, x1
    add x3, x3, x4
6:  cmp x2, x1
    b.ls 7f
    ldp x4, x5, [x3, #-16]!
    stp x4, x5, [x2, #-16]!
    b 6b
7:  ret

    /* PSCI (Arm DEN 0022) SYSTEM_OFF. */
    .globl arch_lost
    .hidden arch_lost
arch_lost:
    mov w0, #8
    movk w0, #0x8400, lsl #16
    hvc #0
8:  wfi
    b 8b

    .ltorg
    .org hull_image_entry + 0x200           /* synchronous, on SP_EL1 */
    b arch_trap_entry
    /* The end of a trap, below. */
arch_trap_return:
    ldp x30, x0, [sp, #240]
    msr spsel, #1
    mov sp, x0
    msr spsel, #0
    ldp x1, x2, [sp, #FRAME_PC]
    msr elr_el1, x1
    msr spsr_el1, x2
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x19, [sp, #144]
    ldp x20, x21, [sp, #160]
    ldp x22, x23, [sp, #176]
    ldp x24, x25, [sp, #192]
    ldp x26, x27, [sp, #208]
    ldp x28, x29, [sp, #224]
    ldp x0, x1, [sp]
    add sp, sp, #FRAME_SIZE
    eret
    .org hull_image_entry + 0x280           /* interrupt: a syndrome of 0, which no exception has (ESR_EL1.IL is 1 where EC is 0) */
    .globl arch_interrupt_entry, arch_trap_entry
    .hidden arch_interrupt_entry, arch_trap_entry
arch_interrupt_entry:
    msr esr_el1, xzr
/*
 * Trap entry and return. All registers go to a struct trap_frame on SP_EL0's stack; arch_trap_place() says where it is handled, and may have moved it to
 * the interrupted stack; arch_trap() handles it. Then everything is restored from the frame, by way of SP_EL0's stack again. What fits lies between the vectors.
 */
    .hidden arch_trap_place, arch_trap
arch_trap_entry:
    msr spsel, #0
    sub sp, sp, #FRAME_SIZE
    stp x0, x1, [sp, #0]
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    msr spsel, #1
    mov x0, sp
    msr spsel, #0
    stp x30, x0, [sp, #240]
    mrs x1, elr_el1
    mrs x2, spsr_el1
    stp x1, x2, [sp, #FRAME_PC]
    mrs x1, esr_el1
    mrs x2, far_el1
    stp x1, x2, [sp, #FRAME_SYNDROME]
    mov x0, sp
    bl arch_trap_place                      /* gives the frame to go on with */
    mov x19, sp
    cmp x0, x19
    b.eq 1f                                 /* it stays here */
    add sp, sp, #FRAME_SIZE
    msr spsel, #1
    mov sp, x0
1:  mov x19, x0
    bl arch_trap
    mov x0, x19
    .globl arch_trap_leave
    .hidden arch_trap_leave
arch_trap_leave:                            /* x0: the frame */
    msr spsel, #0                           /* interrupts are off: nothing else is on that stack, but for a frame that stayed */
    mov x1, sp
    cmp x0, x1
    b.eq arch_trap_return
    sub sp, sp, #FRAME_SIZE
    mov x3, #FRAME_SIZE
2:  sub x3, x3, #8
    ldr x4, [x0, x3]
    str x4, [x1, #-8]!
    cbnz x3, 2b
    b arch_trap_return
    .org hull_image_entry + 0x380           /* system error */
    b arch_trap_entry

    .section .text.arch_return_to_program, "ax", @progbits
    .globl arch_return_to_program
    .hidden arch_return_to_program
arch_return_to_program:                     /* in: x0 frame */
    msr daifset, #2
    b arch_trap_leave

    .section .bss.arch_stacks, "aw", @nobits
    .balign 4096
    .globl arch_stacks
    .hidden arch_stacks
arch_stacks:
    .skip STACK_PAGES * 4096
    .globl arch_boot_tables
    .hidden arch_boot_tables
arch_boot_tables:
    .skip TABLE_PAGES * 4096
    .section .note.GNU-stack, "", @progbits

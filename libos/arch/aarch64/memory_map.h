/*
 * The one memory map of AArch64. Used from C and assembly. 4 KiB pages, 48-bit addresses: TTBR0 has the lower half, TTBR1 the upper.
 *
 *   0x0000000000000000  unmapped (the null page and, in a fresh machine, the whole lower half)
 *   … PROGRAM_END       the program: its heap, mappings, stack
 *   DIRECT_MAP          devices (the first GiB of the physical map) and RAM (up to three more; read-only without page allocator, else where it shows the image's text and constants) at DIRECT_MAP + physical address; never executable
 *   STACK_AREA          kernel stacks of threads, each with an unmapped page below it
 *   IMAGE_WINDOW        the image at IMAGE_WINDOW + slide; the top 2 GiB
 */
#ifndef HULL_ARCH_MEMORY_MAP_H
#define HULL_ARCH_MEMORY_MAP_H
#define PROGRAM_END 0x0000fffffffff000
#define DIRECT_MAP 0xffff800000000000
#define DIRECT_MAP_END 0x100000000 /* physical */
#define DEVICES_END 0x40000000 /* physical */
#define STACK_AREA 0xffffc00000000000
#define IMAGE_WINDOW 0xffffffff80000000
#define IMAGE_WINDOW_SIZE 0x80000000

/* Stacks of the boot CPU, in the image's bss (page numbers from arch_stacks). Guard pages get no mapping. */
#define STACK_GUARD_0 0
#define STACK_FAULT 1   /* where exceptions begin: SP_EL0 */
#define STACK_GUARD_1 2
#define STACK_KERNEL 3  /* the boot thread's */
#define STACK_KERNEL_PAGES 4
#define STACK_PAGES 7

/* Pages of arch_boot_tables. */
#define TABLE_UPPER 0   /* TTBR1's top table */
#define TABLE_DIRECT 1  /* the first 4 GiB of the physical map, in blocks of 1 GiB */
#define TABLE_LOWER 2   /* TTBR0's top table */
#define TABLE_PAGES 3

/* Descriptors (Arm Architecture Reference Manual, D8.3). Attribute 0 is normal memory, 1 device memory (MAIR_EL1 in entry.S). */
#define PTE_VALID 1
#define PTE_TABLE 3
#define PTE_PAGE 3
#define PTE_BLOCK 1
#define PTE_DEVICE 0x4
#define PTE_READ_ONLY 0x80
#define PTE_SHARED 0x300
#define PTE_USED 0x400
#define PTE_NO_EXEC 0x60000000000000 /* PXN, UXN */
#define PTE_KEPT 0x80000000000000 /* software: a page with protection 0 */
#define PTE_ADDRESS 0x0000fffffffff000
#define PTE_NORMAL (PTE_SHARED | PTE_USED)

/* struct trap_frame (arch_inline.h). */
#define FRAME_SP 248
#define FRAME_PC 256
#define FRAME_SYNDROME 272
#define FRAME_ADDRESS 280
#define FRAME_SIZE 288
#endif

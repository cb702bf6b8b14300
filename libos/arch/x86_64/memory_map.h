/*
 * The one memory map of x86-64. Used from C and assembly.
 *
 *   0x0000000000000000  unmapped (the null page and, in a fresh machine, the whole lower half)
 *   … PROGRAM_END       the program: its executable, heap, mappings, stack
 *   DIRECT_MAP          all RAM at DIRECT_MAP + physical address, devices too; never executable. In images without the page
 *                       allocator: the first 4 GiB, read-only
 *   STACK_AREA          kernel stacks of further threads, with unmapped pages between them
 *   IMAGE_WINDOW        the image at IMAGE_WINDOW + slide + link address; the top 2 GiB
 */
#ifndef HULL_ARCH_MEMORY_MAP_H
#define HULL_ARCH_MEMORY_MAP_H
#define PROGRAM_END 0x00007ffffffff000
#define DIRECT_MAP 0xffff800000000000
#define STACK_AREA 0xffffff8000000000
#define IMAGE_WINDOW 0xffffffff80000000
#define IMAGE_WINDOW_SIZE 0x80000000

/* Stacks of the boot CPU, in the image's bss (page numbers from arch_stacks). Guard pages get no mapping. */
#define STACK_GUARD_0 0
#define STACK_FAULT 1   /* IST 1: exceptions */
#define STACK_GUARD_1 2
#define STACK_IRQ 3     /* IST 2: interrupts, double fault, NMI, machine check */
#define STACK_GUARD_2 4
#define STACK_KERNEL 5  /* system calls and page-fault work */
#define STACK_KERNEL_PAGES 4
#define STACK_PAGES 9

#define SELECTOR_CODE 8
#define SELECTOR_DATA 16
#define SELECTOR_TSS 24
#endif

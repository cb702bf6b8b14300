/* Private to libos/arch/aarch64. */
#ifndef HULL_ARCH_INTERNAL_H
#define HULL_ARCH_INTERNAL_H
#include "abi/boot_abi.h"
#include "arch/arch.h"
#pragma GCC visibility push(hidden)
extern char arch_stacks[];
extern uint64_t arch_boot_tables[];
extern uint64_t boot_module_phys, boot_module_size, boot_command_line_phys;
extern uint64_t arch_uart_phys; /* 0: none */
extern uint64_t arch_tree_phys;

/* The CPU's own: what the entries need without looking further. One CPU today. Offsets are used in assembly. */
struct arch_cpu {
    uintptr_t stack_bottom, stack_top; /* of the current thread */
    uintptr_t call_frame;              /* stack_top less a struct trap_frame */
};
extern struct arch_cpu arch_cpu;

#define TIMER_LINE 27 /* the virtual timer's: PPI 11 (Arm Base System Architecture; Linux, arm,arch_timer.yaml) */
/* By `interrupt`: the virtual timer interrupts when the counter has come to `cycles`. */
void arch_timer_set(uint64_t cycles);
/* The entry of a level (0: of a page) for an address; NULL: no table, or no memory for one. In the component memory. */
uint64_t *paging_entry(arch_root root, uintptr_t virt, unsigned level, bool create);
/* By `memory` (switch.S). */
void arch_fpu_save(struct arch_fpu *fpu);
void arch_fpu_load(const struct arch_fpu *fpu);
/* In the component vm: 0 when an exception was a page fault and is done with; what it becomes: signal << 8 | si_code; -1 when it was none. */
int arch_page_fault(struct trap_frame *frame);
_Noreturn void arch_lost(void); /* switches the machine off (entry.S) */

/* Exception classes (ESR_EL1.EC). */
enum { CLASS_FETCH = 0x21, CLASS_PC = 0x22, CLASS_DATA = 0x25, CLASS_SP = 0x26, CLASS_FLOATING = 0x2c, CLASS_BREAK = 0x3c };
#pragma GCC visibility pop
#endif

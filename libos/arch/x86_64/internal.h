/* Private to libos/arch/x86_64. */
#ifndef HULL_ARCH_INTERNAL_H
#define HULL_ARCH_INTERNAL_H
#include "abi/boot_abi.h"
#include "arch/arch.h"
#pragma GCC visibility push(hidden)

/* The entry for virt at `level` (0: 4 KiB page … 3: PML4), tables made on the way when `create`. NULL: none, or no memory, or a large page. */
uint64_t *paging_entry(arch_root root, uintptr_t virt, unsigned level, bool create);
extern arch_root arch_boot_root;

extern char arch_stacks[], arch_boot_tables[];
extern uint64_t arch_gdt[];
extern char arch_trap_stubs[];

/* The CPU's own: what the entries need without looking further. One CPU today. Offsets are used in assembly. */
struct arch_cpu {
    uintptr_t stack_bottom, stack_top; /* of the current thread */
    uintptr_t program_sp;              /* scratch of the system-call entry */
    uintptr_t call_frame;              /* stack_top less a struct trap_frame */
};
extern struct arch_cpu arch_cpu;

void arch_gate_set(unsigned vector, const void *entry, unsigned ist);
bool arch_random64(uint64_t *out);

/* Boot information that arch_boot left. */
extern uint64_t boot_module_phys, boot_module_size, boot_command_line_phys;
#pragma GCC visibility pop
#endif

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
_Noreturn void arch_lost(void); /* switches the machine off (entry.S) */

/* What a fault looked like: the payload of HULL_RECORD_FAULT. */
#define FAULT_IN_LIBOS 0x100
struct fault_report {
    uint64_t slide, address, kind;
    struct trap_frame frame;
    uint64_t stack[HULL_FAULT_STACK]; /* from the interrupted stack pointer, or the next page, up */
};
#pragma GCC visibility pop
#endif

/*
 * The stack of a linked program: 8 MiB of address space at a random place near the top of the lower half, with nothing mapped
 * around it. With the vm component pages come when they are touched. Without it, early boot made the stack of free memory,
 * up to that size: nothing else needs the memory (arch/x86_64/boot.c).
 */
#include "arch/arch.h"
#include "linked/internal.h"
#include "memory/memory.h"
#include "vm/vm.h"

#pragma GCC visibility push(hidden)
#pragma weak vm_map
#pragma weak vm_space_first
uint64_t boot_random64(void);
uintptr_t linked_stack_top;
#pragma GCC visibility pop

#define STACK_SIZE (8ul << 20)

uintptr_t linked_stack_create(void) {
    if (vm_map) {
        linked_stack_top = PROGRAM_END - (boot_random64() % (1ul << 21) << PAGE_SHIFT);
        vm_map(vm_space_first(), linked_stack_top - STACK_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE, VM_NORESERVE, NULL, 0);
    }
    return linked_stack_top;
}

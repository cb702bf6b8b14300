/*
 * The stack of a linked program: 8 MiB of address space at a random place near the top of the lower half, with nothing mapped
 * around it. Pages come when they are touched: from the vm component where that is in the image, else from the vm_fault() here.
 */
#include "arch/arch.h"
#include "linked/internal.h"
#include "memory/memory.h"
#include "vm/vm.h"

#pragma GCC visibility push(hidden)
#pragma weak vm_map
#pragma weak vm_space_first
uint64_t boot_random64(void);
#pragma GCC visibility pop

#define STACK_SIZE (8ul << 20)

static uintptr_t stack_top;

uintptr_t linked_stack_create(void) {
    stack_top = PROGRAM_END - (boot_random64() % (1ul << 21) << PAGE_SHIFT);
    if (vm_map)
        vm_map(vm_space_first(), stack_top - STACK_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE, VM_NORESERVE, NULL, 0);
    return stack_top;
}

/* Only where vm is absent, whose strong definition wins: the stack is then all that the lower half has. */
__attribute__((weak)) bool vm_fault(struct trap_frame *frame, uintptr_t address, unsigned error) {
    (void)frame, (void)error;
    void *page;
    if (stack_top - 1 - address >= STACK_SIZE || error & 1 || !(page = page_alloc_zeroed()))
        return false;
    return arch_map(arch_boot_root, address & -PAGE_SIZE, virt_to_phys(page), MAP_READ | MAP_WRITE) == 0;
}

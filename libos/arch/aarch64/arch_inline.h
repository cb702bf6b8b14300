/*
 * AArch64's part of arch.h: what must be inline, the saved register layouts, and the doors between program and libOS.
 * Included by arch.h only.
 */
#ifndef HULL_ARCH_INLINE_H
#define HULL_ARCH_INLINE_H
#include "memory_map.h"

/* Everything that a trap saves, in memory order. */
struct trap_frame {
    uint64_t x[31], sp, pc, pstate;
    uint64_t syndrome, address; /* ESR_EL1, FAR_EL1 */
};

/* A thread's part that the ISA owns. */
struct arch_thread {
    uintptr_t stack_bottom, stack_top; /* kernel stack */
    uintptr_t saved_sp;                /* while switched away */
};

/* Of a fault, as vm_fault gets it: MAP_READ, MAP_WRITE or MAP_EXEC. */
static inline unsigned arch_fault_access(unsigned access) { return access; }
static inline uintptr_t arch_frame_pc(const struct trap_frame *frame) { return frame->pc; }

static inline bool arch_entry_used(arch_entry entry) { return entry & (PTE_VALID | PTE_KEPT); }
static inline uint64_t arch_entry_page(arch_entry entry) { return entry & PTE_ADDRESS; }
static inline unsigned arch_entry_protection(arch_entry entry) {
    if (!(entry & PTE_VALID)) return 0;
    return MAP_READ | (entry & PTE_READ_ONLY ? 0u : MAP_WRITE) | (entry & PTE_NO_EXEC ? 0u : MAP_EXEC) | (entry & PTE_DEVICE ? MAP_DEVICE : 0u);
}
static inline arch_entry arch_entry_make(uint64_t page, unsigned prot) {
    return page | (prot & MAP_DEVICE ? PTE_DEVICE | PTE_USED : PTE_NORMAL) | (prot & (MAP_READ | MAP_WRITE | MAP_EXEC) ? PTE_PAGE : PTE_KEPT) |
           (prot & MAP_WRITE ? 0 : PTE_READ_ONLY) | (prot & MAP_EXEC ? 0 : PTE_NO_EXEC);
}

static inline unsigned long arch_irq_save(void) {
    unsigned long state;
    __asm__ volatile("mrs %0, daif\n\tmsr daifset, #2" : "=r"(state)::"memory");
    return state;
}
static inline void arch_irq_restore(unsigned long state) { __asm__ volatile("msr daif, %0" ::"r"(state) : "memory"); }
static inline void arch_pause(void) { __asm__ volatile("yield" ::: "memory"); } /* in a loop that waits for a device */
static inline void *phys_to_virt(uint64_t phys) { return (void *)(phys + DIRECT_MAP); }

extern uintptr_t arch_slide;        /* the running image's address minus its link address */
extern uintptr_t arch_image_offset; /* and minus where it is in memory */
static inline uint64_t virt_to_phys(const void *address) {
    uintptr_t virt = (uintptr_t)address;
    return virt >= IMAGE_WINDOW ? virt - arch_image_offset : virt - DIRECT_MAP;
}

extern arch_root arch_boot_root; /* the page tables made at boot: the lower half's */
extern uint32_t arch_work; /* nonzero: the way out to the program has something to do (deferred work, a signal) */
/* Whether an emulator that translates code runs this machine: nothing tells. */
static inline bool arch_translates_code(void) { return false; }

/* Calls the C library's hull_linked_start(stack, random) on that stack, interrupts on: the way into a linked program. */
_Noreturn void arch_enter_linked(long *stack, const uint64_t *random);

/* Copies with fault recovery: bytes NOT copied (0: all). Used by user_copy_in and user_copy_out. */
size_t arch_copy_faultable(void *to, const void *from, size_t size);

/* Before the program runs on, interrupts off: runs what waits for the way out to it. */
void arch_work_run(struct trap_frame *frame);
/* Delivers pending signals by changing the frame. */
void signal_deliver(struct trap_frame *frame);
/* Turns a fault of the program into a signal that the frame then runs; false when the program has no handler. */
bool signal_raise_fault(struct trap_frame *frame, int signo, int code, uintptr_t address);

/* In the component vm: a fault of the program's half; access: arch_fault_access. False: vm_fault_reason says why (vm/vm.h). */
bool vm_fault(struct trap_frame *frame, uintptr_t address, unsigned access);

/* True for addresses of libOS text (the linker keeps it apart from the program's). */
bool arch_in_libos(uintptr_t pc);
#endif

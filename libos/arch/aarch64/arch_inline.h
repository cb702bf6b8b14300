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

#define PSTATE_PROGRAM 0x345ul /* EL1 on SP_EL1, interrupts on; debug, system error and fast interrupts off */
/* Of a system call's frame: in `syndrome`; and `address` then holds the first argument, since x0 becomes the result's. */
#define TRAP_ERROR_SYSCALL (~0ul)
static inline void arch_frame_set_result(struct trap_frame *frame, long result) { frame->x[0] = (uint64_t)result; }
static inline void arch_frame_set_stack(struct trap_frame *frame, uintptr_t sp) { frame->sp = sp; }
static inline uintptr_t arch_frame_stack(const struct trap_frame *frame) { return frame->sp; }
/* TRAP_ERROR_SYSCALL, or what else the frame is of. */
static inline uint64_t arch_frame_origin(const struct trap_frame *frame) { return frame->syndrome; }

/* Defines sys_<name> of a binary image as a call of `static long frame_<name>(struct trap_frame *frame)` with all of the program's registers
 * (x8: the call's number). The result goes to the program's x0; to change other registers, end with arch_return_to_program(). */
#define SYSCALL_WITH_FRAME(name)                                                                                        \
    __asm__(".pushsection .text.sys_" #name ",\"ax\",@progbits\n.globl sys_" #name "\n.hidden sys_" #name                 \
            "\nsys_" #name ": adrp x9, frame_" #name "\nadd x9, x9, :lo12:frame_" #name "\nb arch_syscall_with_frame\n.popsection"); \
    __attribute__((used)) long frame_##name(struct trap_frame *frame)

/* The whole body of a naked SYSCALL_DEFINE of a binary image: goes on in function(struct trap_frame *), as with SYSCALL_WITH_FRAME. */
#define ARCH_WITH_FRAME(function) __asm__("adrp x9, " #function "\n\tadd x9, x9, :lo12:" #function "\n\tb arch_syscall_with_frame")
/* A system call's argument, by its place. */
static inline uint64_t arch_frame_argument(const struct trap_frame *frame, unsigned index) { return index ? frame->x[index] : frame->address; }
/* Of a system call: its number; on the way out, its result. */
static inline uint64_t arch_frame_call(const struct trap_frame *frame) { return frame->x[8]; }
static inline uint64_t arch_frame_result(const struct trap_frame *frame) { return frame->x[0]; }
/* Of a system call on the way out: the program makes it anew. */
static inline void arch_frame_call_again(struct trap_frame *frame) {
    frame->x[0] = frame->address; /* the first argument */
    frame->pc -= 4;               /* the svc instruction */
}
/* Of a fault: whether the CPU told an address (ESR_EL1.EC: an abort). */
static inline bool arch_frame_has_address(const struct trap_frame *frame) { return (frame->syndrome >> 26 & 0x3b) == 0x21; }

/* Registers of floating point and vectors, as a signal frame's record of them: struct fpsimd_context. */
struct arch_fpu { uint32_t magic, size, status, control; uint64_t v[64]; } __attribute__((aligned(16)));

/* A thread's part that the ISA owns. */
struct arch_thread {
    uintptr_t stack_bottom, stack_top; /* kernel stack: system calls, page-fault work */
    uintptr_t saved_sp;                /* while switched away: where arch_switch left its registers */
    uint64_t tls;                      /* TPIDR_EL0 */
    struct arch_fpu *fpu;              /* needed only to switch threads */
};

static inline void arch_thread_set_tls(struct arch_thread *thread, uintptr_t pointer) { thread->tls = pointer; }
static inline struct trap_frame *arch_thread_frame(const struct arch_thread *thread) { return (struct trap_frame *)thread->stack_top - 1; }

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

/* Whether an emulator that translates code runs this machine: nothing tells. */
static inline bool arch_translates_code(void) { return false; }
#endif

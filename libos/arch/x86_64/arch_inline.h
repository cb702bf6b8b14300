/*
 * x86-64's part of arch.h: what must be inline, the saved register layouts, and the doors between program and libOS.
 * Included by arch.h only.
 */
#ifndef HULL_ARCH_INLINE_H
#define HULL_ARCH_INLINE_H
#include "memory_map.h"

/* Everything that a trap saves, in memory order. A system call's fast path fills r11..rax, rip, rflags and rsp only;
 * the rest is added when someone needs the whole (arch_work_run, SYSCALL_WITH_FRAME). */
struct trap_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
    uint64_t vector; /* for system calls: the call's number */
    uint64_t error;  /* the CPU's error code; TRAP_ERROR_SYSCALL for system calls */
    uint64_t rip, cs, rflags, rsp, ss;
};

#define TRAP_ERROR_SYSCALL (~0ul)
static inline void arch_frame_set_result(struct trap_frame *frame, long result) { frame->rax = (uint64_t)result; }
static inline void arch_frame_set_stack(struct trap_frame *frame, uintptr_t sp) { frame->rsp = sp; }
static inline uintptr_t arch_frame_stack(const struct trap_frame *frame) { return frame->rsp; }
/* TRAP_ERROR_SYSCALL, or what else the frame is of. */
static inline uint64_t arch_frame_origin(const struct trap_frame *frame) { return frame->error; }

/* Defines sys_<name> of a binary image as a call of `static long frame_<name>(struct trap_frame *frame)` with all of the program's registers
 * (rax: the call's number). The result goes to the program's rax; to change other registers, end with arch_return_to_program(). */
#define SYSCALL_WITH_FRAME(name)                                                                                        \
    __asm__(".pushsection .text.sys_" #name ",\"ax\",@progbits\n.globl sys_" #name "\n.hidden sys_" #name                 \
            "\nsys_" #name ": leaq frame_" #name "(%rip), %rax\njmp arch_syscall_with_frame\n.popsection");             \
    __attribute__((used)) long frame_##name(struct trap_frame *frame)

/* The whole body of a naked SYSCALL_DEFINE of a binary image: goes on in function(struct trap_frame *), as with SYSCALL_WITH_FRAME. */
#define ARCH_WITH_FRAME(function) __asm__("leaq " #function "(%rip), %rax\n\tjmp arch_syscall_with_frame")
/* A system call's argument, by its place. */
static inline uint64_t arch_frame_argument(const struct trap_frame *frame, unsigned index) {
    const uint64_t all[6] = {frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9};
    return all[index];
}
/* Of a system call: its number; on the way out, its result. */
static inline uint64_t arch_frame_call(const struct trap_frame *frame) { return frame->vector; }
static inline uint64_t arch_frame_result(const struct trap_frame *frame) { return frame->rax; }
/* Of a system call on the way out: the program makes it anew. */
static inline void arch_frame_call_again(struct trap_frame *frame) {
    frame->rax = frame->vector;
    frame->rip -= 2; /* the syscall instruction */
}
static inline uintptr_t arch_frame_pc(const struct trap_frame *frame) { return frame->rip; }
/* Of a fault: whether the CPU told an address; and what was tried there, by the error code that vm_fault gets. */
static inline unsigned arch_fault_access(unsigned error) { return error & 2 ? MAP_WRITE : error & 16 ? MAP_EXEC : MAP_READ; }
static inline bool arch_frame_has_address(const struct trap_frame *frame) { return frame->vector == 14; }

/* A thread's part that the ISA owns. */
struct arch_thread {
    uintptr_t stack_bottom, stack_top; /* kernel stack: system calls, page-fault work */
    uintptr_t saved_sp;                /* while switched away: where arch_switch left its registers */
    uint64_t fs_base, gs_base;
    void *fpu;                         /* XSAVE area, 64-byte aligned; needed only to switch threads */
};

static inline void arch_thread_set_tls(struct arch_thread *thread, uintptr_t pointer) { thread->fs_base = pointer; }
static inline struct trap_frame *arch_thread_frame(const struct arch_thread *thread) { return (struct trap_frame *)thread->stack_top - 1; }

/* Page-table entries (Intel SDM volume 3, 4.5). */
#define PTE_PRESENT 0x1ul
#define PTE_WRITE 0x2ul
#define PTE_UNCACHED 0x18ul /* PCD | PWT */
#define PTE_LARGE 0x80ul
#define PTE_KEPT 0x200ul /* software: a page with protection 0 */
#define PTE_NX (1ul << 63)
#define PTE_ADDRESS 0x000ffffffffff000ul

static inline bool arch_entry_used(arch_entry entry) { return entry & (PTE_PRESENT | PTE_KEPT); }
static inline uint64_t arch_entry_page(arch_entry entry) { return entry & PTE_ADDRESS; }
static inline unsigned arch_entry_protection(arch_entry entry) {
    if (!(entry & PTE_PRESENT)) return 0;
    return MAP_READ | (entry & PTE_WRITE ? MAP_WRITE : 0u) | (entry & PTE_NX ? 0u : MAP_EXEC) | (entry & PTE_UNCACHED ? MAP_DEVICE : 0u);
}
static inline arch_entry arch_entry_make(uint64_t page, unsigned prot) {
    return page | (prot & (MAP_READ | MAP_WRITE | MAP_EXEC) ? PTE_PRESENT : PTE_KEPT) | (prot & MAP_WRITE ? PTE_WRITE : 0) |
           (prot & MAP_EXEC ? 0 : PTE_NX) | (prot & MAP_DEVICE ? PTE_UNCACHED : 0);
}

static inline unsigned long arch_irq_save(void) {
    unsigned long flags;
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags)::"memory");
    return flags;
}
static inline void arch_irq_restore(unsigned long state) {
    if (state & 0x200)
        __asm__ volatile("sti" ::: "memory");
}
static inline void arch_pause(void) { __asm__ volatile("pause" ::: "memory"); } /* in a loop that waits for a device */
static inline void *phys_to_virt(uint64_t phys) { return (void *)(phys + DIRECT_MAP); }

extern uintptr_t arch_slide; /* the running image's address minus its link (= physical) address */
static inline uint64_t virt_to_phys(const void *address) {
    uintptr_t virt = (uintptr_t)address;
    return virt >= IMAGE_WINDOW ? virt - arch_slide : virt - DIRECT_MAP;
}

static inline void port_out8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
/* One after another; gives the end of `bytes`. */
static inline const char *port_out8_many(uint16_t port, const char *bytes, size_t count) {
    __asm__ volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(port) : "memory");
    return bytes;
}
static inline void port_out16(uint16_t port, uint16_t value) { __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port)); }
static inline void port_out32(uint16_t port, uint32_t value) { __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port)); }
static inline uint8_t port_in8(uint16_t port) {
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline uint16_t port_in16(uint16_t port) {
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline uint32_t port_in32(uint16_t port) {
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline uint64_t msr_read(uint32_t number) {
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (uint64_t)high << 32 | low;
}
static inline void msr_write(uint32_t number, uint64_t value) {
    __asm__ volatile("wrmsr" ::"c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}
struct cpuid { uint32_t a, b, c, d; };
static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf) {
    struct cpuid r;
    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
    return r;
}
/* Does an emulator that translates code run this machine? QEMU's TCG says so: CPUID 0x40000000, "TCGTCGTCGTCG" (qemu/target/i386/cpu.c). */
static inline bool arch_translates_code(void) {
    struct cpuid r = cpuid(0x40000000, 0);
    return r.b == 0x54474354 && r.c == 0x43544743 && r.d == 0x47435447;
}
#endif

/*
 * What every ISA gives the rest of the libOS. Implemented in libos/arch/<isa>/.
 *
 * Interrupt rule (whole libOS): handlers are top halves. They acknowledge the device and call deferred_raise(); the work
 * itself runs from run_deferred() at safe points: in arch_idle loops, on the way out of a system call, and at the end of
 * an interrupt that stopped program text (the linker keeps program and libOS text apart, so the saved program counter tells).
 */
#ifndef HULL_ARCH_ARCH_H
#define HULL_ARCH_ARCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Interrupt flag. */
static inline unsigned long arch_irq_save(void);        /* disables, returns the previous state */
static inline void arch_irq_restore(unsigned long state);
void arch_idle(void); /* enables interrupts, sleeps until one came, disables again; run_deferred() is the caller's */

uint64_t arch_cycles(void);              /* TSC / CNTVCT */
bool arch_random64(uint64_t *out);       /* RDSEED, RDRAND, RNDR; false when the CPU has none */
[[noreturn]] void arch_power_off(void);  /* ends the machine: debug-exit when flagged, else reset by triple fault */

/* Interrupt lines. gsi: global system interrupt (IO-APIC input). Handler runs with interrupts off, on the interrupt stack. */
typedef void (*irq_handler)(void *arg);
int arch_irq_register(unsigned gsi, irq_handler handler, void *arg);
/* Message-signalled: a vector of its own; the device raises it by writing `data` to `address` (PCI MSI-X). 0 or -ENOSPC. */
int arch_irq_register_message(irq_handler handler, void *arg, uint64_t *address, uint32_t *data);

/* One-shot timer: one interrupt (calls timer_fired(), in the clock component) at or after `deadline_ns` of clock_monotonic_ns(). */
void arch_timer_arm(uint64_t deadline_ns);

/* Page tables. A root is the physical address of a top table; the libOS half (upper) is shared by all roots. */
typedef uint64_t arch_root;
enum { MAP_READ = 1, MAP_WRITE = 2, MAP_EXEC = 4, MAP_DEVICE = 8 };
arch_root arch_root_create(void);              /* 0 when out of memory */
void arch_root_destroy(arch_root root);        /* frees lower-half tables, never the pages they map */
void arch_root_switch(arch_root root);
arch_root arch_root_current(void);
int arch_map(arch_root root, uintptr_t virt, uint64_t phys, unsigned prot); /* one page; 0 or -ENOMEM; replaces */
uint64_t arch_unmap(arch_root root, uintptr_t virt); /* the physical page that was there, or 0; flushes the TLB entry */
/* The entry's page and protection; false when nothing is mapped. A protection of 0 keeps the page but makes it absent. */
bool arch_lookup(arch_root root, uintptr_t virt, uint64_t *phys, unsigned *prot);
void arch_protect(arch_root root, uintptr_t virt, unsigned prot);

/* First page at or after `start` that has an entry (any protection), or `end`. Skips absent tables: a sparse range of terabytes is cheap. */
uintptr_t arch_next_mapped(arch_root root, uintptr_t start, uintptr_t end);

void *phys_to_virt(uint64_t phys);             /* the direct map (not executable; the image's text is read-only in it) */
uint64_t virt_to_phys(const void *direct);     /* of a direct-map or image address */
void *arch_map_device(uint64_t phys, size_t size); /* uncached, NULL when out of memory */

/*
 * The program's registers where it stopped, in the order of Linux's struct pt_regs; arch_inline.h defines it. x86_64: r15 r14 r13
 * r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi call rip cs rflags rsp ss, each uint64_t. call: the system call's number, or -1
 * when it was an interrupt or an exception.
 */
struct arch_registers;
struct arch_registers *arch_call_registers(void);  /* inside a system call of a binary image: the caller's, all of them */
void arch_call_registers_changed(void);            /* ... they were edited: return through the slow path that loads them all */
[[noreturn]] void arch_enter_program(const struct arch_registers *registers); /* clean FPU state, FS base 0, interrupts on */

/*
 * Hooks that entry code calls, weak: without the component they are not there.
 * vm_fault: page fault at a lower-half address, from program text or from libOS text that touches program memory. access: MAP_READ,
 *   MAP_WRITE or MAP_EXEC. 0: resolved, retry. Else a signal: (signal << 8 | si_code). It may sleep when pages come from a file, so
 *   entry code moves off the IST stack first (to the thread's kernel stack, or below the interrupted libOS stack pointer).
 * signal_raise_fault: an exception that stays (vm_fault failed, #UD, #GP, #DE, #MF, #XM, #BP, #DB …) in program text. Queues the signal or
 *   ends the machine when its action is the default one (which prints the report).
 * signal_deliver: on the way back to program text while current_thread()->signal_pending & ~signal_mask; may rewrite registers.
 */
int vm_fault(uintptr_t address, unsigned access) __attribute__((weak));
void signal_raise_fault(struct arch_registers *registers, int signal, int code, uintptr_t address, unsigned trap, uint64_t error)
    __attribute__((weak));
void signal_deliver(struct arch_registers *registers) __attribute__((weak));

#include "arch_inline.h" /* from libos/arch/<isa>/ */
#endif

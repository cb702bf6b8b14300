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
/* What the last timer interrupt interrupted. */
enum timer_found { TIMER_FOUND_PROGRAM, TIMER_FOUND_LIBOS, TIMER_FOUND_IDLE };
extern uint8_t arch_timer_found;
extern uint64_t arch_idle_cycles; /* slept there so far (of arch_cycles(), per CPU when there are more) */

uint64_t arch_cycles(void);              /* TSC / CNTVCT */
bool arch_random64(uint64_t *out);       /* RDSEED, RDRAND, RNDR; false when the CPU has none */
_Noreturn void arch_power_off(void);  /* ends the machine: debug-exit when flagged, else reset by triple fault */

extern uint64_t arch_irq_count; /* device interrupts so far */

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

/*
 * A page's entry in its table, for who goes through many: those of the pages after it follow it in memory, up to the end of ARCH_TABLE_SPAN. A pointer to one is good until
 * the caller waits. Who changes entries that the CPU may know notes each (arch_stale_note), and has the CPU forget them (arch_stale_end) before the program runs on.
 */
typedef uint64_t arch_entry;
arch_entry *arch_entry_of(arch_root root, uintptr_t virt, bool create); /* NULL: no table, or no memory for one */
static inline bool arch_entry_used(arch_entry entry);                   /* a page, with any protection */
static inline uint64_t arch_entry_page(arch_entry entry);
static inline unsigned arch_entry_protection(arch_entry entry);
static inline arch_entry arch_entry_make(uint64_t page, unsigned prot);
struct arch_stale { bool known; unsigned count; };
struct arch_stale arch_stale_begin(arch_root root);
void arch_stale_note(struct arch_stale *stale, uintptr_t virt);
void arch_stale_end(const struct arch_stale *stale);

/* First page at or after `start` that has an entry (any protection), or `end`. Skips absent tables: a sparse range of terabytes is cheap. */
uintptr_t arch_next_mapped(arch_root root, uintptr_t start, uintptr_t end);
/* Frees the page tables that lie wholly in the range, which has no page any more. ARCH_TABLE_SPAN: what the smallest of them covers. */
#define ARCH_TABLE_SPAN (512 * 4096ul)
void arch_drop_tables(arch_root root, uintptr_t start, uintptr_t end);

static inline void *phys_to_virt(uint64_t phys);         /* the direct map (not executable; the image's text is read-only in it) */
static inline uint64_t virt_to_phys(const void *direct); /* of a direct-map or image address */
void *arch_map_device(uint64_t phys, size_t size); /* uncached, NULL when out of memory */

#include "arch_inline.h" /* from libos/arch/<isa>/: also struct trap_frame, struct arch_thread and what of a frame is what */

extern arch_root arch_boot_root; /* the page tables made at boot (AArch64: the lower half's) */
extern uint32_t arch_work;       /* nonzero: the way out to the program has something to do (deferred work, a signal). Set by whoever causes it */

/* True for addresses of libOS text (the linker keeps it apart from the program's). */
bool arch_in_libos(uintptr_t pc);
/* Copies with fault recovery: bytes NOT copied (0: all). Used by user_copy_in and user_copy_out. */
size_t arch_copy_faultable(void *to, const void *from, size_t size);

/* Into the program. */
void arch_frame_start(struct trap_frame *frame, uintptr_t pc, uintptr_t sp); /* all other registers 0, interrupts on */
/* Runs the program at pc with its stack pointer at sp, all other registers zero, interrupts on. */
_Noreturn void arch_thread_enter_program(uintptr_t pc, uintptr_t sp);
/* Calls the C library's hull_linked_start(stack, random) on that stack, interrupts on: the way into a linked program. */
_Noreturn void arch_enter_linked(long *stack, const uint64_t *random);
/* Before arch_return_to_program, interrupts off: runs what waits for the way out to the program. */
void arch_work_run(struct trap_frame *frame);
/* Continues the program as the frame says, on whose kernel stack this runs. */
_Noreturn void arch_return_to_program(struct trap_frame *frame);

/*
 * Threads. A thread's registers here are those that no frame holds: of floating point and vectors, and the thread pointer (x86-64: FS and GS base).
 * Saves the caller's state in `from`, with those registers, and continues `to` where it called this (or as arch_thread_prepare laid out). Interrupts off.
 */
void arch_switch(struct arch_thread *from, struct arch_thread *to);
/* Makes a thread whose first arch_switch runs entry(argument) on its kernel stack. 0 or -ENOMEM. */
int arch_thread_prepare(struct arch_thread *thread, void (*entry)(void *), void *argument);
/* Before a thread that was not made by arch_thread_prepare is first switched away from: 0 or -ENOMEM. */
int arch_thread_adopt(struct arch_thread *thread);
/* Gives a prepared thread those registers as the CPU has them now. */
void arch_thread_inherit(struct arch_thread *thread);
/* exec: those registers of the current thread as a new program finds them. */
void arch_thread_reset(struct arch_thread *thread);
void arch_thread_free(struct arch_thread *thread);
/* Where a prepared thread's first frame of program state lies, for arch_return_to_program; also that of a running one's system call. */
static inline struct trap_frame *arch_thread_frame(const struct arch_thread *thread);

/* Hooks that entry code calls by weak references: absent where no component of the image defines them. */
/* By `vm`: resolves a page fault of program memory; error: what arch_fault_access reads. False: vm_fault_reason says why (vm/vm.h). On the kernel stack, interrupts off. */
bool vm_fault(struct trap_frame *frame, uintptr_t address, unsigned error);
/* Turns a fault of the program into a signal that the frame then runs; false when the program has no handler. */
bool signal_raise_fault(struct trap_frame *frame, int signo, int code, uintptr_t address);
/* Delivers pending signals by changing the frame. */
void signal_deliver(struct trap_frame *frame);
/* By `exec`, for reports: translates an address inside the running program's own file to that file's address space; false elsewhere. */
bool exec_file_address(uintptr_t address, uintptr_t *in_file);
#endif

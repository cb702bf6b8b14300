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

#include "arch_inline.h" /* from libos/arch/<isa>/ */
#endif

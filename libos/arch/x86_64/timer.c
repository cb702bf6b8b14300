/*
 * The local APIC's timer, one interrupt at a time: by TSC deadline where the CPU has that, else by its counter at divide-by-1, which QEMU
 * and KVM count in nanoseconds. An interrupt that comes early (a long time in several pieces) does no harm: timer_fired() looks at the clock.
 */
#include "apic.h"
#include "clock/clock.h"
#include "internal.h"

#define MSR_TSC_DEADLINE 0x6e0
#define TIMER_TSC_DEADLINE (1u << 18)
#define RETRY_NS 100000

#pragma GCC visibility push(hidden)
void arch_timer_interrupt(void);
void arch_timer_retry(void);
extern char arch_irq_stubs[];
#pragma GCC visibility pop

static bool started, by_deadline;

static void start(void) {
    apic_start();
    by_deadline = cpuid(1, 0).c >> 24 & 1;
    arch_gate_set(VECTOR_TIMER, arch_irq_stubs + (VECTOR_TIMER - 32) * 6, 2);
    apic_write(APIC_TIMER, VECTOR_TIMER | (by_deadline ? TIMER_TSC_DEADLINE : 0));
    __asm__ volatile("mfence" ::: "memory"); /* SDM volume 3, 11.5.4.1: orders the mode change before the deadline */
    if (!by_deadline)
        apic_write(APIC_TIMER_DIVIDE, 0xb);
    started = true;
}

void arch_timer_arm(uint64_t deadline_ns) {
    unsigned long flags = arch_irq_save();
    uint64_t now = clock_monotonic_ns(), wait = deadline_ns > now ? deadline_ns - now : 1;
    if (!started)
        start();
    if (by_deadline)
        msr_write(MSR_TSC_DEADLINE, arch_cycles() + clock_cycles_of(wait < 1ull << 40 ? wait : 1ull << 40));
    else
        apic_write(APIC_TIMER_INITIAL, wait < 0xffffffff ? (uint32_t)wait : 0xffffffff);
    arch_irq_restore(flags);
}

void arch_timer_interrupt(void) { timer_fired(); }

/* The bottom half then arms for the first real deadline again. */
void arch_timer_retry(void) { arch_timer_arm(clock_monotonic_ns() + RETRY_NS); }

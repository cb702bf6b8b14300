/* The virtual timer of the generic timer, one interrupt at a time (Arm Architecture Reference Manual, D11.2.4). */
#include "clock/clock.h"
#include "internal.h"

#define LONGEST_NS (1ull << 40)

#pragma GCC visibility push(hidden)
void arch_timer_interrupt(void);
#pragma GCC visibility pop

void arch_timer_arm(uint64_t deadline_ns) {
    unsigned long flags = arch_irq_save();
    uint64_t now = clock_monotonic_ns(), wait = deadline_ns > now ? deadline_ns - now : 1;
    arch_timer_set(arch_cycles() + clock_cycles_of(wait < LONGEST_NS ? wait : LONGEST_NS) + 1);
    arch_irq_restore(flags);
}

void arch_timer_interrupt(void) { timer_fired(); }

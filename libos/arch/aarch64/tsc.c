/* How fast the generic timer's counter runs (Arm Architecture Reference Manual, D11.1): the firmware, or the VMM, left its frequency in CNTFRQ_EL0. */
#include "clock/internal.h"
#include "init/init.h"

uint64_t arch_clock_scale(bool *rough) {
    uint64_t frequency;
    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    *rough = false;
    if (frequency - 1 >= 1000000000)
        panic("arch: a counter of at most 1 GHz, %lu Hz", (unsigned long)frequency);
    return (1000000000ull << 32) / frequency;
}

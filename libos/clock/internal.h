/* Between the clock and the ISA. */
#ifndef HULL_CLOCK_INTERNAL_H
#define HULL_CLOCK_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>
/* Nanoseconds a cycle as 32.32 fixed point, never 0. *rough: ask again later, the answer gets better. Interrupts off. */
uint64_t arch_clock_scale(bool *rough);
#endif

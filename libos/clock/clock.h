/*
 * Time. Owns the scale from the cycle counter to nanoseconds, and the one-shot timers.
 * Reading is for any context; timers are for calls and bottom halves.
 */
#ifndef HULL_CLOCK_CLOCK_H
#define HULL_CLOCK_CLOCK_H
#include <stdbool.h>
#include <stdint.h>

uint64_t clock_monotonic_ns(void); /* since about the machine's start; never goes back */
uint64_t clock_realtime_ns(void);  /* since 1970; counts from 0 when the host gave no time */
void clock_realtime_set(uint64_t ns);
/* Told of each clock_realtime_set: by how much real time jumped. The caller owns it and zeroes it first. Context: calls. */
struct clock_watch { struct clock_watch *next, **link; void (*changed)(struct clock_watch *, int64_t jump); };
void clock_watch_add(struct clock_watch *);
void clock_watch_remove(struct clock_watch *); /* nothing happens when it is not there */
/* How the counter becomes time: ns = base_ns + ((cycles - base_cycles) * scale >> 32); real time is realtime_offset more. */
struct clock_state { uint64_t base_cycles, scale, base_ns, realtime_offset; bool rough; /* still being measured */ };
const struct clock_state *clock_state_now(void); /* after a first reading */
/* By `vdso`, which keeps a copy: after each change. */
void vdso_clock_changed(const struct clock_state *);
uint64_t clock_cycles_of(uint64_t ns); /* a length of time in cycles, for deadline timers */
uint64_t clock_ns_of(uint64_t cycles); /* the reverse */
uint64_t clock_khz(void);              /* cycles a millisecond */

/* A one-shot timer; the caller owns it and zeroes it first. run() is called once, from a bottom half, at or after the deadline. */
struct timer { uint64_t deadline_ns; void (*run)(struct timer *); struct timer *next, **link; };
void timer_add(struct timer *timer);    /* deadline_ns and run are set; not while it is pending */
void timer_remove(struct timer *timer); /* nothing happens when it is not pending */
void timer_fired(void);                 /* from the timer interrupt */
#endif

/*
 * One-shot timers: a list sorted by deadline; the hardware is armed for the first. The interrupt only raises the bottom half.
 * Lock (for more CPUs): one around the list; calls and bottom halves do not interrupt each other today.
 */
#include "arch/arch.h"
#include "clock/clock.h"
#include "wait/wait.h"

static struct timer *first;

static void arm(void) {
    if (first)
        arch_timer_arm(first->deadline_ns);
}

static void run_expired(struct deferred *deferred) {
    (void)deferred;
    while (first && first->deadline_ns <= clock_monotonic_ns()) {
        struct timer *timer = first;
        timer_remove(timer);
        timer->run(timer);
    }
    arm();
}
static struct deferred expiry = {.run = run_expired};

void timer_fired(void) { deferred_raise(&expiry); }

void timer_add(struct timer *timer) {
    struct timer **link = &first;
    while (*link && (*link)->deadline_ns <= timer->deadline_ns)
        link = &(*link)->next;
    timer->next = *link;
    timer->link = link;
    if (timer->next)
        timer->next->link = &timer->next;
    *link = timer;
    if (first == timer)
        arm();
}

void timer_remove(struct timer *timer) {
    if (!timer->link)
        return;
    *timer->link = timer->next;
    if (timer->next)
        timer->next->link = timer->link;
    timer->link = NULL;
}

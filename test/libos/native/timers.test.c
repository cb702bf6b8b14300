/*
 * The queue of one-shot timers against a model: each runs once, at or after its deadline, in the order of deadlines and among equals of their adding; the hardware is armed for the
 * first; timers add and remove others while they run.
 * sources: libos/clock/timer.c
 */
#include "stand_ins.h"
#include "arch/arch.h"
#include "clock/clock.h"
#include "wait/wait.h"

enum { TIMERS = 64, STEPS = 200000 };
static uint64_t now = 1, armed;
static struct deferred *raised;
uint64_t clock_monotonic_ns(void) { return now; }
void arch_timer_arm(uint64_t deadline) { armed = deadline; }
void deferred_raise(struct deferred *deferred) { raised = deferred; }

static struct { struct timer timer; bool waits; uint64_t deadline, order; } all[TIMERS];
static uint64_t orders, last_deadline, last_order;
static long runs, wanted_runs;

static void add(int i, uint64_t deadline);
static void take_out(int i) {
    timer_remove(&all[i].timer);
    all[i].waits = false;
}

static void run(struct timer *timer) {
    int i = (int)(((char *)timer - (char *)all) / (long)sizeof all[0]);
    runs++;
    CHECK(all[i].waits), CHECK(all[i].deadline <= now);
    CHECK(all[i].deadline > last_deadline || (all[i].deadline == last_deadline && all[i].order > last_order));
    for (int k = 0; k < TIMERS; k++) CHECK(k == i || !all[k].waits || all[k].deadline > all[i].deadline || (all[k].deadline == all[i].deadline && all[k].order > all[i].order));
    last_deadline = all[i].deadline, last_order = all[i].order;
    all[i].waits = false;
    int other = (int)any(TIMERS);
    switch (any(6)) {
    case 0: add(i, now + 1 + any(50)); break; /* again, later */
    case 1: if (!all[other].waits) add(other, now + any(3)); break;
    case 2: take_out(other); break;
    }
}

static void add(int i, uint64_t deadline) {
    all[i].timer.deadline_ns = all[i].deadline = deadline;
    all[i].timer.run = run;
    all[i].order = ++orders;
    all[i].waits = true;
    timer_add(&all[i].timer);
}

static uint64_t first_deadline(void) {
    uint64_t first = UINT64_MAX;
    for (int i = 0; i < TIMERS; i++)
        if (all[i].waits && all[i].deadline < first) first = all[i].deadline;
    return first;
}

int main(void) {
    for (int step = 0; step < STEPS; step++) {
        int i = (int)any(TIMERS);
        switch (any(4)) {
        case 0: case 1:
            if (!all[i].waits) {
                uint64_t before = first_deadline(), deadline = now + any(100);
                add(i, deadline);
                if (deadline < before) EQUAL(armed, deadline);
            }
            break;
        case 2: take_out(i); break; /* also when it does not wait */
        default: {
            now += any(40);
            last_deadline = last_order = 0;
            long due = 0, before = runs;
            for (int k = 0; k < TIMERS; k++) due += all[k].waits && all[k].deadline <= now;
            timer_fired();
            CHECK(raised != NULL);
            raised->run(raised);
            wanted_runs += due > 0;
            CHECK(!due || runs > before);
            uint64_t first = first_deadline();
            CHECK(first > now);
            if (first != UINT64_MAX) EQUAL(armed, first);
        }
        }
    }
    CHECK(runs >= wanted_runs && wanted_runs > STEPS / 8);
    return report("timers");
}

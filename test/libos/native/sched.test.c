/*
 * The scheduler's queues against a model: who runs next of real-time threads, of woken ones and of those that used up slices; nobody is lost, nobody is in two
 * places; the timer is armed, or its interrupt is to be dealt with, while somebody waits for the CPU; slices of computing threads are shared by their niceness.
 * The scheduler is included, since what it does to the CPU has to be replaced: a switch only writes down to whom.
 */
#include "stand_ins.h"
#include "arch/arch.h"
#define arch_irq_save() irq_save()
#define arch_irq_restore(flags) irq_restore(flags)
static unsigned long irq_save(void);
static void irq_restore(unsigned long flags);
void arch_switch(struct arch_thread *from, struct arch_thread *to);
#include "thread/sched.c"

enum { THREADS = 24, STEPS = 400000, SOME = 40 };
static struct process the_process;
static struct thread threads[THREADS];
struct cpu cpu_zero = { .current = &threads[0] };
uint64_t task_switches;
uint32_t arch_work;

static bool off; /* interrupts */
static unsigned long irq_save(void) {
    unsigned long before = off ? 0 : 0x200;
    off = true;
    return before;
}
static void irq_restore(unsigned long flags) { off = !flags; }

static uint64_t now;
uint64_t clock_monotonic_ns(void) { return now; }
static struct timer *armed;
void timer_add(struct timer *timer) {
    CHECK(!armed && timer->deadline_ns == now + SCHED_SLICE_NS);
    armed = timer;
    timer->link = &armed;
}
static struct deferred *raised;
void deferred_raise(struct deferred *deferred) { raised = deferred; }
bool deferred_waiting(void) { return raised; }
void run_deferred(void) {
    struct deferred *deferred = raised;
    raised = NULL;
    if (deferred) deferred->run(deferred);
}
arch_root arch_root_current(void) { return 0; }
void arch_root_switch(arch_root root) { (void)root; }
void thread_free(struct thread *thread) { (void)thread; }
static struct arch_thread *switched_to;
void arch_switch(struct arch_thread *from, struct arch_thread *to) {
    CHECK(off && from != to);
    switched_to = to;
}

/* The model: what each thread that is ready waits as, and in which order. */
enum place { NOWHERE, AS_WOKEN, AS_SPENT, AS_REALTIME };
static struct { enum place place; long order; } model[THREADS];
static long last_order, first_order;
static unsigned woken_turns;
static uint64_t model_turns, cost_of[THREADS]; /* what the slices of each cost so far */

static bool model_any(void) {
    for (int i = 0; i < THREADS; i++)
        if (model[i].place) return true;
    return false;
}
static int best(enum place place) {
    int found = -1;
    for (int i = 0; i < THREADS; i++) {
        if (model[i].place != place) continue;
        bool before = found < 0;
        if (!before && place == AS_REALTIME && threads[i].scheduling.realtime != threads[found].scheduling.realtime)
            before = threads[i].scheduling.realtime > threads[found].scheduling.realtime;
        else if (!before && place == AS_SPENT && cost_of[i] != cost_of[found]) before = cost_of[i] < cost_of[found];
        else if (!before) before = model[i].order < model[found].order;
        if (before) found = i;
    }
    return found;
}
static void model_put(int i, enum place place, bool first) {
    model[i].place = place;
    model[i].order = first ? --first_order : ++last_order;
}
static void model_ready(int i) { model_put(i, threads[i].scheduling.realtime ? AS_REALTIME : AS_WOKEN, false); }
static void model_used_up(int i) {
    if (threads[i].scheduling.realtime) {
        model_put(i, AS_REALTIME, false);
        return;
    }
    if (cost_of[i] < model_turns) cost_of[i] = model_turns;
    cost_of[i] += threads[i].scheduling.stride ? threads[i].scheduling.stride : SCHED_STRIDE;
    model_put(i, AS_SPENT, false);
}
static int model_take(void) {
    int next = best(AS_REALTIME), woken = best(AS_WOKEN), spent = best(AS_SPENT);
    if (next < 0) {
        next = woken >= 0 && (spent < 0 || woken_turns < 8) ? woken : spent;
        woken_turns = next == woken ? woken_turns + 1 : 0;
        if (next == spent && cost_of[next] > model_turns) model_turns = cost_of[next];
    }
    model[next].place = NOWHERE;
    return next;
}

/* While the CPU idles an interrupt makes somebody ready. */
static void wake(int i) {
    bool blocked = threads[i].state == THREAD_BLOCKED;
    sched_ready(&threads[i]);
    if (blocked) model_ready(i);
}
void arch_idle(void) {
    CHECK(off && !model_any());
    wake((int)any(THREADS));
}

static int self(void) { return (int)(current_thread() - threads); }

/* After something that may have changed who runs. */
static void expect_running(int i) {
    EQUAL(self(), i);
    EQUAL(threads[i].state, THREAD_RUNNING);
}

/* The queues hold who is ready, once each; their turn will come. */
static void check_queues(void) {
    int ready = 0, found = 0;
    for (int i = 0; i < THREADS; i++) ready += threads[i].state == THREAD_READY;
    for (unsigned queue = 0; queue < QUEUES; queue++) {
        const struct thread *last = NULL;
        for (const struct thread *at = queues[queue].first; at && found <= THREADS; last = at, at = at->run_next, found++) {
            EQUAL(at->state, THREAD_READY);
            EQUAL(model[at - threads].place, queue == WOKEN ? AS_WOKEN : queue == SPENT ? AS_SPENT : AS_REALTIME);
        }
        CHECK(!last || queues[queue].last == last);
    }
    EQUAL(found, ready);
    if (ready) CHECK(armed || raised);
}

static void change(int i) {
    struct scheduling *scheduling = &threads[i].scheduling;
    *scheduling = (struct scheduling){ 0 };
    if (!any(3)) {
        scheduling->realtime = (uint8_t)(1 + any(4));
        scheduling->fifo = any(2);
    } else {
        scheduling->stride = any(2) ? SCHED_STRIDE : 1 + any(1u << 20);
    }
    if (threads[i].state == THREAD_READY) model_ready(i);
    sched_changed(&threads[i]);
}

/* The slice ends, or somebody of a higher priority is there. */
static void safe_point(void) {
    int own = self();
    bool due = raised;
    unsigned mine = threads[own].scheduling.realtime, first = 0;
    if (best(AS_REALTIME) >= 0) first = threads[best(AS_REALTIME)].scheduling.realtime;
    if (!due || !model_any()) {
        run_deferred();
        expect_running(own);
        return;
    }
    bool stays = mine && (first < mine || (first == mine && threads[own].scheduling.fifo));
    if (!stays && mine && first > mine) model_put(own, AS_REALTIME, true);
    else if (!stays) model_used_up(own);
    int next = stays ? own : model_take();
    run_deferred();
    expect_running(next);
}

static void fire(void) {
    struct timer *timer = armed;
    now += SCHED_SLICE_NS;
    if (!timer) return;
    armed = NULL;
    timer->link = NULL;
    timer->run(timer);
}

/* Who only computes gets slices as its niceness says, within one slice; who sleeps in between is not starved by them. */
static void check_shares(void) {
    enum { COMPUTING = 4, SLICES = 20000 };
    static const uint32_t strides[COMPUTING] = { SCHED_STRIDE, SCHED_STRIDE, SCHED_STRIDE * 2, SCHED_STRIDE * 8 };
    long slices[THREADS] = { 0 }, total = 0;
    for (int i = 0; i < THREADS; i++) { /* all end up blocked but four */
        threads[i].scheduling = (struct scheduling){ 0 };
        sched_changed(&threads[i]);
    }
    struct thread *first = current_thread();
    for (unsigned i = 0; i < QUEUES; i++) queues[i] = (struct queue){ 0 };
    for (int i = 0; i < THREADS; i++) {
        threads[i].state = &threads[i] == first ? THREAD_RUNNING : THREAD_BLOCKED;
        threads[i].turns = turns_now;
        model[i].place = NOWHERE;
    }
    int chosen[COMPUTING] = { (int)(first - threads) };
    for (int i = 0, n = 1; n < COMPUTING; i++)
        if (&threads[i] != first) chosen[n++] = i;
    for (int i = 0; i < COMPUTING; i++) {
        threads[chosen[i]].scheduling.stride = strides[i];
        sched_ready(&threads[chosen[i]]);
    }
    for (int i = 0; i < SLICES; i++) {
        slices[self()]++;
        fire();
        run_deferred();
    }
    for (int i = 0; i < COMPUTING; i++) total += SCHED_STRIDE * 8 / strides[i];
    for (int i = 0; i < COMPUTING; i++) {
        long due = SLICES * (long)(SCHED_STRIDE * 8 / strides[i]) / total, off_by = slices[chosen[i]] - due;
        CHECK(off_by >= -10 && off_by <= 10);
    }
    int sleeper = chosen[0];
    while (self() == sleeper) {
        fire();
        run_deferred();
    }
    for (int round = 0; round < 100; round++) { /* it is behind a few slices; once it slept it is next */
        while (self() != sleeper) {
            fire();
            run_deferred();
        }
        irq_save();
        sched_block();
        off = false;
        sched_ready(&threads[sleeper]);
        fire();
        run_deferred();
        EQUAL(self(), sleeper);
    }
}

int main(void) {
    for (int i = 0; i < THREADS; i++) threads[i] = (struct thread){ .process = &the_process, .tid = i + 1, .state = i ? THREAD_BLOCKED : THREAD_RUNNING };
    for (int step = 0; step < STEPS && failures < SOME; step++) {
        int own = self(), i = (int)any(THREADS), next;
        switch (any(8)) {
        case 0: case 1: wake(i); expect_running(own); break;
        case 2: { /* wakes it, and it is the next one of its kind */
            bool blocked = threads[i].state == THREAD_BLOCKED, ready = threads[i].state == THREAD_READY;
            if (blocked && threads[i].scheduling.realtime) model_ready(i);
            else if (!threads[i].scheduling.realtime && (blocked || ready)) model_put(i, AS_WOKEN, true);
            sched_hurry(&threads[i]);
            expect_running(own);
            break;
        }
        case 3: change(i); expect_running(own); break;
        case 4: fire(); expect_running(own); break;
        case 5: /* waits; while there is nobody else the CPU idles */
            irq_save();
            if (!model_any()) {
                sched_block(); /* arch_idle wakes somebody, who runs */
                model[self()].place = NOWHERE;
                woken_turns = woken_in_a_row; /* it was the only one */
                EQUAL(threads[self()].state, THREAD_RUNNING);
            } else {
                next = model_take();
                sched_block();
                expect_running(next);
                if (next != own) EQUAL(threads[own].state, THREAD_BLOCKED);
            }
            off = false;
            break;
        case 6:
            if (model_any()) model_used_up(own), next = model_take();
            else next = own;
            sched_yield_to_others();
            expect_running(next);
            break;
        default: safe_point();
        }
        if (current_thread() != &threads[own]) CHECK(switched_to == &current_thread()->arch);
        CHECK(!off);
        check_queues();
    }
    check_shares();
    return report("sched");
}

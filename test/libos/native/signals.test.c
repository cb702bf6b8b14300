/*
 * Pending signals against a model: what waits where and how often, what is ignored, who is taken first (the thread's own, faults, then by number, the oldest of one), and how
 * SIGCONT and the signals that stop undo each other.
 * sources: libos/signal/queue.c
 */
#include "stand_ins.h"
#include "arch/arch.h"
#include "memory/memory.h"
#include "signal/internal.h"

enum { THREADS = 3, STEPS = 300000, KEPT = 6000 };
struct process first_process;
struct thread first_thread;
static struct signal_state state;
static struct signal_thread thread_states[THREADS];
static struct thread threads[THREADS];
struct cpu cpu_zero = {.current = &threads[0]};
uint32_t arch_work;
void *kmalloc(size_t size) { return malloc(size); }
void kfree(void *object) { free(object); }
void wait_queue_wake(struct wait_queue *queue, int count) { (void)queue, (void)count; }
enum restart arch_signal_point(void) { return RESTART_NONE; }

/* The model: one list a queue, oldest first. Queue 0 is the process's. */
static struct { int number; uint64_t value; } lists[THREADS + 1][KEPT];
static int lengths[THREADS + 1];
static uint64_t masks[THREADS];
static bool stopped;
static uint64_t values;

static int actions[SIGNAL_COUNT + 1]; /* 0: default, 1: ignore, 2: a handler */
static bool is_ignored(int number) {
    bool by_default = number == SIGCHLD || number == SIGURG || number == SIGWINCH;
    return actions[number] == 1 || (actions[number] == 0 && by_default);
}
static bool stops(int number) { return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU; }

static void drop(uint64_t set) {
    for (int q = 0; q <= THREADS; q++) {
        int kept = 0;
        for (int i = 0; i < lengths[q]; i++)
            if (!(set & SIGNAL_BIT(lists[q][i].number))) lists[q][kept++] = lists[q][i];
        lengths[q] = kept;
    }
}

static int count(int q, int number) {
    int found = 0;
    for (int i = 0; i < lengths[q]; i++) found += lists[q][i].number == number;
    return found;
}

static void send(int q, int number, int code) {
    struct signal_info info = {.number = number, .code = code};
    info.value = ++values;
    int result = q ? signal_send_thread(&threads[q - 1], &info) : signal_send(&first_process, &info);
    EQUAL(result, 0);
    if (number == SIGCONT) drop(SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU)), stopped = false;
    else if (stops(number)) drop(SIGNAL_BIT(SIGCONT));
    if (is_ignored(number) && !(masks[q ? q - 1 : 0] & SIGNAL_BIT(number))) return;
    if (number < 32 && code != SI_TIMER && count(q, number)) return;
    lists[q][lengths[q]].number = number, lists[q][lengths[q]++].value = info.value;
}

static uint64_t held(int q) {
    uint64_t set = 0;
    for (int i = 0; i < lengths[q]; i++) set |= SIGNAL_BIT(lists[q][i].number);
    return set;
}

static void take(int t, uint64_t set) {
    const uint64_t faults = SIGNAL_BIT(4) | SIGNAL_BIT(5) | SIGNAL_BIT(7) | SIGNAL_BIT(8) | SIGNAL_BIT(11) | SIGNAL_BIT(31);
    uint64_t own = held(t + 1) & set, shared = held(0) & set, ready = own | shared;
    struct signal_info info;
    cpu_zero.current = &threads[t];
    bool taken = signal_take(set, &info);
    EQUAL(taken, ready != 0);
    if (!taken) return;
    if (ready & SIGNAL_BIT(SIGKILL)) ready = SIGNAL_BIT(SIGKILL);
    else if (own) ready = own;
    if (ready & faults) ready &= faults;
    int number = __builtin_ctzll(ready) + 1, q = own & SIGNAL_BIT(number) ? t + 1 : 0, i = 0;
    EQUAL(info.number, number);
    while (i < lengths[q] && lists[q][i].number != number) i++;
    EQUAL(info.value, lists[q][i].value);
    for (lengths[q]--; i < lengths[q]; i++) lists[q][i] = lists[q][i + 1];
}

int main(void) {
    first_process.signals = &state;
    for (int i = 0; i < THREADS; i++) {
        threads[i].process = &first_process, threads[i].signals = &thread_states[i];
        threads[i].next = i + 1 < THREADS ? &threads[i + 1] : NULL;
    }
    first_process.threads = &threads[0];
    for (int step = 0; step < STEPS; step++) {
        int q = (int)any(THREADS + 1), t = (int)any(THREADS), number = 1 + (int)any(any(2) ? 34 : SIGNAL_COUNT);
        uint64_t set = any(3) ? ~0ull : (uint64_t)any(0xffffffff) * 0x100000001ull;
        switch (any(7)) {
        case 0: case 1: if (lengths[q] < 40) send(q, number, any(8) ? SI_USER : SI_TIMER); break;
        case 2: case 3: take(t, set); break;
        case 4:
            masks[t] = set & ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
            cpu_zero.current = &threads[t];
            signal_set_mask(set);
            EQUAL(threads[t].signal_mask, masks[t]);
            break;
        case 5:
            if (number == SIGKILL || number == SIGSTOP) break;
            actions[number] = (int)any(3);
            state.actions[number - 1].handler = actions[number] == 2 ? 0x400000 : (uint64_t)actions[number];
            signal_forget_ignored(number);
            if (is_ignored(number)) drop(SIGNAL_BIT(number));
            break;
        default:
            if (any(50) == 0) first_process.stopped = stopped = true;
        }
        EQUAL(first_process.signal_pending, held(0));
        int total = lengths[0];
        for (int i = 0; i < THREADS; i++) {
            EQUAL(threads[i].signal_pending, held(i + 1));
            total += lengths[i + 1];
        }
        EQUAL(state.queued, total);
        EQUAL(first_process.stopped, stopped);
    }
    for (int i = 0; i < THREADS; i++)
        while (lengths[0] || lengths[i + 1]) take(i, ~0ull);
    EQUAL(state.queued, 0);
    /* The queue of real-time signals has an end, and an ordinary signal comes through all the same. */
    actions[40] = 2, state.actions[39].handler = 0x400000;
    struct signal_info info = {.number = 40, .code = SI_USER};
    int sent = 0;
    while (!signal_send(&first_process, &info)) sent++;
    EQUAL(sent, 4096);
    actions[10] = 2, state.actions[9].handler = 0x400000;
    info.number = 10;
    EQUAL(signal_send(&first_process, &info), 0);
    uint64_t ignored, caught;
    signal_sets(&first_process, &ignored, &caught);
    CHECK(caught & SIGNAL_BIT(40) && caught & SIGNAL_BIT(10));
    while (signal_take(~0ull, &info)) {}
    EQUAL(first_process.signal_pending, 0);
    EQUAL(state.queued, 0);
    return report("signals");
}

/* /proc/stat, uptime, loadavg (proc(5)). */
#include "proc-system/internal.h"
#include "arch/arch.h"
#include "clock/clock.h"
#include "cpu-time/cpu_time.h"

#pragma weak cpu_time_split_process

#define TICK 10000000ull

/* a * b / c, where b and c have at most 30 bits. */
static uint64_t scaled(uint64_t a, uint64_t b, uint64_t c) { return a / c * b + a % c * b / c; }

struct machine_time machine_time(void) {
    static struct machine_time last;
    uint64_t khz = clock_khz(), up = clock_monotonic_ns();
    uint64_t idle = khz ? scaled(arch_idle_cycles, 1000000, khz) : 0;
    uint64_t busy = up > idle ? up - idle : 0, user = 0, system = 0;
    for (struct process *p = &first_process; p && cpu_time_split_process; p = p->next) {
        struct cpu_split split = cpu_time_split_process(p);
        user += split.user;
        system += split.system;
    }
    /* Processes that are gone used the CPU as those that are there did: what the accounts do not tell is divided likewise. */
    uint64_t told = user + system;
    for (; told >> 30; told >>= 1) system >>= 1;
    uint64_t in_system = told ? scaled(busy, system, told) : 0;
    struct machine_time now = { .up = up, .idle = idle, .user = busy - in_system, .system = in_system };
    if (now.system < last.system) now.system = last.system;
    if (now.user < last.user) now.user = last.user;
    return last = now;
}

static unsigned count_threads(bool ready_only) {
    unsigned count = 0;
    for (const struct process *p = &first_process; p; p = p->next)
        for (const struct thread *t = p->threads; t; t = t->next)
            if (!ready_only || (!p->stopped && (t->state != THREAD_BLOCKED || t == current_thread()))) count++;
    return count;
}

static int newest_number(void) {
    int newest = 0;
    for (const struct process *p = &first_process; p; p = p->next)
        for (const struct thread *t = p->threads; t; t = t->next)
            if (t->tid > newest) newest = t->tid;
    return newest;
}

static void put_cpu(struct proc_text *out, const char *name, const struct machine_time *time) {
    proc_print(out, "%s %lu 0 %lu %lu 0 0 0 0 0 0\n", name, (unsigned long)(time->user / TICK), (unsigned long)(time->system / TICK), (unsigned long)(time->idle / TICK));
}

static void show_stat(struct proc_text *out) {
    struct machine_time time = machine_time();
    put_cpu(out, "cpu ", &time);
    put_cpu(out, "cpu0", &time);
    proc_print(out, "intr %lu\nctxt %lu\nbtime %lu\nprocesses %d\nprocs_running %u\nprocs_blocked 0\n", (unsigned long)arch_irq_count, (unsigned long)task_switches,
               (unsigned long)((clock_realtime_ns() - time.up) / 1000000000), newest_number(), count_threads(true));
}

static void show_uptime(struct proc_text *out) {
    struct machine_time time = machine_time();
    proc_print(out, "%lu.%02lu %lu.%02lu\n", (unsigned long)(time.up / 1000000000), (unsigned long)(time.up / TICK % 100), (unsigned long)(time.idle / 1000000000),
               (unsigned long)(time.idle / TICK % 100));
}

/*
 * Load averages: with one CPU, the part of the time in which it worked, damped over 1, 5 and 15 minutes, and brought up to date when someone asks. Threads that waited for
 * it count from the moment of the question only. Fixed point of 2^16.
 */
static uint64_t decay(uint64_t seconds_16, unsigned minutes) { /* e^(-t/T), from (1 - 1/2^8)^(256 t/T) */
    uint64_t steps = seconds_16 * 256 / (minutes * 60) >> 16, value = 1ull << 32;
    if (steps > 4096) return 0;
    for (; steps; steps--) value -= value >> 8;
    return value >> 16;
}

static void show_loadavg(struct proc_text *out) {
    static uint64_t loads[3], last_up, last_idle;
    static const unsigned minutes[3] = { 1, 5, 15 };
    struct machine_time time = machine_time();
    uint64_t up = time.up - last_up, idle = time.idle - last_idle, ready = count_threads(true);
    if (up >= 1000000000) {
        uint64_t busy = up > idle ? ((up - idle) << 16) / up : 0, active = busy + (ready > 1 ? (ready - 1) * busy : 0);
        for (unsigned i = 0; i < 3; i++) {
            uint64_t kept = decay((up << 16) / 1000000000, minutes[i]);
            loads[i] = (loads[i] * kept + active * ((1ull << 16) - kept)) >> 16;
        }
        last_up = time.up;
        last_idle = time.idle;
    }
    for (unsigned i = 0; i < 3; i++) proc_print(out, "%lu.%02lu ", (unsigned long)(loads[i] >> 16), (unsigned long)((loads[i] & 0xffff) * 100 >> 16));
    proc_print(out, "%lu/%u %d\n", (unsigned long)ready, count_threads(false), newest_number());
}

static const struct proc_file time_files[] = {
    { .path = "stat", .mode = PROC_READ, .show = show_stat },
    { .path = "uptime", .mode = PROC_READ, .show = show_uptime },
    { .path = "loadavg", .mode = PROC_READ, .show = show_loadavg },
};
HULL_PROC_FILES(PROC_SYSTEM, time_files);

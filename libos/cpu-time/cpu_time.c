/*
 * The accounts. A change of threads costs one reading of the cycle counter.
 */
#include "cpu-time/cpu_time.h"
#include "arch/arch.h"
#include "clock/clock.h"
#include "init/init.h"
#include "memory/memory.h"
#include "vm/vm.h"

#pragma weak cpu_timers_resume

#define TICK_NS 10000000ull

static uint64_t since; /* busy cycles when the current thread's account was last brought up to date */

static uint64_t busy(void) { return arch_cycles() - arch_idle_cycles; }

static void cpu_time_start(void) { since = busy(); }
HULL_INIT(1, cpu_time_start);

static void charge(struct thread *thread) {
    uint64_t now = busy();
    thread->used.cycles += now - since;
    since = now;
}

uint64_t cpu_time_of_thread(const struct thread *thread) {
    charge(current_thread());
    return clock_ns_of(thread->used.cycles);
}

static void add(struct usage *to, const struct usage *from) {
    to->cycles += from->cycles;
    to->user_ticks += from->user_ticks, to->system_ticks += from->system_ticks;
    to->minor_faults += from->minor_faults, to->major_faults += from->major_faults;
    to->voluntary += from->voluntary, to->involuntary += from->involuntary;
    to->reads += from->reads, to->writes += from->writes;
    to->read_bytes += from->read_bytes, to->written_bytes += from->written_bytes;
}

static struct usage sum(const struct process *process) {
    struct usage all = process->ended;
    charge(current_thread());
    for (const struct thread *thread = process->threads; thread; thread = thread->next) add(&all, &thread->used);
    return all;
}

uint64_t cpu_time_of_process(const struct process *process) {
    struct usage all = sum(process);
    return clock_ns_of(all.cycles);
}

/* The samples. */
static struct timer tick;
static bool sampling;

static void sample(struct timer *timer) {
    struct usage *used = &current_thread()->used;
    if (arch_timer_found == TIMER_FOUND_IDLE) return; /* resume() goes on */
    if (arch_timer_found == TIMER_FOUND_PROGRAM) used->user_ticks++;
    else used->system_ticks++;
    timer->deadline_ns = clock_monotonic_ns() + TICK_NS;
    timer_add(timer);
}

static void sample_from_now(void) {
    if (tick.link) return;
    tick.run = sample;
    tick.deadline_ns = clock_monotonic_ns() + TICK_NS;
    timer_add(&tick);
}

static void resume(struct thread *thread) {
    if (sampling) sample_from_now();
    if (cpu_timers_resume) cpu_timers_resume(thread);
}

void cpu_time_slept(void) {
    current_thread()->used.voluntary++;
    resume(current_thread());
}

/* Divides a sum by its samples; what was told before stays told. */
static struct cpu_split split(const struct usage *all, uint64_t *told_user, uint64_t *told_system) {
    uint64_t total = clock_ns_of(all->cycles), ticks = all->user_ticks + all->system_ticks;
    if (!sampling) {
        sampling = true;
        sample_from_now();
    }
    if (total > *told_user + *told_system) {
        uint64_t system = all->system_ticks ? total / ticks * all->system_ticks + total % ticks * all->system_ticks / ticks : 0;
        if (system < *told_system) system = *told_system;
        if (total - system < *told_user) system = total - *told_user;
        *told_system = system;
        *told_user = total - system;
    }
    return (struct cpu_split){*told_user, *told_system};
}

struct cpu_split cpu_time_split_thread(struct thread *thread) {
    charge(current_thread());
    return split(&thread->used, &thread->used.told_user, &thread->used.told_system);
}

struct cpu_split cpu_time_split_process(struct process *process) {
    struct usage all = sum(process);
    return split(&all, &process->ended.told_user, &process->ended.told_system);
}

void cpu_time_switch(struct thread *from, struct thread *to, bool voluntary) {
    charge(from);
    if (voluntary) from->used.voluntary++;
    else from->used.involuntary++;
    resume(to);
}

/* Negative numbers are made by clock_getcpuclockid(3): bits 0 and 1 say what counts, bit 2 that it is a thread's, the others name it. */
bool cpu_clock_find(int clock, struct cpu_clock *out) {
    enum { OF_PROCESS = 2, OF_OWN_THREAD = 3, PROGRAM = 1, DESCRIPTOR = 3, OF_THREAD = 4 };
    int number = ~(clock >> 3);
    *out = (struct cpu_clock){.process = current_process(), .program_only = clock < 0 && (clock & 3) == PROGRAM};
    if (clock == OF_PROCESS) return true;
    if (clock == OF_OWN_THREAD) {
        out->thread = current_thread();
        return true;
    }
    if (clock >= 0 || (clock & 3) == DESCRIPTOR) return false;
    if (clock & OF_THREAD) {
        out->thread = number ? thread_find(number) : current_thread();
        return out->thread && out->thread->process == out->process;
    }
    if (number) out->process = process_find(number);
    return out->process != NULL;
}

uint64_t cpu_clock_read(const struct cpu_clock *clock) {
    if (clock->thread) return clock->program_only ? cpu_time_split_thread(clock->thread).user : cpu_time_of_thread(clock->thread);
    return clock->program_only ? cpu_time_split_process(clock->process).user : cpu_time_of_process(clock->process);
}

void cpu_time_thread_end(struct thread *thread) {
    charge(thread);
    add(&thread->process->ended, &thread->used);
    thread->used = (struct usage){0};
}

void cpu_time_space_end(struct process *process) {
    uint64_t most = process->space ? process->space->most_resident : 0;
    if (process->ended.most_resident < most) process->ended.most_resident = most;
}

static uint64_t most_resident(const struct process *process) {
    uint64_t now = process->space ? process->space->most_resident : 0;
    return now > process->ended.most_resident ? now : process->ended.most_resident;
}

static void write(struct rusage *out, const struct usage *all, struct cpu_split time, uint64_t most) {
    *out = (struct rusage){0};
    out->user.seconds = (int64_t)(time.user / 1000000000), out->user.microseconds = (int64_t)(time.user % 1000000000 / 1000);
    out->system.seconds = (int64_t)(time.system / 1000000000), out->system.microseconds = (int64_t)(time.system % 1000000000 / 1000);
    out->most_resident = (int64_t)(most << (PAGE_SHIFT - 10));
    out->minor_faults = (int64_t)all->minor_faults, out->major_faults = (int64_t)all->major_faults;
    out->voluntary = (int64_t)all->voluntary, out->involuntary = (int64_t)all->involuntary;
}

void cpu_time_usage_process(struct process *process, struct rusage *out) {
    struct usage all = sum(process);
    write(out, &all, split(&all, &process->ended.told_user, &process->ended.told_system), most_resident(process));
}

void cpu_time_usage_thread(struct thread *thread, struct rusage *out) {
    write(out, &thread->used, cpu_time_split_thread(thread), most_resident(thread->process));
}

void cpu_time_usage_children(struct process *process, struct rusage *out) {
    const struct usage *all = &process->children;
    write(out, all, (struct cpu_split){all->told_user, all->told_system}, all->most_resident);
}

/* A process that has ended, and the children that it had waited for. */
static struct usage with_children(struct process *process) {
    struct cpu_split own = cpu_time_split_process(process);
    struct usage all = sum(process);
    add(&all, &process->children);
    all.told_user = own.user + process->children.told_user;
    all.told_system = own.system + process->children.told_system;
    all.most_resident = most_resident(process);
    if (all.most_resident < process->children.most_resident) all.most_resident = process->children.most_resident;
    return all;
}

void cpu_time_usage_both(struct process *process, struct rusage *out) {
    struct usage all = with_children(process);
    write(out, &all, (struct cpu_split){all.told_user, all.told_system}, all.most_resident);
}

void cpu_time_reaped(struct process *parent, struct process *child) {
    struct usage all = with_children(child);
    add(&parent->children, &all);
    parent->children.told_user += all.told_user;
    parent->children.told_system += all.told_system;
    if (parent->children.most_resident < all.most_resident) parent->children.most_resident = all.most_resident;
}

/*
 * When memory is used up: which process ends. As Linux chooses (proc(5), oom_score), the one that has most. All that share its memory end with it. The first process's end is the machine's.
 */
#include "channel/channel.h"
#include "clock/clock.h"
#include "init/init.h"
#include "memory/memory.h"
#include "process/process.h"
#include "process/shortage.h"
#include "vm/vm.h"

#define FIRST_MORE ((1ul << 20) / PAGE_SIZE)
#define PATIENCE_NS 2000000000ull

static uint64_t pages_of(const struct address_space *space) {
    uint64_t count = 0, page;
    unsigned protection;
    for (uintptr_t at = VM_LOWEST; (at = arch_next_mapped(space->root, at, VM_HIGHEST)) < VM_HIGHEST; at += PAGE_SIZE)
        if (arch_lookup(space->root, at, &page, &protection) && page_of(page)) count++;
    return count;
}

/* Of those that have the same, the youngest: it is the last in the list. The first process, whose end is the machine's, must have clearly more. */
static struct process *largest(uint64_t *pages) {
    struct process *found = NULL;
    for (struct process *p = &first_process; p; p = p->next) {
        if (!p->space || p->family->ended) continue;
        uint64_t has = pages_of(p->space);
        if (p == &first_process) has -= has < FIRST_MORE ? has : FIRST_MORE;
        if (found && has < *pages) continue;
        found = p;
        *pages = has;
    }
    return found;
}

static struct family *chosen; /* referenced: who is on its way out, until it has ended */

static bool killed(const struct process *process) { return process->ending || process->signal_pending & SIGNAL_BIT(SIGKILL); }

static bool done(void *argument) {
    struct family *family = argument;
    return family->ended || killed(current_process());
}

/* Says so, and kills all that share its memory. */
static void end(struct process *victim, uint64_t pages) {
    unsigned total = (unsigned)(memory_total() >> 20), used = (unsigned)((memory_total() - memory_free()) >> 20);
    struct address_space *space = victim->space;
    log_line("out of memory: guest has %u MiB, %u MiB used; process %u (%s), which has %u MiB, ends; give more with -m", total, used,
             (unsigned)victim->pid, victim->name, (unsigned)(pages >> 8));
    for (struct process *p = &first_process; p; p = p->next) {
        if (p->space != space) continue;
        if (p == current_process() && p == &first_process) machine_exit(SIGKILL);
        signal_send(p, &(struct signal_info){.number = SIGKILL, .code = SI_KERNEL});
        for (struct thread *t = p->threads; t; t = t->next) sched_hurry(t);
    }
}

enum shortage process_relieve(void) {
    if (killed(current_process())) return SHORTAGE_OURS;
    if (chosen && chosen->ended) {
        process_put(chosen);
        chosen = NULL;
    }
    if (!chosen) { /* else that one's end is waited for, and looked for only once */
        uint64_t pages = 0;
        struct process *victim = largest(&pages);
        chosen = victim->family;
        chosen->references++;
        if (!killed(victim)) end(victim, pages);
    }
    if (killed(current_process())) return SHORTAGE_OURS;
    struct family *family = chosen;
    family->references++;
    int late = wait_until(&family->end, done, family, clock_monotonic_ns() + PATIENCE_NS, false);
    process_put(family);
    return late || killed(current_process()) ? SHORTAGE_OURS : SHORTAGE_OVER;
}

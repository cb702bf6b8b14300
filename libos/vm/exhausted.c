/*
 * The guest's memory is used up, and a program touches more than was promised to it. Owns: who ends for it, and the line that says why.
 *
 * As Linux's OOM killer (proc(5), oom_score_adj): the process with the most memory ends by SIGKILL, whoever asked; an adjustment counts as thousandths of
 * what there is, and -1000 spares. The end of the first process is the machine's. Who asked meanwhile lets the others run, and touches again.
 */
#include "vm/internal.h"
#include "channel/channel.h"
#include "signal/signal.h"

#pragma weak signal_raise
#pragma weak signal_send
void sched_yield_to_others(void) __attribute__((weak));

enum { MOST_TURNS = 1000000 }; /* for a process to end that was killed; then who asks ends, too */
static int doomed;
static unsigned turns;

static int64_t weight(const struct process *process) {
    if (!process->space || process->oom_adjust == -1000) return -1;
    return (int64_t)process->space->resident + process->oom_adjust * (int64_t)(memory_total() >> PAGE_SHIFT) / 1000;
}

static struct process *heaviest(void) {
    struct process *found = current_process();
    for (struct process *process = &first_process; process; process = process->next)
        if (weight(process) > weight(found)) found = process;
    return found;
}

static bool still_there(int pid) {
    struct process *process = pid ? process_find(pid) : NULL;
    return process && process->space;
}

int vm_out_of_memory(void) {
    struct process *current = current_process();
    bool waits = still_there(doomed) && doomed != current->pid && ++turns < MOST_TURNS;
    if (!waits) {
        struct process *victim = still_there(doomed) ? current : heaviest();
        unsigned total = (unsigned)(memory_total() >> 20), used = (unsigned)((memory_total() - memory_free()) >> 20);
        log_line("out of memory: guest has %u MiB, %u MiB used; process %u (%s) has %u MiB of it and ends; give more with -m", total, used,
                 (unsigned)victim->pid, victim->name, (unsigned)(victim->space->resident >> (20 - PAGE_SHIFT)));
        if (victim == &first_process || !signal_raise) machine_exit(SIGKILL);
        if (victim == current || !signal_send || !sched_yield_to_others) {
            signal_raise(SIGKILL);
            return SIGKILL << 8;
        }
        doomed = victim->pid;
        turns = 0;
        signal_send(victim, &(struct signal_info){ .number = SIGKILL, .code = SI_KERNEL });
    }
    sched_yield_to_others();
    return VM_TRY_AGAIN;
}

/*
 * Pending signals: generation, queues, what is ignored. An ordinary signal waits at most once in a queue, a real-time one (32 and above)
 * as often as it was sent. A process has a queue, from which any of its threads takes, and so has each thread. signal_pending is the set of
 * what a queue holds. Who sends wakes a thread that will take the signal.
 */
#include "signal/internal.h"
#include "memory/memory.h"
#include "wait/wait.h"

enum { REAL_TIME = 32, MOST_QUEUED = 4096 };
#define STOPS (SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))

/* By the scheduler, and by `process`: a stopped one goes on. */
void sched_ready(struct thread *thread) __attribute__((weak));
#pragma weak process_changed
#pragma weak posix_timer_taken

struct wait_queue signal_arrivals;
static struct signal_state first_state;
static struct signal_thread first_thread_state = {.stack = {.flags = SS_DISABLE}};

void signal_start_first(void) {
    first_process.signals = &first_state;
    first_thread.signals = &first_thread_state;
}

enum default_action signal_default(int number) {
    switch (number) {
    case SIGCHLD: case SIGURG: case SIGWINCH: return ACTION_IGNORE;
    case SIGCONT: return ACTION_CONTINUE;
    case SIGSTOP: case SIGTSTP: case SIGTTIN: case SIGTTOU: return ACTION_STOP;
    default: return ACTION_END;
    }
}

void signal_sets(const struct process *process, uint64_t *ignored, uint64_t *caught) {
    *ignored = *caught = 0;
    for (int number = 1; process->signals && number <= SIGNAL_COUNT; number++) {
        uint64_t handler = process->signals->actions[number - 1].handler;
        if (handler == SIGNAL_IGNORE) *ignored |= SIGNAL_BIT(number);
        else if (handler != SIGNAL_DEFAULT) *caught |= SIGNAL_BIT(number);
    }
}

bool signal_ignored(const struct signal_state *state, int number) {
    uint64_t handler = state->actions[number - 1].handler;
    if (handler == SIGNAL_DEFAULT) return signal_default(number) == ACTION_IGNORE;
    return handler == SIGNAL_IGNORE;
}

/* Drops every pending signal of the set. */
static void discard_from(struct signal_state *state, struct queued_signal **link, uint64_t set, uint64_t *pending) {
    *pending &= ~set;
    while (*link) {
        struct queued_signal *entry = *link;
        if (set & SIGNAL_BIT(entry->info.number)) {
            *link = entry->next;
            state->queued--;
            kfree(entry);
        } else {
            link = &entry->next;
        }
    }
}

static void discard(struct process *process, uint64_t set) {
    discard_from(process->signals, &process->signals->queue, set, &process->signal_pending);
    for (struct thread *thread = process->threads; thread; thread = thread->next)
        discard_from(process->signals, &thread->signals->queue, set, &thread->signal_pending);
}

static void wake(struct thread *thread) {
    arch_work = 1;
    if (sched_ready) sched_ready(thread);
}

/* A thread that takes it: the current one when it can, else the oldest that can. */
static void wake_one(struct process *process, uint64_t bit) {
    struct thread *thread = current_thread();
    if (thread->process != process || thread->state != THREAD_RUNNING || thread->signal_mask & bit) {
        thread = process->threads;
        while (thread && thread->signal_mask & bit) thread = thread->next;
    }
    if (thread) wake(thread);
}

static void wake_all(struct process *process) {
    for (struct thread *thread = process->threads; thread; thread = thread->next) wake(thread);
}

/* thread: NULL for the process as a whole. */
static int generate(struct process *process, struct thread *thread, const struct signal_info *info) {
    struct signal_state *state = process->signals;
    uint64_t bit = SIGNAL_BIT(info->number), *pending = thread ? &thread->signal_pending : &process->signal_pending;
    struct queued_signal **link = thread ? &thread->signals->queue : &state->queue;
    const struct thread *judge = thread ? thread : process->threads;
    if (!judge) return 0; /* it has ended */
    if (info->number == SIGCONT) {
        discard(process, STOPS);
        if (process->stopped) {
            process->stopped = false;
            wake_all(process);
            if (process_changed) process_changed(process, PROCESS_CONTINUED);
        }
    } else if (bit & STOPS) {
        discard(process, SIGNAL_BIT(SIGCONT));
    }
    if (signal_ignored(state, info->number) && !(judge->signal_mask & bit)) return 0;
    bool must_queue = info->number >= REAL_TIME || info->code == SI_TIMER;
    if (!must_queue && *pending & bit) return 0;
    if (must_queue && state->queued >= MOST_QUEUED) return -EAGAIN;
    struct queued_signal *entry = kmalloc(sizeof *entry);
    if (entry) {
        *entry = (struct queued_signal){NULL, *info};
        state->queued++;
        while (*link) link = &(*link)->next;
        *link = entry;
    } else if (must_queue) {
        return -EAGAIN;
    } /* else it is delivered without its particulars */
    *pending |= bit;
    if (info->number == SIGKILL) wake_all(process);
    else if (thread) wake(thread);
    else wake_one(process, bit);
    if (signal_arrivals.first) wait_queue_wake(&signal_arrivals, -1);
    return 0;
}

int signal_send(struct process *process, const struct signal_info *info) { return generate(process, NULL, info); }
int signal_send_thread(struct thread *thread, const struct signal_info *info) { return generate(thread->process, thread, info); }

bool signal_send_timer(struct process *process, struct thread *thread, const struct signal_info *info) {
    const struct thread *judge = thread ? thread : process->threads;
    if (!judge || (signal_ignored(process->signals, info->number) && !(judge->signal_mask & SIGNAL_BIT(info->number)))) return false;
    return !generate(process, thread, info);
}

void signal_raise(int number) {
    signal_send_thread(current_thread(), &(struct signal_info){.number = number, .code = SI_KERNEL});
    signal_point(); /* linked programs: nothing else would, at the end of the call */
}

/* Takes the oldest of `number` from a queue. */
static void take_from(struct signal_state *state, struct queued_signal **link, uint64_t *pending, int number, struct signal_info *out) {
    bool found = false, more = false;
    while (*link && !more) {
        struct queued_signal *entry = *link;
        if (entry->info.number != number) {
            link = &entry->next;
        } else if (found) {
            more = true;
        } else {
            *out = entry->info;
            *link = entry->next;
            state->queued--;
            kfree(entry);
            found = true;
        }
    }
    if (!more) *pending &= ~SIGNAL_BIT(number);
}

bool signal_take(uint64_t set, struct signal_info *out) {
    /* The thread's own before the process's; faults before all others, then by number, as Linux does. */
    const uint64_t faults = SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS);
    struct thread *thread = current_thread();
    struct process *process = thread->process;
    uint64_t ready = (thread->signal_pending | process->signal_pending) & set;
    if (!ready) return false;
    if (ready & SIGNAL_BIT(SIGKILL)) ready = SIGNAL_BIT(SIGKILL);
    else if (thread->signal_pending & set) ready = thread->signal_pending & set;
    if (ready & faults) ready &= faults;
    int number = __builtin_ctzll(ready) + 1;
    *out = (struct signal_info){.number = number, .code = SI_USER};
    if (thread->signal_pending & SIGNAL_BIT(number))
        take_from(process->signals, &thread->signals->queue, &thread->signal_pending, number, out);
    else
        take_from(process->signals, &process->signals->queue, &process->signal_pending, number, out);
    if (out->code == SI_TIMER && posix_timer_taken) posix_timer_taken(out);
    return true;
}

void signal_set_mask(uint64_t mask) {
    current_thread()->signal_mask = mask & ~SIGNALS_UNBLOCKABLE;
    if (signal_waits()) arch_work = 1;
}

void signal_forget_ignored(int number) { /* a pending signal whose action became "ignore" is dropped, blocked or not */
    if (signal_ignored(signal_state(), number)) discard(current_process(), SIGNAL_BIT(number));
}

/*
 * Pending signals: generation, the queue, what is ignored. An ordinary signal waits at most once, a real-time one (32 and above)
 * as often as it was sent. thread.signal_pending is the set of what the queue holds.
 */
#include "signal/internal.h"
#include "memory/memory.h"

enum { REAL_TIME = 32, MOST_QUEUED = 4096 };

static struct signal_state first_state = {.stack = {.flags = SS_DISABLE}};

struct signal_state *signal_state_first(void) {
    return &first_state;
}

enum default_action signal_default(int number) {
    switch (number) {
    case SIGCHLD: case SIGURG: case SIGWINCH: return ACTION_IGNORE;
    case SIGCONT: return ACTION_CONTINUE;
    case SIGSTOP: case SIGTSTP: case SIGTTIN: case SIGTTOU: return ACTION_STOP;
    default: return ACTION_END;
    }
}

bool signal_ignored(const struct signal_state *state, int number) {
    uint64_t handler = state->actions[number - 1].handler;
    if (handler == SIGNAL_DEFAULT) return signal_default(number) == ACTION_IGNORE;
    return handler == SIGNAL_IGNORE;
}

static struct queued_signal *unlink_signal(struct signal_state *state, struct queued_signal **link) {
    struct queued_signal *entry = *link;
    if (!(*link = entry->next)) state->queue_end = link;
    state->queued--;
    return entry;
}

/* Drops every pending signal of the set. */
static void discard(struct signal_state *state, uint64_t set) {
    for (struct queued_signal **link = &state->queue; *link;) {
        if (set & SIGNAL_BIT((*link)->info.number)) kfree(unlink_signal(state, link));
        else link = &(*link)->next;
    }
    current_thread()->signal_pending &= ~set;
}

int signal_send(struct process *process, const struct signal_info *info) {
    struct signal_state *state = process->signals;
    struct thread *thread = current_thread();
    uint64_t bit = SIGNAL_BIT(info->number);
    const uint64_t stops = SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU);
    if (info->number == SIGCONT) discard(state, stops);
    else if (bit & stops) discard(state, SIGNAL_BIT(SIGCONT));
    /* A stopped process must see SIGCONT even where it is ignored. */
    if (signal_ignored(state, info->number) && !(thread->signal_mask & bit) && info->number != SIGCONT) return 0;
    if (info->number < REAL_TIME && thread->signal_pending & bit) return 0;
    if (info->number >= REAL_TIME && state->queued >= MOST_QUEUED) return -EAGAIN;
    struct queued_signal *entry = kmalloc(sizeof *entry);
    if (entry) {
        *entry = (struct queued_signal){NULL, *info};
        if (!state->queue) state->queue_end = &state->queue;
        *state->queue_end = entry;
        state->queue_end = &entry->next;
        state->queued++;
    } else if (info->number >= REAL_TIME) {
        return -EAGAIN;
    } /* else it is delivered without its particulars */
    thread->signal_pending |= bit;
    arch_work = 1;
    return 0;
}

void signal_raise(int number) {
    signal_send(current_process(), &(struct signal_info){.number = number, .code = SI_KERNEL});
}

bool signal_take(uint64_t set, struct signal_info *out) {
    /* Faults before all others, then by number, as Linux does. */
    const uint64_t faults = SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS);
    struct thread *thread = current_thread();
    uint64_t ready = thread->signal_pending & set;
    if (!ready) return false;
    if (ready & SIGNAL_BIT(SIGKILL)) ready = SIGNAL_BIT(SIGKILL);
    else if (ready & faults) ready &= faults;
    int number = __builtin_ctzll(ready) + 1;
    struct signal_state *state = signal_state();
    bool found = false, more = false;
    *out = (struct signal_info){.number = number, .code = SI_USER};
    for (struct queued_signal **link = &state->queue; *link;) {
        if ((*link)->info.number != number) {
            link = &(*link)->next;
        } else if (found) {
            more = true;
            break;
        } else {
            struct queued_signal *entry = unlink_signal(state, link);
            *out = entry->info;
            kfree(entry);
            found = true;
        }
    }
    if (!more) thread->signal_pending &= ~SIGNAL_BIT(number);
    return true;
}

void signal_set_mask(uint64_t mask) {
    current_thread()->signal_mask = mask & ~SIGNALS_UNBLOCKABLE;
    if (signal_waits()) arch_work = 1;
}

void signal_forget_ignored(int number) { /* a pending signal whose action became "ignore" is dropped, blocked or not */
    struct signal_state *state = signal_state();
    if (signal_ignored(state, number)) discard(state, SIGNAL_BIT(number));
}

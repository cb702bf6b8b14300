/* Signal state of further threads and processes: what they inherit, what exec resets, what goes when they end. */
#include "signal/internal.h"
#include "memory/memory.h"

struct signal_thread *signal_thread_create(void) {
    struct signal_thread *made = kzalloc(sizeof *made);
    if (made) made->stack.flags = SS_DISABLE;
    return made;
}

static void drop(struct signal_state *state, struct queued_signal **queue) {
    while (*queue) {
        struct queued_signal *entry = *queue;
        *queue = entry->next;
        if (state) state->queued--;
        kfree(entry);
    }
}

void signal_thread_end(struct thread *thread) {
    drop(thread->process->signals, &thread->signals->queue);
    if (thread != &first_thread) kfree(thread->signals);
    thread->signals = NULL;
}

struct signal_state *signal_state_copy(const struct signal_state *from) {
    struct signal_state *made = kzalloc(sizeof *made);
    if (made) __builtin_memcpy(made->actions, from->actions, sizeof made->actions);
    return made;
}

struct signal_state *signal_state_create(void) { return kzalloc(sizeof(struct signal_state)); }

void signal_state_end(struct process *process) {
    drop(process->signals, &process->signals->queue);
    if (process != &first_process) kfree(process->signals);
    process->signals = NULL;
}

void signal_thread_inherit(struct thread *thread) { thread->signals->stack = signal_thread()->stack; }
int signal_stopped_by(const struct process *process) { return process->signals->stopped_by; }

void signal_reset(struct signal_state *state) {
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        uint64_t handler = state->actions[i].handler;
        state->actions[i] = (struct signal_action){.handler = handler == SIGNAL_IGNORE ? SIGNAL_IGNORE : SIGNAL_DEFAULT};
    }
}

void signal_exec(void) {
    signal_reset(signal_state());
    current_thread()->signals->stack = (struct signal_stack){.flags = SS_DISABLE};
}

bool signal_action_is_ignore(const struct process *process, int number) {
    return process->signals->actions[number - 1].handler == SIGNAL_IGNORE;
}
bool signal_no_child_wait(const struct process *process) {
    const struct signal_action *action = &process->signals->actions[SIGCHLD - 1];
    return action->handler == SIGNAL_IGNORE || action->flags & SA_NOCLDWAIT;
}
bool signal_no_child_stop(const struct process *process) { return process->signals->actions[SIGCHLD - 1].flags & SA_NOCLDSTOP; }

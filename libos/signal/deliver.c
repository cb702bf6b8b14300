/*
 * Delivery: on the way back to program text, by changing the frame that the program continues with.
 */
#include "signal/internal.h"
#include "abi/boot_abi.h"
#include "channel/channel.h"
#include "init/init.h"
#include "job-control/job_control.h"
#include "wait/wait.h"

#pragma weak process_changed
#pragma weak job_control_orphaned

static void signal_start(void) {
    signal_start_first();
}
HULL_INIT(5, signal_start);

/* From outside: `hull stop`, Ctrl-C. The default action counts even though the program is process 1: there is nobody else. */
static void from_host(const void *payload, size_t size) {
    uint32_t number;
    if (size < sizeof number) return;
    __builtin_memcpy(&number, payload, sizeof number);
    if (number >= 1 && number <= SIGNAL_COUNT)
        signal_send(&first_process, &(struct signal_info){.number = (int)number, .code = SI_USER});
}
HULL_CHANNEL_HANDLER(5, signal_from_host) = {HULL_RECORD_SIGNAL, from_host};

static bool may_continue(void *argument) {
    struct process *process = argument;
    return !process->stopped || process->ending || (process->signal_pending | current_thread()->signal_pending) & SIGNAL_BIT(SIGKILL);
}

/* All threads of a stopped process come here on their way out. */
static void stay_stopped(struct process *process) {
    struct wait_queue nobody = {0};
    wait_until(&nobody, may_continue, process, 0, false);
}

/* Nobody would continue a process of an orphaned group: of the signals that stop only SIGSTOP does. */
static bool may_stop(int number) {
    return number == SIGSTOP || (job_control_orphaned && !job_control_orphaned(current_process()->group, NULL));
}

static void stop(struct process *process, int number) {
    process->stopped = true;
    process->signals->stopped_by = number;
    arch_work = 1; /* for the others */
    if (process_changed) process_changed(process, PROCESS_STOPPED);
}

static bool run_handler(struct trap_frame *frame, const struct signal_info *info, const uintptr_t *fault_address) {
    struct signal_thread *state = signal_thread();
    struct thread *thread = current_thread();
    struct signal_action *action = &signal_state()->actions[info->number - 1], run = *action;
    uintptr_t sp = arch_frame_stack(frame);
    bool on_stack = sp - state->stack.base < state->stack.size && !(state->stack.flags & (SS_DISABLE | SS_AUTODISARM));
    bool switch_stack = run.flags & SA_ONSTACK && !(state->stack.flags & SS_DISABLE) && !on_stack;
    uint64_t mask = thread->mask_saved ? state->saved_mask : thread->signal_mask;
    struct signal_stack reported = state->stack;
    if (on_stack) reported.flags |= SS_ONSTACK;
    if (!arch_signal_frame(frame, &run, info, &reported, switch_stack, mask, fault_address)) return false;
    thread->mask_saved = false;
    if (switch_stack && state->stack.flags & SS_AUTODISARM) state->stack = (struct signal_stack){.flags = SS_DISABLE};
    if (run.flags & SA_RESETHAND) action->handler = SIGNAL_DEFAULT;
    uint64_t block = run.mask | (run.flags & SA_NODEFER ? 0 : SIGNAL_BIT(info->number));
    thread->signal_mask = (thread->signal_mask | block) & ~SIGNALS_UNBLOCKABLE;
    return true;
}

void signal_deliver(struct trap_frame *frame) {
    struct signal_state *state = signal_state();
    struct signal_info info;
    bool interrupted = false;
    for (;;) {
        if (current_process()->stopped) stay_stopped(current_process());
        if (!signal_take(~current_thread()->signal_mask, &info)) break;
        const struct signal_action *action = &state->actions[info.number - 1];
        if (action->handler == SIGNAL_IGNORE) continue;
        if (action->handler == SIGNAL_DEFAULT) {
            switch (signal_default(info.number)) {
            case ACTION_END: machine_exit((uint32_t)info.number);
            case ACTION_STOP: if (may_stop(info.number)) stop(current_process(), info.number); break;
            default: break;
            }
            continue;
        }
        if (!interrupted) arch_signal_restart(frame, action->flags & SA_RESTART ? RESTART_ASKED : RESTART_NONE);
        interrupted = true;
        if (!run_handler(frame, &info, NULL)) {
            log_line("signal %d: no room for its frame on the program's stack", info.number);
            machine_exit(SIGSEGV);
        }
    }
    if (!interrupted) {
        arch_signal_restart(frame, RESTART_UNNOTICED);
        if (current_thread()->mask_saved) {
            current_thread()->mask_saved = false;
            signal_set_mask(signal_thread()->saved_mask);
        }
    }
}

bool signal_raise_fault(struct trap_frame *frame, int number, int code, uintptr_t address) {
    struct signal_state *state = signal_state();
    uint64_t handler = state->actions[number - 1].handler;
    if (handler == SIGNAL_DEFAULT || handler == SIGNAL_IGNORE || current_thread()->signal_mask & SIGNAL_BIT(number)) return false;
    struct signal_info info = {.number = number, .code = code, .address = address};
    if (code == SI_KERNEL) info.address = 0;
    uintptr_t told = arch_frame_has_address(frame) ? address : 0;
    return run_handler(frame, &info, &told);
}

int signal_interrupted(void) { return (int)signal_point(); }

void signal_mask_for_call(uint64_t mask) {
    signal_thread()->saved_mask = current_thread()->signal_mask;
    current_thread()->mask_saved = true;
    signal_set_mask(mask);
    arch_work = 1; /* so that the mask comes back even when no signal came */
}

/*
 * Only a call that was interrupted keeps its mask until the handlers have their frames. Any other must not run handlers that only this mask let through; and a
 * linked program, which runs on without a way out, must not keep the mask.
 */
long signal_mask_call_end(long result) {
    if (result == -EINTR || !current_thread()->mask_saved) return result;
    current_thread()->mask_saved = false;
    signal_set_mask(signal_thread()->saved_mask);
    signal_point();
    return result;
}

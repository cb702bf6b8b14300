/*
 * The way back from signal handlers, and calls that begin anew after one. Part of `signal`, for all instruction sets; how frames are laid out is in each one's
 * signal_frame.c.
 */
#include "signal/internal.h"
#include "channel/channel.h"
#include "init/init.h"
#include "internal.h"

uintptr_t arch_call_sp(void) {
    if (!&exec_binary_program) return (uintptr_t)__builtin_frame_address(0);
    return arch_frame_stack((struct trap_frame *)arch_cpu.call_frame);
}

void arch_signal_restart(struct trap_frame *frame, enum restart how) {
    bool limited = current_thread()->wait_limited;
    current_thread()->wait_limited = false;
    if (arch_frame_origin(frame) == TRAP_ERROR_POINT) arch_frame_set_result(frame, how);
    uint64_t result = arch_frame_result(frame);
    if (arch_frame_origin(frame) != TRAP_ERROR_SYSCALL || (result != (uint64_t)-EINTR && result != (uint64_t)-ERESTARTNOINTR)) return;
    bool always = result == (uint64_t)-ERESTARTNOINTR;
    if (!always && (how == RESTART_NONE || (how == RESTART_ASKED && (limited || arch_signal_never_restarts(arch_frame_call(frame)))))) return;
    arch_frame_call_again(frame);
}

/* The handler is done: its frame is where the program's stack pointer was, which linked programs pass. */
SYSCALL_DEFINE(rt_sigreturn, uintptr_t at) {
    struct trap_frame own, *frame = &own;
    uint64_t mask;
    struct signal_stack stack;
    if (&exec_binary_program) {
        frame = (struct trap_frame *)arch_cpu.call_frame;
        at = arch_frame_stack(frame);
    }
    if (!arch_signal_return(frame, at, &mask, &stack)) {
        log_line("signal: a handler returned to a frame that cannot be believed, at %p", (void *)at);
        machine_exit(SIGSEGV);
    }
    if (!(stack.flags & ~SS_AUTODISARM)) signal_thread()->stack = (struct signal_stack){stack.base, stack.flags, 0, stack.size};
    signal_set_mask(mask);
    arch_irq_save(); /* nothing may come between the last look and the program */
    if (arch_work) arch_work_run(frame);
    arch_return_to_program(frame);
}

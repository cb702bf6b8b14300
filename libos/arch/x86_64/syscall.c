/* Turning the SYSCALL instruction on, and entering a binary program. */
#include "internal.h"

#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
#define FLAG_TRAP 0x100u
#define FLAG_DIRECTION 0x400u
#define FLAG_NESTED 0x4000u
#define FLAG_ALIGNMENT 0x40000u

#pragma GCC visibility push(hidden)
extern char arch_syscall_entry[], arch_syscall_exit[], arch_syscall_exit_jump[], arch_syscall_exit_flags[], arch_syscall_exit_flags_end[];
void arch_syscall_restart(struct trap_frame *frame);
uintptr_t trace_entry(void) __attribute__((weak)); /* by `trace`: the entry to use instead, or 0 */
#pragma GCC visibility pop

void arch_thread_enter_program(uintptr_t pc, uintptr_t sp) {
    msr_write(MSR_STAR, (uint64_t)SELECTOR_CODE << 32);
    uintptr_t traced = trace_entry ? trace_entry() : 0;
    msr_write(MSR_LSTAR, traced ? traced : (uintptr_t)arch_syscall_entry);
    msr_write(MSR_FMASK, FLAG_TRAP | FLAG_DIRECTION | FLAG_NESTED | FLAG_ALIGNMENT);
    struct trap_frame frame = {.rip = pc, .rsp = sp, .cs = SELECTOR_CODE, .ss = SELECTOR_DATA, .rflags = 0x202};
    arch_return_to_program(&frame);
}

/* A trap on the way out of a system call: syscall_entry.S says what a restart means. */
/* Also: the hlt of a program that is part of the image was replaced (compiler/arch/x86_64/analyze/halts.ts), as it does not fault here. It is what Linux makes of it. */
void arch_syscall_restart(struct trap_frame *frame) {
    enum { INVALID_OPCODE = 6, GENERAL_PROTECTION = 13, REPLACED_HALT = 0x37 };
    if (frame->vector == INVALID_OPCODE && *(const uint8_t *)frame->rip == REPLACED_HALT) frame->vector = GENERAL_PROTECTION;
    if (frame->rip - (uintptr_t)arch_syscall_exit_flags <= (uintptr_t)(arch_syscall_exit_flags_end - arch_syscall_exit_flags)) frame->rax = frame->rcx;
    if (frame->rip - (uintptr_t)arch_syscall_exit < (uintptr_t)(arch_syscall_exit_jump - arch_syscall_exit))
        frame->rip = (uintptr_t)arch_syscall_exit;
    else if (frame->rip == (uintptr_t)arch_syscall_exit_jump)
        frame->rip = frame->rcx;
}

/* Entering a binary program: from then on the exception vectors are those that know system calls. */
#include "internal.h"

#pragma GCC visibility push(hidden)
extern char arch_syscall_entry[];
uintptr_t trace_entry(void) __attribute__((weak)); /* by `trace`: the vectors to use instead, or 0 */
#pragma GCC visibility pop

void arch_thread_enter_program(uintptr_t pc, uintptr_t sp) {
    uintptr_t traced = trace_entry ? trace_entry() : 0;
    struct trap_frame frame;
    __asm__ volatile("msr vbar_el1, %0\n\tisb" ::"r"(traced ? traced : (uintptr_t)arch_syscall_entry) : "memory");
    arch_frame_start(&frame, pc, sp);
    arch_return_to_program(&frame);
}

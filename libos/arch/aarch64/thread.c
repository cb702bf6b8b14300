/*
 * Threads: what lies on their kernel stacks at first, and switching. Who switches away saves its own floating-point registers and thread pointer, and
 * loads them again when it runs on: nothing is saved for a thread that never switches.
 */
#include "internal.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "memory/stacks.h"
#include "syscall/errno.h"

#pragma GCC visibility push(hidden)
void arch_switch_stack(uintptr_t *save_sp, uintptr_t load_sp);
void arch_thread_trampoline(void);
void arch_thread_begin(struct arch_thread *thread);
#pragma GCC visibility pop

static void tls_save(struct arch_thread *thread) { __asm__ volatile("mrs %0, tpidr_el0" : "=r"(thread->tls)); }

void arch_thread_begin(struct arch_thread *thread) {
    arch_fpu_load(thread->fpu);
    __asm__ volatile("msr tpidr_el0, %0" ::"r"(thread->tls));
}

static void set_kernel_stack(const struct arch_thread *thread) {
    arch_cpu.stack_bottom = thread->stack_bottom;
    arch_cpu.stack_top = thread->stack_top;
    arch_cpu.call_frame = thread->stack_top - sizeof(struct trap_frame);
}

void arch_switch(struct arch_thread *from, struct arch_thread *to) {
    arch_thread_inherit(from);
    set_kernel_stack(to);
    arch_switch_stack(&from->saved_sp, to->saved_sp);
    arch_thread_begin(from); /* back again */
}

void arch_frame_start(struct trap_frame *frame, uintptr_t pc, uintptr_t sp) {
    *frame = (struct trap_frame){.pc = pc, .sp = sp, .pstate = PSTATE_PROGRAM};
}

int arch_thread_adopt(struct arch_thread *thread) {
    if (!thread->fpu) {
        thread->stack_bottom = arch_cpu.stack_bottom;
        thread->stack_top = arch_cpu.stack_top;
        thread->fpu = kzalloc(sizeof *thread->fpu);
    }
    return thread->fpu ? 0 : -ENOMEM;
}

int arch_thread_prepare(struct arch_thread *thread, void (*entry)(void *), void *argument) {
    thread->fpu = kzalloc(sizeof *thread->fpu);
    thread->stack_bottom = thread->fpu ? stack_create() : 0;
    if (!thread->stack_bottom) {
        kfree(thread->fpu);
        return -ENOMEM;
    }
    thread->stack_top = thread->stack_bottom + STACK_KERNEL_PAGES * PAGE_SIZE;
    uintptr_t *sp = (uintptr_t *)arch_thread_frame(thread) - 12; /* as arch_switch_stack lays it out */
    memset(sp, 0, 12 * sizeof *sp);
    sp[1] = (uintptr_t)arch_thread_trampoline; /* x30 */
    sp[2] = (uintptr_t)entry;                  /* x19 */
    sp[3] = (uintptr_t)argument;               /* x20 */
    sp[4] = (uintptr_t)thread;                 /* x21 */
    thread->saved_sp = (uintptr_t)sp;
    return 0;
}

void arch_thread_inherit(struct arch_thread *thread) {
    arch_fpu_save(thread->fpu);
    tls_save(thread);
}

void arch_thread_reset(struct arch_thread *thread) {
    static const struct arch_fpu initial;
    arch_fpu_load(&initial);
    __asm__ volatile("msr tpidr_el0, xzr");
    (void)thread; /* what it is saved to is written anew when it is switched away from */
}

void arch_thread_free(struct arch_thread *thread) {
    kfree(thread->fpu);
    stack_free(thread->stack_bottom);
}

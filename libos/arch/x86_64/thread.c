/*
 * Threads: what lies on their kernel stacks at first, and switching. Who switches away saves its own FPU state and segment bases, and
 * loads them again when it runs on: nothing is saved for a thread that never switches.
 */
#include "internal.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "memory/stacks.h"
#include "syscall/errno.h"

#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101

#pragma GCC visibility push(hidden)
void arch_switch_stack(uintptr_t *save_sp, uintptr_t load_sp);
void arch_thread_trampoline(void);
void arch_thread_begin(struct arch_thread *thread);
#pragma GCC visibility pop

static bool have_xsave(void) { return cpuid(1, 0).c >> 27 & 1; } /* OSXSAVE: turned on by start.c */

static void fpu_save(void *area) {
    if (have_xsave())
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

static void fpu_load(const void *area) {
    if (have_xsave())
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

static void fpu_initial(uint8_t *area) {
    *(uint16_t *)area = 0x37f;         /* FCW */
    *(uint32_t *)(area + 24) = 0x1f80; /* MXCSR */
}

static void *fpu_create(void) {
    _Static_assert(PAGE_SIZE >= 2696, "x87, SSE, AVX and AVX-512 state in one page");
    uint8_t *area = page_alloc_zeroed();
    if (area)
        fpu_initial(area);
    return area;
}

void arch_thread_begin(struct arch_thread *thread) {
    fpu_load(thread->fpu);
    msr_write(MSR_FS_BASE, thread->fs_base);
    msr_write(MSR_GS_BASE, thread->gs_base);
}

static void set_kernel_stack(const struct arch_thread *thread) {
    arch_cpu.stack_bottom = thread->stack_bottom;
    arch_cpu.stack_top = thread->stack_top;
    arch_cpu.call_frame = thread->stack_top - sizeof(struct trap_frame);
}

void arch_switch(struct arch_thread *from, struct arch_thread *to) {
    fpu_save(from->fpu);
    from->fs_base = msr_read(MSR_FS_BASE);
    from->gs_base = msr_read(MSR_GS_BASE);
    set_kernel_stack(to);
    arch_switch_stack(&from->saved_sp, to->saved_sp);
    arch_thread_begin(from); /* back again */
}

void arch_frame_start(struct trap_frame *frame, uintptr_t pc, uintptr_t sp) {
    *frame = (struct trap_frame){.rip = pc, .rsp = sp, .cs = SELECTOR_CODE, .ss = SELECTOR_DATA, .rflags = 0x202};
}

int arch_thread_adopt(struct arch_thread *thread) {
    if (!thread->fpu) {
        thread->stack_bottom = arch_cpu.stack_bottom;
        thread->stack_top = arch_cpu.stack_top;
        thread->fpu = fpu_create();
    }
    return thread->fpu ? 0 : -ENOMEM;
}

int arch_thread_prepare(struct arch_thread *thread, void (*entry)(void *), void *argument) {
    thread->fpu = fpu_create();
    thread->stack_bottom = thread->fpu ? stack_create() : 0;
    if (!thread->stack_bottom) {
        if (thread->fpu)
            pages_free(thread->fpu, 1);
        return -ENOMEM;
    }
    thread->stack_top = thread->stack_bottom + STACK_KERNEL_PAGES * PAGE_SIZE;
    uintptr_t *sp = (uintptr_t *)arch_thread_frame(thread) - 8;
    sp[0] = sp[1] = sp[4] = sp[7] = 0; /* r15 r14 rbp, alignment */
    sp[2] = (uintptr_t)thread;         /* r13 */
    sp[3] = (uintptr_t)argument;       /* r12 */
    sp[5] = (uintptr_t)entry;          /* rbx */
    sp[6] = (uintptr_t)arch_thread_trampoline;
    thread->saved_sp = (uintptr_t)sp;
    return 0;
}

void arch_thread_inherit(struct arch_thread *thread) {
    fpu_save(thread->fpu);
    thread->fs_base = msr_read(MSR_FS_BASE);
    thread->gs_base = msr_read(MSR_GS_BASE);
}

void arch_thread_reset(struct arch_thread *thread) {
    if (thread->fpu) {
        memset(thread->fpu, 0, PAGE_SIZE);
        fpu_initial(thread->fpu);
        fpu_load(thread->fpu);
    } else {
        __asm__ volatile("fninit");
    }
    msr_write(MSR_FS_BASE, 0);
    msr_write(MSR_GS_BASE, 0);
}

void arch_thread_free(struct arch_thread *thread) {
    pages_free(thread->fpu, 1);
    stack_free(thread->stack_bottom);
}

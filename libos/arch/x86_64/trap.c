/*
 * Exceptions and interrupts after the registers are saved. Which stack they are handled on, what a fault means and to whom
 * it belongs: to the program (a signal, or its end) or to the libOS (panic).
 */
#include "init/image.h"
#include "init/init.h"
#include "channel/channel.h"
#include "internal.h"
#include "lib/string.h"

#pragma GCC visibility push(hidden)
struct trap_frame *arch_trap_place(struct trap_frame *frame);
void arch_trap(struct trap_frame *frame);
void arch_irq(unsigned vector, bool libos) __attribute__((weak)); /* interrupt.c, when something registers interrupts */
void run_deferred(void) __attribute__((weak));
extern int vm_fault_reason __attribute__((weak)); /* by whoever defines vm_fault: signal << 8 | si_code */
/* Where arch_copy_faultable may fault, and where it then goes on; weak: absent when nothing copies. */
/* syscall_entry.S: the restartable way out of a system call; weak: absent in linked images. */
extern char arch_syscall_exit[] __attribute__((weak)), arch_syscall_exit_jump[] __attribute__((weak));
extern char arch_copy_faults[] __attribute__((weak)), arch_copy_recovers[] __attribute__((weak));
#pragma GCC visibility pop

#define VECTOR_NMI 2
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_PAGE_FAULT 14
#define VECTOR_MACHINE_CHECK 18
#define VECTOR_IRQ 32

#pragma weak vm_fault
#pragma weak signal_raise_fault
#pragma weak signal_deliver

enum { SIGILL_ = 4, SIGTRAP_ = 5, SIGBUS_ = 7, SIGFPE_ = 8, SIGSEGV_ = 11 };

bool arch_in_libos(uintptr_t pc) {
    return pc - (uintptr_t)hull_libos_text_start < (uintptr_t)(hull_libos_text_end - hull_libos_text_start);
}

/*
 * A fault's work may sleep or fault again, so it must not stay on the IST stack. It moves to the kernel stack: below the
 * interrupted code's own frames when that ran there, else to its top. What stays: interrupts of the libOS (top halves
 * are short), what can hit anywhere, and an overflow of the kernel stack itself.
 */
struct trap_frame *arch_trap_place(struct trap_frame *frame) {
    if (frame->rip - (uintptr_t)arch_syscall_exit < (uintptr_t)(arch_syscall_exit_jump - arch_syscall_exit))
        frame->rip = (uintptr_t)arch_syscall_exit;
    else if (arch_syscall_exit && frame->rip == (uintptr_t)arch_syscall_exit_jump)
        frame->rip = frame->rcx;
    bool libos = arch_in_libos(frame->rip);
    if ((frame->vector >= VECTOR_IRQ && libos) || frame->vector == VECTOR_NMI || frame->vector == VECTOR_DOUBLE_FAULT ||
        frame->vector == VECTOR_MACHINE_CHECK)
        return frame;
    uintptr_t bottom = arch_cpu.stack_bottom, sp = arch_cpu.stack_top;
    if (frame->rsp - (bottom - 4096) < sp - (bottom - 4096)) { /* with the guard page below */
        sp = frame->rsp;
        if (sp < bottom + 2048)
            return frame;
    }
    struct trap_frame *moved = (struct trap_frame *)(sp & ~15ul) - 1;
    return memcpy(moved, frame, sizeof(*frame));
}

/* Runs what waits for the way out to the program. */
void arch_work_run(struct trap_frame *frame) {
    while (arch_work) {
        arch_work = 0;
        if (run_deferred)
            run_deferred();
        if (signal_deliver)
            signal_deliver(frame);
    }
}

/* The signal that Linux sends for an exception; the code is si_code's. */
static int signal_of(unsigned vector, int *code) {
    *code = 0x80; /* SI_KERNEL */
    switch (vector) {
    case 0: *code = 1; return SIGFPE_; /* FPE_INTDIV */
    case 1: *code = 2; return SIGTRAP_; /* TRAP_TRACE */
    case 3: return SIGTRAP_;
    case 6: *code = 2; return SIGILL_; /* ILL_ILLOPN */
    case 12: return SIGBUS_;
    case 16:
    case 19: *code = 8; return SIGFPE_; /* FPE_CONDTRAP: which one is in the FPU's status */
    case 17: *code = 1; return SIGBUS_; /* BUS_ADRALN */
    case VECTOR_PAGE_FAULT: *code = 1; return SIGSEGV_; /* SEGV_MAPERR */
    default: return SIGSEGV_;
    }
}

static const char *signal_text(int signo) {
    switch (signo) {
    case SIGFPE_: return "Arithmetic exception";
    case SIGTRAP_: return "Trace trap";
    case SIGILL_: return "Illegal instruction";
    case SIGBUS_: return "Bus error";
    default: return "Segmentation fault";
    }
}

static void fault(struct trap_frame *frame) {
    uintptr_t address = 0;
    unsigned error = (unsigned)frame->error;
    const char *how = "at", *text;
    int code, signo = signal_of((unsigned)frame->vector, &code);
    text = signal_text(signo);
    if (frame->vector == VECTOR_PAGE_FAULT) {
        __asm__ volatile("movq %%cr2, %0" : "=r"(address));
        if (address < PROGRAM_END && vm_fault && vm_fault(frame, address, error))
            return;
        if (arch_copy_faults && frame->rip == (uintptr_t)arch_copy_faults) {
            frame->rip = (uintptr_t)arch_copy_recovers;
            return;
        }
        code += error & 1; /* SEGV_ACCERR */
        if (vm_fault && &vm_fault_reason && address < PROGRAM_END) {
            signo = vm_fault_reason >> 8;
            code = vm_fault_reason & 0xff;
            text = signal_text(signo);
        }
        how = error & 16 ? "execute at" : error & 2 ? "write at" : "read at";
    } else {
        address = frame->rip;
    }
    bool libos = arch_in_libos(frame->rip);
    if (!libos && signal_raise_fault && signal_raise_fault(frame, signo, code, address))
        return;
    log_line("%s: %s %p%s", text, how, (void *)address, libos ? " in the libOS" : "");
    report_frame(frame);
    if (libos)
        panic("arch: no fault in the libOS, vector %u error %x", (unsigned)frame->vector, error);
    machine_exit((uint32_t)signo);
}

void arch_trap(struct trap_frame *frame) {
    if (frame->vector < VECTOR_IRQ)
        fault(frame);
    else if (arch_irq)
        arch_irq((unsigned)frame->vector, arch_in_libos(frame->rip));
    if (!arch_in_libos(frame->rip))
        arch_work_run(frame);
}

/*
 * Exceptions and interrupts after the registers are saved. Which stack they are handled on, what a fault means and to whom
 * it belongs: to the program (a signal, or its end) or to the libOS (panic).
 */
#include "abi/boot_abi.h"
#include "arch/fault_report.h"
#include "init/image.h"
#include "init/init.h"
#include "channel/channel.h"
#include "internal.h"
#include "lib/string.h"

#pragma GCC visibility push(hidden)
struct trap_frame *arch_trap_place(struct trap_frame *frame);
void arch_trap(struct trap_frame *frame);
void arch_irq(unsigned vector, bool libos) __attribute__((weak)); /* interrupt.c, when something registers interrupts */
extern int vm_fault_reason __attribute__((weak)); /* by whoever defines vm_fault: signal << 8 | si_code */
/* Where arch_copy_faultable may fault, and where it then goes on (copy.S). */
void arch_syscall_restart(struct trap_frame *frame) __attribute__((weak)); /* syscall.c: the restartable way out of a system call */
extern char arch_copy_faults[];
#pragma GCC visibility pop

enum { COPY_TAIL = 7, COPY_LENGTH = 3 }; /* the second copying instruction, behind arch_copy_faults, and the length of both (copy.S) */
#define VECTOR_NMI 2
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_PAGE_FAULT 14
#define VECTOR_MACHINE_CHECK 18
#define VECTOR_IRQ 32

#pragma weak vm_fault
#pragma weak signal_raise_fault
#pragma weak arch_work_run

enum { SIGILL_ = 4, SIGTRAP_ = 5, SIGBUS_ = 7, SIGFPE_ = 8, SIGSEGV_ = 11 };

/*
 * A fault's work may sleep or fault again, so it must not stay on the IST stack. It moves to the kernel stack: below the
 * interrupted code's own frames when that ran there, else to its top. What stays: interrupts of the libOS (top halves
 * are short), what can hit anywhere, and an overflow of the kernel stack itself.
 */
struct trap_frame *arch_trap_place(struct trap_frame *frame) {
    if (arch_syscall_restart)
        arch_syscall_restart(frame);
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
    return (memcpy)(moved, frame, sizeof(*frame)); /* a call: the copy in line is longer */
}

/* The signal that Linux sends for an exception, and si_code in the high half (8: SI_KERNEL). */
static const uint8_t signals[22] = {
    [0] = 0x10 | SIGFPE_ /* FPE_INTDIV */,   [1] = 0x20 | SIGTRAP_ /* TRAP_TRACE */, [3] = 0x80 | SIGTRAP_,
    [6] = 0x20 | SIGILL_ /* ILL_ILLOPN */,   [12] = 0x80 | SIGBUS_,                  [VECTOR_PAGE_FAULT] = 0x10 | SIGSEGV_ /* SEGV_MAPERR */,
    [16] = 0x80 | SIGFPE_ /* FPE_CONDTRAP */, [17] = 0x10 | SIGBUS_ /* BUS_ADRALN */, [19] = 0x80 | SIGFPE_,
};

static void fault(struct trap_frame *frame) {
    uintptr_t address = frame->rip;
    unsigned error = (unsigned)frame->error, known = signals[frame->vector];
    int signo = known ? known & 15 : SIGSEGV_, code = known & 0x80 || !known ? 0x80 : (int)(known >> 4);
    if (frame->vector == VECTOR_PAGE_FAULT) {
        __asm__ volatile("movq %%cr2, %0" : "=r"(address));
        if (address < PROGRAM_END && vm_fault && vm_fault(frame, address, error))
            return;
        code += error & 1; /* SEGV_ACCERR */
        if (&vm_fault_reason && address < PROGRAM_END) {
            signo = vm_fault_reason >> 8;
            code = vm_fault_reason & 0xff;
        }
    }
    if (frame->rip - (uintptr_t)arch_copy_faults <= COPY_TAIL) { /* also a general protection fault: an address that is not canonical */
        frame->rip += COPY_LENGTH;
        return;
    }
    bool libos = arch_in_libos(frame->rip);
    if (libos || !signal_raise_fault || !signal_raise_fault(frame, signo, code, address))
        fault_report_send(frame, address, (unsigned)signo | (libos ? FAULT_IN_LIBOS : 0));
}

void arch_trap(struct trap_frame *frame) {
    if (frame->vector < VECTOR_IRQ)
        fault(frame);
    else if (arch_irq)
        arch_irq((unsigned)frame->vector, arch_in_libos(frame->rip));
    if (arch_work_run && !arch_in_libos(frame->rip))
        arch_work_run(frame);
}

/*
 * Exceptions after the registers are saved. Which stack they are handled on, and to whom they belong: to the program (its end) or to the libOS.
 */
#include "arch/fault_report.h"
#include "channel/channel.h"
#include "init/image.h"
#include "init/init.h"
#include "internal.h"
#include "lib/string.h"

#pragma weak arch_page_fault
#pragma weak arch_work_run
#pragma weak signal_raise_fault
#pragma GCC visibility push(hidden)
struct trap_frame *arch_trap_place(struct trap_frame *frame);
void arch_trap(struct trap_frame *frame);
void arch_irq(bool libos) __attribute__((weak)); /* interrupt.c, when something registers interrupts */
extern char arch_copy_faults[], arch_copy_faults_end[]; /* copy.S */
#pragma GCC visibility pop

enum { SIGILL_ = 4, SIGTRAP_ = 5, SIGBUS_ = 7, SIGFPE_ = 8, SIGSEGV_ = 11 };

/* A fault's work may sleep or fault again, so it moves to the kernel stack: below the interrupted code's own frames when that ran there, else to its top. What
 * stays: interrupts of the libOS (top halves are short), and an overflow of the kernel stack itself. */
struct trap_frame *arch_trap_place(struct trap_frame *frame) {
    if (arch_irq && !frame->syndrome && arch_in_libos(frame->pc))
        return frame;
    uintptr_t bottom = arch_cpu.stack_bottom, sp = arch_cpu.stack_top;
    if (frame->sp - (bottom - 4096) < sp - (bottom - 4096)) { /* with the guard page below */
        sp = frame->sp;
        if (sp < bottom + 2048)
            return frame;
    }
    struct trap_frame *moved = (struct trap_frame *)(sp & ~15ul) - 1;
    return memcpy(moved, frame, sizeof(*frame));
}

/* The signal that Linux sends for an exception, and si_code. */
static int signal_of(const struct trap_frame *frame) {
    unsigned status = frame->syndrome & 63;
    switch (frame->syndrome >> 26 & 63) {
    case CLASS_FETCH:
    case CLASS_DATA:
        if (status == 0x21) return SIGBUS_ << 8 | 1; /* an alignment fault: BUS_ADRALN */
        return SIGSEGV_ << 8 | (status >> 2 == 3 ? 2 : 1); /* a permission fault (ESR_EL1, IFSC and DFSC): SEGV_ACCERR; SEGV_MAPERR */
    case CLASS_PC:
    case CLASS_SP:
        return SIGBUS_ << 8 | 1;
    case CLASS_FLOATING:
        return SIGFPE_ << 8;
    case CLASS_BREAK:
        return SIGTRAP_ << 8 | 1; /* TRAP_BRKPT */
    default:
        return SIGILL_ << 8 | 1; /* ILL_ILLOPC */
    }
}

static void fault(struct trap_frame *frame) {
    int signal = arch_page_fault ? arch_page_fault(frame) : -1;
    if (!signal)
        return;
    if (frame->pc - (uintptr_t)arch_copy_faults < (uintptr_t)(arch_copy_faults_end - arch_copy_faults)) {
        frame->pc = (uintptr_t)arch_copy_faults_end;
        return;
    }
    if (signal < 0)
        signal = signal_of(frame);
    unsigned class = frame->syndrome >> 26 & 63;
    bool aborted = class == CLASS_FETCH || class == CLASS_DATA;
    bool libos = arch_in_libos(frame->pc);
    uintptr_t address = aborted ? frame->address : frame->pc;
    if (libos || !signal_raise_fault || !signal_raise_fault(frame, signal >> 8, signal & 0xff, address))
        fault_report_send(frame, address, (unsigned)signal >> 8 | (libos ? FAULT_IN_LIBOS : 0));
}

void arch_trap(struct trap_frame *frame) {
    if (arch_irq && !frame->syndrome)
        arch_irq(arch_in_libos(frame->pc));
    else
        fault(frame);
    if (arch_work_run && !arch_in_libos(frame->pc))
        arch_work_run(frame);
}

/*
 * What a fault looked like, that nobody resolves. The report goes to the host as HULL_RECORD_FAULT, or, in images with the component `format`, through
 * report_fault (report.c) to the log as text.
 */
#ifndef HULL_ARCH_FAULT_REPORT_H
#define HULL_ARCH_FAULT_REPORT_H
#include "abi/boot_abi.h"
#include "arch/arch.h"

/* kind: the signal, and this bit. */
#define FAULT_IN_LIBOS 0x100
struct fault_report {
    uint64_t slide, address, kind;
    struct trap_frame frame;
    uint64_t stack[HULL_FAULT_STACK]; /* from the interrupted stack pointer, or the next page, up */
};
#pragma GCC visibility push(hidden)
/* Makes a report of the frame, kind: as above, and ends the program, or of a fault of the libOS the machine. */
_Noreturn void fault_report_send(const struct trap_frame *frame, uintptr_t address, unsigned kind);
/* Writes the report, of whose stack `words` are filled. Does not return from a fault of the libOS. */
void report_fault(const struct fault_report *report, unsigned words);
#pragma GCC visibility pop
#endif

/* Faults that end the program or the machine are told to the host (fault_report.h). */
#include "arch/fault_report.h"
#include "channel/channel.h"
#include "init/image.h"
#include "init/init.h"
#include "internal.h"

#pragma weak report_fault

bool arch_in_libos(uintptr_t pc) {
    return pc - (uintptr_t)hull_libos_text_start < (uintptr_t)(hull_libos_text_end - hull_libos_text_start);
}

/*
 * Programs and the libOS keep no frame pointers: the backtrace is made of the stack's words, as many as are mapped; after an overflow, those above the guard page.
 * They are not read from the exceptions' own stack: the fault of such a read would begin there anew.
 */
void fault_report_send(const struct trap_frame *frame, uintptr_t address, unsigned kind) {
    static struct fault_report report;
    report.slide = arch_slide;
    report.address = address;
    report.kind = kind;
    report.frame = *frame;
    size_t absent = sizeof(report.stack);
    uintptr_t sp = arch_frame_stack(frame) & ~7ul;
    if ((uintptr_t)frame - arch_cpu.stack_bottom < arch_cpu.stack_top - arch_cpu.stack_bottom)
        for (int pages = 0; pages < 2 && absent == sizeof(report.stack); pages++, sp = (sp | 4095) + 1)
            absent = arch_copy_faultable(report.stack, (void *)sp, absent);
    if (report_fault)
        report_fault(&report, HULL_FAULT_STACK - (unsigned)(absent / 8));
    else
        channel_write(HULL_RECORD_FAULT, &report, sizeof(report) - absent);
    if (kind & FAULT_IN_LIBOS)
        arch_power_off();
    machine_exit(kind);
}

/*
 * What a fault looked like, for the host's log: registers and a backtrace, which is what on the stack can be a return address: it lies in
 * text and follows a call instruction. Its twin for images without text is boot/abi/deferred.ts. Addresses that the host
 * can name are written as boot_abi.h says: [<link address>] for the image, {file address} for the embedded program. For all instruction sets; what only
 * the CPU's knows is in its report_inline.h.
 */
#include "arch/fault_report.h"
#include "channel/channel.h"
#include "init/image.h"
#include "init/init.h"
#include "lib/format.h"
#include "report_inline.h"

#define MOST_CALLERS 16

#pragma weak exec_file_address
#pragma weak arch_lookup /* component memory, in each image that has exec_file_address */
#pragma weak arch_root_current

static const char *place(char *to, size_t room, uintptr_t address) {
    uintptr_t named = address - arch_slide;
    if (address - (uintptr_t)hull_text_start < (uintptr_t)(hull_text_end - hull_text_start))
        format_text(to, room, "[<%lx>]", named);
    else if (exec_file_address && exec_file_address(address, &named))
        format_text(to, room, "{%lx}", named);
    else
        format_text(to, room, "0x%lx", address);
    return to;
}

static bool is_text(uintptr_t address) {
    uintptr_t in_file;
    unsigned protection;
    return address - (uintptr_t)hull_text_start < (uintptr_t)(hull_text_end - hull_text_start) ||
           (exec_file_address && exec_file_address(address, &in_file) &&
            arch_lookup(arch_root_current(), address, NULL, &protection) && (protection & MAP_EXEC));
}

static const char *signal_text(unsigned signo) {
    switch (signo) {
    case 8: return "Arithmetic exception";
    case 5: return "Trace trap";
    case 4: return "Illegal instruction";
    case 7: return "Bus error";
    default: return "Segmentation fault";
    }
}

void report_fault(const struct fault_report *report, unsigned words) {
    const struct trap_frame *frame = &report->frame;
    bool libos = report->kind & FAULT_IN_LIBOS;
    uintptr_t caller;
    char text[32];
    log_line("%s: %s %p%s", signal_text(report->kind & 0x7f), report_access(frame), (void *)report->address, libos ? " in the libOS" : "");
    report_registers(frame, place(text, sizeof(text), arch_frame_pc(frame)));
    if (report_caller(frame, &caller))
        log_line("  from %s", place(text, sizeof(text), caller));
    for (unsigned i = 0, callers = 0; i < words && callers < MOST_CALLERS; i++)
        if (is_text(report->stack[i] - 1) && report_follows_call(report->stack[i])) {
            log_line("  from %s", place(text, sizeof(text), report->stack[i]));
            callers++;
        }
    if (libos)
        report_panic(frame);
}

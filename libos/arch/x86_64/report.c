/*
 * What a fault looked like, for the host's log: registers and a backtrace by frame pointers. Addresses that the host can name are
 * written as boot_abi.h says: [<link address>] for the image, {file address} for the embedded program.
 */
#include "channel/channel.h"
#include "init/image.h"
#include "init/init.h"
#include "internal.h"
#include "lib/format.h"

#pragma weak exec_file_address

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

static const char *signal_text(unsigned signo) {
    switch (signo) {
    case 8: return "Arithmetic exception";
    case 5: return "Trace trap";
    case 4: return "Illegal instruction";
    case 7: return "Bus error";
    default: return "Segmentation fault";
    }
}

void report_fault(const struct fault_report *report, unsigned depth) {
    /* In memory order of struct trap_frame, from r15 to rax. */
    static const char names[15][4] = {"r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10",
                                      "r9",  "r8",  "rdi", "rsi", "rdx", "rcx", "rax"};
    const struct trap_frame *frame = &report->frame;
    const uint64_t *values = &frame->r15;
    const char *how = frame->vector != 14 ? "at" : frame->error & 16 ? "execute at" : frame->error & 2 ? "write at" : "read at";
    bool libos = report->kind & FAULT_IN_LIBOS;
    char text[32];
    log_line("%s: %s %p%s", signal_text(report->kind & 0x7f), how, (void *)report->address, libos ? " in the libOS" : "");
    log_line("  at %s rsp %lx flags %lx", place(text, sizeof(text), frame->rip), frame->rsp, frame->rflags);
    for (unsigned i = 0; i < 15; i += 3)
        log_line("  %s %016lx %s %016lx %s %016lx", names[i], values[i], names[i + 1], values[i + 1], names[i + 2], values[i + 2]);
    for (unsigned i = 0; i < depth; i++)
        log_line("  from %s", place(text, sizeof(text), report->from[i]));
    if (libos)
        panic("arch: no fault in the libOS, vector %u error %x", (unsigned)frame->vector, (unsigned)frame->error);
}

/*
 * What a fault looked like, for the host's log: registers and a backtrace, which is what on the stack can be a return address: it lies in
 * text and follows a call instruction. Its twin for images without text is boot/abi/deferred.ts. Addresses that the host
 * can name are written as boot_abi.h says: [<link address>] for the image, {file address} for the embedded program.
 */
#include "channel/channel.h"
#include "init/image.h"
#include "init/init.h"
#include "internal.h"
#include "lib/format.h"

#define MOST_CALLERS 16

#pragma weak exec_file_address
#pragma weak arch_lookup /* component memory, in each image that has exec_file_address */
#pragma weak arch_root_current

static const char *place(char *to, size_t room, uintptr_t address) {
    uintptr_t named = address - arch_slide;
    if (address - (uintptr_t)hull_text_start < (uintptr_t)(hull_rodata_start - hull_text_start))
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
    return address - (uintptr_t)hull_text_start < (uintptr_t)(hull_rodata_start - hull_text_start) ||
           (exec_file_address && exec_file_address(address, &in_file) &&
            arch_lookup(arch_root_current(), address, NULL, &protection) && (protection & MAP_EXEC));
}

/* Whether a call ends at `address`: BL or BLR (Arm Architecture Reference Manual, C6.2). */
static bool follows_call(uintptr_t address) {
    uint32_t code;
    if (address & 3 || !is_text(address - 4) || arch_copy_faultable(&code, (const void *)(address - 4), sizeof code))
        return false;
    return (code & 0xfc000000) == 0x94000000 || (code & 0xfffffc1f) == 0xd63f0000;
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
    unsigned class = frame->syndrome >> 26 & 63;
    const char *how = class == CLASS_FETCH ? "execute at" : class != CLASS_DATA ? "at" : frame->syndrome & 64 ? "write at" : "read at";
    bool libos = report->kind & FAULT_IN_LIBOS;
    char text[32];
    log_line("%s: %s %p%s", signal_text(report->kind & 0x7f), how, (void *)report->address, libos ? " in the libOS" : "");
    log_line("  at %s sp %lx pstate %lx", place(text, sizeof(text), frame->pc), frame->sp, frame->pstate);
    for (unsigned i = 0; i < 30; i += 3)
        log_line("  x%u %016lx x%u %016lx x%u %016lx", i, frame->x[i], i + 1, frame->x[i + 1], i + 2, frame->x[i + 2]);
    log_line("  from %s", place(text, sizeof(text), frame->x[30]));
    for (unsigned i = 0, callers = 0; i < words && callers < MOST_CALLERS; i++)
        if (follows_call(report->stack[i])) {
            log_line("  from %s", place(text, sizeof(text), report->stack[i]));
            callers++;
        }
    if (libos)
        panic("arch: no fault in the libOS, syndrome %lx", frame->syndrome);
}

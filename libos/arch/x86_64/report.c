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

/* Whether a near call ends at `address` (Intel SDM volume 2, CALL: E8 and FF /2; table 2-2 for the length). */
static bool follows_call(uintptr_t address) {
    uint8_t code[8]; /* the 7 bytes before it, and one to spare */
    if (!is_text(address - 1) || arch_copy_faultable(code, (const void *)(address - 7), 7))
        return false;
    if (code[2] == 0xe8)
        return true;
    for (unsigned at = 0; at < 6; at++) {
        unsigned mode = code[at + 1] >> 6, memory = code[at + 1] & 7, length = 2;
        if (code[at] != 0xff || (code[at + 1] & 0x38) != 0x10)
            continue;
        if (mode != 3 && memory == 4) {
            length++;
            memory = code[at + 2] & 7;
        }
        if (mode == 1)
            length++;
        if (mode == 2 || (mode == 0 && memory == 5))
            length += 4;
        if (at + length == 7)
            return true;
    }
    return false;
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
    for (unsigned i = 0, callers = 0; i < words && callers < MOST_CALLERS; i++)
        if (follows_call(report->stack[i])) {
            log_line("  from %s", place(text, sizeof(text), report->stack[i]));
            callers++;
        }
    if (libos)
        panic("arch: no fault in the libOS, vector %u error %x", (unsigned)frame->vector, (unsigned)frame->error);
}

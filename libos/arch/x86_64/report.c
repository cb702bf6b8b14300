/*
 * What a fault looked like, for the host's log: registers and a backtrace by frame pointers. Addresses that the host can name are
 * written as boot_abi.h says: [<link address>] for the image, {file address} for the embedded program.
 */
#include "channel/channel.h"
#include "init/image.h"
#include "internal.h"
#include "lib/format.h"

#pragma weak exec_file_address

#define DEPTH 16

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

void report_frame(const struct trap_frame *frame) {
    /* In memory order of struct trap_frame, from r15 to rax. */
    static const char names[15][4] = {"r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10",
                                      "r9",  "r8",  "rdi", "rsi", "rdx", "rcx", "rax"};
    const uint64_t *values = &frame->r15;
    char text[32];
    log_line("  at %s rsp %lx flags %lx", place(text, sizeof(text), frame->rip), frame->rsp, frame->rflags);
    for (unsigned i = 0; i < 15; i += 3)
        log_line("  %s %016lx %s %016lx %s %016lx", names[i], values[i], names[i + 1], values[i + 1], names[i + 2], values[i + 2]);
    uintptr_t at = frame->rbp;
    for (unsigned depth = 0; depth < DEPTH && !(at & 7); depth++) {
        unsigned prot;
        if (!arch_lookup(arch_root_current(), at, NULL, &prot) || !prot || (at & 4095) > 4080)
            break;
        uintptr_t next = ((uintptr_t *)at)[0], pc = ((uintptr_t *)at)[1];
        if (!pc)
            break;
        log_line("  from %s", place(text, sizeof(text), pc));
        if (next <= at)
            break;
        at = next;
    }
}

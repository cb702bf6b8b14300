/* x86-64's part of a fault as text. Included by arch/report.c only. */
#ifndef HULL_ARCH_REPORT_INLINE_H
#define HULL_ARCH_REPORT_INLINE_H
#include "arch/arch.h"
#include "channel/channel.h"
#include "init/init.h"

/* Whether a near call ends at `address` (Intel SDM volume 2, CALL: E8 and FF /2; table 2-2 for the length), behind a byte of text. */
static bool report_follows_call(uintptr_t address) {
    uint8_t code[8]; /* the 7 bytes before it, and one to spare */
    if (arch_copy_faultable(code, (const void *)(address - 7), 7))
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

/* What was tried at the report's address. */
static const char *report_access(const struct trap_frame *frame) {
    return frame->vector != 14 ? "at" : frame->error & 16 ? "execute at" : frame->error & 2 ? "write at" : "read at";
}

/* Logs all registers; `at` is the program counter's text. */
static void report_registers(const struct trap_frame *frame, const char *at) {
    /* In memory order of struct trap_frame, from r15 to rax. */
    static const char names[15][4] = {"r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10",
                                      "r9",  "r8",  "rdi", "rsi", "rdx", "rcx", "rax"};
    const uint64_t *values = &frame->r15;
    log_line("  at %s rsp %lx flags %lx", at, frame->rsp, frame->rflags);
    for (unsigned i = 0; i < 15; i += 3)
        log_line("  %s %016lx %s %016lx %s %016lx", names[i], values[i], names[i + 1], values[i + 1], names[i + 2], values[i + 2]);
}

/* A caller that no word of the stack tells of: none, calls push. */
static bool report_caller(const struct trap_frame *frame, uintptr_t *out) {
    (void)frame, (void)out;
    return false;
}

_Noreturn static void report_panic(const struct trap_frame *frame) {
    panic("arch: no fault in the libOS, vector %u error %x", (unsigned)frame->vector, (unsigned)frame->error);
}
#endif

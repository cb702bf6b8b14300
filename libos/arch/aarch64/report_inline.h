/* AArch64's part of a fault as text. Included by arch/report.c only. */
#ifndef HULL_ARCH_REPORT_INLINE_H
#define HULL_ARCH_REPORT_INLINE_H
#include "channel/channel.h"
#include "init/init.h"
#include "internal.h"

/* Whether a call ends at `address`: BL or BLR (Arm Architecture Reference Manual, C6.2), behind a byte of text. */
static bool report_follows_call(uintptr_t address) {
    uint32_t code;
    if (address & 3 || arch_copy_faultable(&code, (const void *)(address - 4), sizeof code))
        return false;
    return (code & 0xfc000000) == 0x94000000 || (code & 0xfffffc1f) == 0xd63f0000;
}

/* What was tried at the report's address. */
static const char *report_access(const struct trap_frame *frame) {
    unsigned class = frame->syndrome >> 26 & 63;
    return class == CLASS_FETCH ? "execute at" : class != CLASS_DATA ? "at" : frame->syndrome & 64 ? "write at" : "read at";
}

/* Logs all registers; `at` is the program counter's text. */
static void report_registers(const struct trap_frame *frame, const char *at) {
    log_line("  at %s sp %lx pstate %lx", at, frame->sp, frame->pstate);
    for (unsigned i = 0; i < 30; i += 3)
        log_line("  x%u %016lx x%u %016lx x%u %016lx", i, frame->x[i], i + 1, frame->x[i + 1], i + 2, frame->x[i + 2]);
}

/* A caller that no word of the stack tells of: the link register's. */
static bool report_caller(const struct trap_frame *frame, uintptr_t *out) {
    *out = frame->x[30];
    return true;
}

_Noreturn static void report_panic(const struct trap_frame *frame) { panic("arch: no fault in the libOS, syndrome %lx", frame->syndrome); }
#endif

/*
 * log_line() and what panic() shares with it. The text is made here where the component `format` is in the image; else the format and the
 * arguments go out as they are, and the host makes the text (abi/boot_abi.h, HULL_RECORD_LOG_DEFERRED). To a machine booted by
 * hand only the format goes then.
 */
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "channel/channel.h"
#include "channel/internal.h"
#include "init/init.h"
#include "lib/string.h"

#pragma weak format_send

void channel_text(uint8_t type, const char *format, va_list arguments) {
    if (format_send) {
        format_send(type, format, arguments);
        return;
    }
    uint64_t words[2 + HULL_DEFERRED_ARGUMENTS] = {arch_slide, (uintptr_t)format};
    if (!(boot_flags() & HULL_FLAG_FRAMED)) {
        channel_write(type, format, strlen(format));
        return;
    }
    for (unsigned i = 2; i < sizeof(words) / sizeof(*words); i++) /* those that are not there are not looked at by the host */
        words[i] = va_arg(arguments, uint64_t);
    channel_write(type == HULL_RECORD_LOG ? HULL_RECORD_LOG_DEFERRED : HULL_RECORD_PANIC_DEFERRED, words, sizeof(words));
}

void log_line(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    channel_text(HULL_RECORD_LOG, format, arguments);
    va_end(arguments);
}

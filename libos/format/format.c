/* lib/format.h, and the text of log lines in images that have this component (channel/log.c). */
#include "lib/format.h"
#include "channel/channel.h"
#include "channel/internal.h"
#include <stdbool.h>
#include <stdint.h>

struct sink { char *at, *end; };

__attribute__((noinline)) static void put(struct sink *sink, char c) {
    if (sink->at < sink->end)
        *sink->at++ = c;
}

__attribute__((noinline)) static void put_number(struct sink *sink, uint64_t value, unsigned base, unsigned width, char pad) {
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    for (; width > count; width--)
        put(sink, pad);
    while (count)
        put(sink, digits[--count]);
}

size_t format_list(char *to, size_t room, const char *format, va_list arguments) {
    struct sink sink = {to, to + room - 1};
    for (char c; (c = *format++);) {
        if (c != '%') {
            put(&sink, c);
            continue;
        }
        char pad = *format == '0' ? '0' : ' ';
        unsigned width = 0;
        for (; *format >= '0' && *format <= '9'; format++)
            width = width * 10 + (unsigned)(*format - '0');
        bool wide = false;
        for (; *format == 'l' || *format == 'z'; format++)
            wide = true;
        if (!(c = *format))
            break;
        format++;
        if (c == '%') {
            put(&sink, c);
            continue;
        }
        /* One fetch serves all types: on the ISAs at hand each variadic argument takes 64 bits, whatever its type. */
        uint64_t value = va_arg(arguments, uint64_t);
        if (c == 's') {
            for (const char *text = value ? (const char *)value : "(null)"; *text; text++)
                put(&sink, *text);
        } else if (c == 'c') {
            put(&sink, (char)value);
        } else {
            unsigned base = c == 'x' || c == 'p' ? 16 : 10;
            bool is_signed = c == 'd' || c == 'i';
            if (!wide && c != 'p')
                value = is_signed ? (uint64_t)(int64_t)(int32_t)value : (uint32_t)value;
            if (is_signed && (int64_t)value < 0) {
                put(&sink, '-');
                value = -value;
            }
            if (c == 'p') {
                put(&sink, '0');
                put(&sink, 'x');
            }
            put_number(&sink, value, base, width, pad);
        }
    }
    *sink.at = 0;
    return (size_t)(sink.at - to);
}

size_t format_text(char *to, size_t room, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_list(to, room, format, arguments);
    va_end(arguments);
    return length;
}

void format_send(uint8_t type, const char *format, va_list arguments) {
    char text[256];
    channel_write(type, text, format_list(text, sizeof(text), format, arguments));
}

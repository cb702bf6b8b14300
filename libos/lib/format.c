/* format.h */
#include "lib/format.h"
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
        if (c == 's') {
            const char *text = va_arg(arguments, const char *);
            for (text = text ? text : "(null)"; *text; text++)
                put(&sink, *text);
        } else if (c == 'c') {
            put(&sink, (char)va_arg(arguments, int));
        } else if (c == 'd' || c == 'i') {
            int64_t value = wide ? va_arg(arguments, int64_t) : va_arg(arguments, int);
            if (value < 0)
                put(&sink, '-');
            put_number(&sink, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, width, pad);
        } else if (c == 'u' || c == 'x') {
            uint64_t value = wide ? va_arg(arguments, uint64_t) : va_arg(arguments, unsigned);
            put_number(&sink, value, c == 'u' ? 10 : 16, width, pad);
        } else if (c == 'p') {
            put(&sink, '0');
            put(&sink, 'x');
            put_number(&sink, va_arg(arguments, uint64_t), 16, width, pad);
        } else {
            put(&sink, c);
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

/*
 * The log formatter, and what it sends of a line that is too long.
 * sources: libos/format/format.c
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "channel/internal.h"
#include "lib/format.h"

#pragma GCC diagnostic ignored "-Wformat-security"
static void expect(const char *want, const char *format, ...) {
    char got[64];
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_list(got, sizeof(got), format, arguments);
    va_end(arguments);
    if (strcmp(got, want) || length != strlen(want)) {
        fprintf(stderr, "format \"%s\": got \"%s\" (%zu), expected \"%s\"\n", format, got, length, want);
        exit(1);
    }
}

static char sent[300];
static size_t sent_size;
void channel_write(uint8_t type, const void *payload, size_t size) {
    if (type == 7 && size < sizeof(sent))
        memcpy(sent, payload, sent_size = size);
}

static bool sends(size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    format_send(7, format, arguments);
    va_end(arguments);
    return sent_size == size;
}

int main(void) {
    expect("plain", "plain");
    expect("a b c", "a %s %c", "b", 'c');
    expect("(null)", "%s", (char *)NULL);
    expect("0 -1 2147483647 -2147483648", "%d %i %d %d", 0, -1, 2147483647, -2147483647 - 1);
    expect("-9223372036854775808", "%ld", -9223372036854775807L - 1);
    expect("18446744073709551615 4294967295", "%lu %u", ~0ul, ~0u);
    expect("dead 00beef     f", "%x %06x %5x", 0xdead, 0xbeef, 15);
    expect("0xffff 100%", "%p 100%%", (void *)0xffff);
    expect("12345678901", "%zu", (size_t)12345678901ul);
    expect("x", "x%");
    char small[4];
    if (format_text(small, sizeof(small), "%s", "abcdef") != 3 || strcmp(small, "abc"))
        return 1;
    char line[400];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = 0;
    if (!sends(5, "%d ok", 42) || memcmp(sent, "42 ok", 5) || !sends(255, "%s", line) || sent[254] != 'x')
        return 2;
    return 0;
}

/*
 * The log formatter.
 * sources: libos/lib/format.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    return 0;
}

/* string.h. How bytes are copied and filled best is the ISA's (arch/<isa>/string_inline.h). */
#include "lib/string.h"
#include "string_inline.h"
#include <stdint.h>
#undef memcpy
#undef memset
#define LIB_WEAK __attribute__((weak, used))

LIB_WEAK void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    arch_copy(to, from, size);
    return to;
}

LIB_WEAK void *memmove(void *to, const void *from, size_t size) {
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    for (volatile char *d = to; size-- > 0;)
        d[size] = ((const char *)from)[size];
    return to;
}

LIB_WEAK void *memset(void *to, int value, size_t size) {
    arch_fill(to, (uint8_t)value, size);
    return to;
}

LIB_WEAK int memcmp(const void *a, const void *b, size_t size) {
    const unsigned char *x = a, *y = b;
    for (; size; size--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

LIB_WEAK size_t strlen(const char *text) {
    const volatile char *p = text;
    while (*p)
        p++;
    return (size_t)(p - text);
}

LIB_WEAK int strcmp(const char *a, const char *b) { return strncmp(a, b, SIZE_MAX); }

LIB_WEAK int strncmp(const char *a, const char *b, size_t most) {
    for (; most; most--, a++, b++)
        if (*a != *b || !*a)
            return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

LIB_WEAK char *strchr(const char *text, int c) {
    for (;; text++) {
        if (*text == (char)c)
            return (char *)text;
        if (!*text)
            return NULL;
    }
}

/* string.h. The string instructions are both the shortest and, with "enhanced rep movsb", a fast way to copy. */
#include "lib/string.h"
#include <stdint.h>
#undef memcpy
#undef memset
#define LIB_WEAK __attribute__((weak, used))

LIB_WEAK void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    void *result = to;
#ifdef __x86_64__
    size_t words = size >> 3;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
    words = size & 7;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(words)::"memory");
#else
    for (size_t i = 0; i < size; i++)
        ((volatile char *)to)[i] = ((const char *)from)[i];
#endif
    return result;
}

LIB_WEAK void *memmove(void *to, const void *from, size_t size) {
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    for (volatile char *d = to; size-- > 0;)
        d[size] = ((const char *)from)[size];
    return to;
}

LIB_WEAK void *memset(void *to, int value, size_t size) {
#ifdef __x86_64__
    void *at = to;
    uint64_t pattern = (uint8_t)value * 0x0101010101010101ul;
    size_t words = size >> 3;
    __asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
    words = size & 7;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
#else
    for (size_t i = 0; i < size; i++)
        ((volatile char *)to)[i] = (char)value;
#endif
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

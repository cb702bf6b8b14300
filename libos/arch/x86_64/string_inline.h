/* Copying and filling for lib/string.c. The string instructions are both the shortest and, with "enhanced rep movsb", a fast way. */
#ifndef HULL_ARCH_STRING_INLINE_H
#define HULL_ARCH_STRING_INLINE_H
#include <stddef.h>
#include <stdint.h>
static inline void arch_copy(void *to, const void *from, size_t size) {
    size_t words = size >> 3;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
    words = size & 7;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(words)::"memory");
}
static inline void arch_fill(void *to, uint8_t value, size_t size) {
    uint64_t pattern = value * 0x0101010101010101ul;
    size_t words = size >> 3;
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    words = size & 7;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
}
#endif

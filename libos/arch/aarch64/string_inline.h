/* Copying and filling for lib/string.c: a byte at a time, which is short. A program's memcpy and memset are the C library's. */
#ifndef HULL_ARCH_STRING_INLINE_H
#define HULL_ARCH_STRING_INLINE_H
#include <stddef.h>
#include <stdint.h>
static inline void arch_copy(void *to, const void *from, size_t size) {
    for (size_t i = 0; i < size; i++)
        ((volatile char *)to)[i] = ((const char *)from)[i];
}
static inline void arch_fill(void *to, uint8_t value, size_t size) {
    for (size_t i = 0; i < size; i++)
        ((volatile char *)to)[i] = (char)value;
}
#endif

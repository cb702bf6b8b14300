/*
 * The C library functions that freestanding compilers call, and a few more. Weak definitions: in a linked image the C library's own
 * may take their place. Any context.
 */
#ifndef HULL_LIB_STRING_H
#define HULL_LIB_STRING_H
#include <stddef.h>
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t most);
char *strchr(const char *text, int c);
/* Freestanding compilers do not know what these do unless told: small copies of constant size become moves. */
#define memcpy(...) __builtin_memcpy(__VA_ARGS__)
#define memset(...) __builtin_memset(__VA_ARGS__)
#endif

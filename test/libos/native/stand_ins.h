/*
 * What the libOS's hardware-free code asks of the rest of it, for tests that run natively: the allocator on malloc (so that the sanitizers
 * watch each object), the direct map as identity, program memory as plain memory. Include once in a test's only translation unit.
 */
#ifndef HULL_TEST_STAND_INS_H
#define HULL_TEST_STAND_INS_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The C library's, declared by hand: its headers and the libOS's own would define the same names. */
int printf(const char *, ...);
int vprintf(const char *, va_list);
void *malloc(size_t);
void *calloc(size_t, size_t);
void *aligned_alloc(size_t, size_t);
void free(void *);
_Noreturn void exit(int);

static int checks, failures;
#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)
static void check(bool holds, const char *text, const char *file, int line) {
    checks++;
    if (holds) return;
    failures++;
    printf("not so: %s (%s:%d)\n", text, file, line);
}
#define EQUAL(value, wanted) equal((long)(value), (long)(wanted), #value, __FILE__, __LINE__)
static void equal(long value, long wanted, const char *text, const char *file, int line) {
    checks++;
    if (value == wanted) return;
    failures++;
    printf("%s is %ld, expected %ld (%s:%d)\n", text, value, wanted, file, line);
}
static int report(const char *name) {
    printf("%s: %d checks, %d failed\n", name, checks, failures);
    return failures || !checks;
}
/* A seeded generator (xorshift64): failures can be repeated. */
static uint64_t seed = 0x9e3779b97f4a7c15;
static inline uint32_t any(uint32_t below) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % below;
}
#endif

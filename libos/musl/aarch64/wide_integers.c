/*
 * What compilers leave of 128-bit integers to functions, by the names of libgcc's "Routines for integer arithmetic" (GCC Internals, chapter 4.1):
 * shifts by a number that is not constant (with -Oz), and division, a bit at a time. Owns no state.
 */
#include <stdbool.h>
#include <stdint.h>

#ifndef HULL_NATIVE
#define NAME(name) name
#endif

typedef unsigned __int128 wide;
struct halves { uint64_t low, high; };
static struct halves split(wide value) { return (struct halves){(uint64_t)value, (uint64_t)(value >> 64)}; }
static wide join(uint64_t low, uint64_t high) { return low | (wide)high << 64; }

/* count: 0 to 127. One half's bits that go to the other are shifted twice, so that no count is 64. */
wide NAME(__ashlti3)(wide value, int count) {
    struct halves v = split(value);
    if (count & 64)
        return join(0, v.low << (count & 63));
    return join(v.low << count, v.high << count | v.low >> 1 >> (63 - count));
}

wide NAME(__lshrti3)(wide value, int count) {
    struct halves v = split(value);
    if (count & 64)
        return join(v.high >> (count & 63), 0);
    return join(v.low >> count | v.high << 1 << (63 - count), v.high >> count);
}

__int128 NAME(__ashrti3)(__int128 value, int count) {
    struct halves v = split((wide)value);
    uint64_t sign = (uint64_t)((int64_t)v.high >> 63);
    if (count & 64)
        return (__int128)join((uint64_t)((int64_t)v.high >> (count & 63)), sign);
    return (__int128)join(v.low >> count | v.high << 1 << (63 - count), (uint64_t)((int64_t)v.high >> count));
}

/* divisor: not 0. Gives the quotient; *rest gets what is left. */
static wide divide(wide dividend, wide divisor, wide *rest) {
    wide left = 0;
    for (int i = 0; i < 128; i++) {
        bool carry = left >> 127;
        left = left << 1 | dividend >> 127;
        dividend <<= 1;
        if (carry || left >= divisor) {
            left -= divisor;
            dividend |= 1;
        }
    }
    *rest = left;
    return dividend;
}

wide NAME(__udivti3)(wide a, wide b) {
    wide rest;
    return divide(a, b, &rest);
}

wide NAME(__umodti3)(wide a, wide b) {
    wide rest;
    divide(a, b, &rest);
    return rest;
}

static wide magnitude(__int128 value) { return value < 0 ? -(wide)value : (wide)value; }

__int128 NAME(__divti3)(__int128 a, __int128 b) {
    wide rest, quotient = divide(magnitude(a), magnitude(b), &rest);
    return (__int128)((a < 0) != (b < 0) ? -quotient : quotient);
}

__int128 NAME(__modti3)(__int128 a, __int128 b) {
    wide rest;
    divide(magnitude(a), magnitude(b), &rest);
    return (__int128)(a < 0 ? -rest : rest);
}

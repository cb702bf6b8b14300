/*
 * Arithmetic of AArch64's long double (IEEE 754-2019 binary128), which the CPU does not have: compilers call these functions by the names of
 * libgcc's "Soft float library routines" (GCC Internals, chapter 4.2). Small rather than fast: every value is unpacked, and packed again with
 * one rounding, by the mode in FPCR. No exception flag is raised. Owns no state.
 */
#include <stdbool.h>
#include <stdint.h>

#ifndef HULL_NATIVE
typedef long double quad;
#define NAME(name) name
/* FPCR.RMode (Arm Architecture Reference Manual, C5.2.8). */
static inline unsigned rounding_mode(void) {
    uint64_t control;
    __asm__("mrs %0, fpcr" : "=r"(control));
    return control >> 22 & 3;
}
#endif
enum { NEAREST, UP, DOWN, TO_ZERO };

typedef unsigned __int128 uint128;
union quad_bits { quad value; uint128 bits; };
#define TOP ((uint128)1 << 127)

/* A value is fraction / 2^127 * 2^exponent, the fraction's top bit set. Zero has no fraction, and the exponent ZERO; infinity and NaN, whose payload
 * is not kept, have exponents so large that sums of two of these tell what a product is: whatever is above LARGE is infinite, above NONE a NaN. */
#define LARGE (1 << 17)
#define ZERO -LARGE
#define INFINITE (4 * LARGE)
#define NONE (16 * LARGE)
#define NOT_A_NUMBER (32 * LARGE)
struct number {
    uint128 fraction;
    int exponent;
    bool sign;
};
/* Bits of fraction and exponent. */
struct format { unsigned fraction, exponent; };
static const struct format quad_format = {112, 15}, double_format = {52, 11}, float_format = {23, 8};

/* What falls out on the right is kept as one bit: it only matters whether there was something. */
static __attribute__((noinline)) uint128 shift_right(uint128 value, int count) {
    uint128 result = count > 127 ? 0 : value >> count;
    return result | (count > 127 ? value != 0 : result << count != value);
}

static void normalize(struct number *n) {
    if (!n->fraction) { /* infinity less infinity and zero times infinity come here, too */
        n->exponent = n->exponent > LARGE ? NOT_A_NUMBER : ZERO;
        return;
    }
    uint64_t high = (uint64_t)(n->fraction >> 64);
    int shift = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)n->fraction);
    n->fraction <<= shift;
    n->exponent -= shift;
}

static __attribute__((noinline)) struct number unpack(uint128 bits, struct format format) {
    int most = (1 << format.exponent) - 1, bias = most >> 1;
    struct number n = {bits << (128 - format.fraction), (int)(bits >> format.fraction) & most, bits >> (format.fraction + format.exponent) & 1};
    if (!n.exponent) {
        n.exponent = -bias;
        normalize(&n);
        return n;
    }
    n.exponent = n.exponent < most ? n.exponent - bias : n.fraction ? NOT_A_NUMBER : INFINITE;
    n.fraction = n.fraction >> 1 | TOP;
    return n;
}

static __attribute__((noinline)) uint128 pack(struct number n, struct format format) {
    int most = (1 << format.exponent) - 1, exponent = n.exponent + (most >> 1);
    uint128 sign = (uint128)n.sign << (format.fraction + format.exponent), infinite = (uint128)most << format.fraction;
    if (n.exponent > LARGE)
        return sign | infinite | (uint128)(n.exponent > NONE) << (format.fraction - 1);
    unsigned mode = rounding_mode(), away = n.sign ? DOWN : UP;
    if (exponent > most)
        exponent = most;
    if (exponent <= 0) {
        n.fraction = shift_right(n.fraction, 1 - exponent);
        exponent = 1;
    }
    /* The fraction's top bit is the one that a packed number leaves out: added, it makes the exponent what it is. */
    uint128 kept = n.fraction >> (127 - format.fraction), rest = n.fraction << (format.fraction + 1);
    bool more = mode == NEAREST ? rest + (kept & 1) > TOP : rest && mode == away;
    uint128 result = ((uint128)(exponent - 1) << format.fraction) + kept + more;
    if (result >= infinite)
        result = infinite - (mode != NEAREST && mode != away);
    return sign | result;
}

static struct number unpack_quad(quad value) { return unpack((union quad_bits){value}.bits, quad_format); }
static quad pack_quad(struct number n) { return (union quad_bits){.bits = pack(n, quad_format)}.value; }

static __attribute__((noinline)) quad add(quad x, quad y, bool negate) {
    struct number a = unpack_quad(x), b = unpack_quad(y);
    b.sign ^= negate;
    if (b.exponent > a.exponent || (b.exponent == a.exponent && b.fraction > a.fraction)) {
        struct number other = a;
        a = b;
        b = other;
    }
    /* The low 15 bits are zero: one is for the carry, the others keep what rounding needs. */
    bool differ = a.sign != b.sign;
    uint128 smaller = shift_right(b.fraction >> 1, a.exponent - b.exponent);
    a.fraction = (a.fraction >> 1) + (differ ? -smaller : smaller);
    a.exponent++;
    if (differ && !a.fraction)
        a.sign = rounding_mode() == DOWN;
    normalize(&a);
    return pack_quad(a);
}
quad NAME(__addtf3)(quad x, quad y) { return add(x, y, false); }
quad NAME(__subtf3)(quad x, quad y) { return add(x, y, true); }

quad NAME(__multf3)(quad x, quad y) {
    struct number a = unpack_quad(x), b = unpack_quad(y);
    uint64_t al = (uint64_t)a.fraction, ah = (uint64_t)(a.fraction >> 64), bl = (uint64_t)b.fraction, bh = (uint64_t)(b.fraction >> 64);
    uint128 low = (uint128)al * bl, left = (uint128)ah * bl, right = (uint128)al * bh;
    uint128 middle = (low >> 64) + (uint64_t)left + (uint64_t)right;
    a.fraction = (uint128)ah * bh + (left >> 64) + (right >> 64) + (middle >> 64);
    a.fraction |= ((uint64_t)middle | (uint64_t)low) != 0;
    a.exponent += b.exponent + 1;
    a.sign ^= b.sign;
    normalize(&a);
    return pack_quad(a);
}

quad NAME(__divtf3)(quad x, quad y) {
    struct number a = unpack_quad(x), b = unpack_quad(y);
    if (!b.fraction) { /* division by zero is multiplication by infinity, and the other way round */
        b.exponent = -INFINITE;
        b.fraction = TOP;
    } else if (b.exponent == INFINITE) {
        b.exponent = -ZERO;
        a.fraction = 0;
    } else if (b.exponent == NOT_A_NUMBER) {
        a.exponent = NOT_A_NUMBER;
        b.exponent = 0;
    }
    uint128 rest = a.fraction, quotient = 0;
    bool carry = false;
    for (int i = 0; i < 128; i++) {
        bool one = carry || rest >= b.fraction;
        rest -= one ? b.fraction : 0;
        quotient = quotient << 1 | one;
        carry = rest >> 127;
        rest <<= 1;
    }
    a.fraction = quotient | (carry || rest);
    a.exponent -= b.exponent;
    a.sign ^= b.sign;
    normalize(&a);
    return pack_quad(a);
}

/* -1, 0, 1; `unordered` where one is a NaN. */
static __attribute__((noinline)) int compare(quad x, quad y, int unordered) {
    uint128 a = (union quad_bits){x}.bits, b = (union quad_bits){y}.bits, infinity = (uint128)0x7fff << 113;
    if (a << 1 > infinity || b << 1 > infinity)
        return unordered;
    if (a & TOP)
        a = TOP - a;
    if (b & TOP)
        b = TOP - b;
    return ((__int128)a > (__int128)b) - ((__int128)a < (__int128)b);
}
int NAME(__letf2)(quad x, quad y) { return compare(x, y, 1); }
int NAME(__lttf2)(quad x, quad y) { return compare(x, y, 1); }
int NAME(__eqtf2)(quad x, quad y) { return compare(x, y, 1); }
int NAME(__netf2)(quad x, quad y) { return compare(x, y, 1); }
int NAME(__getf2)(quad x, quad y) { return compare(x, y, -1); }
int NAME(__gttf2)(quad x, quad y) { return compare(x, y, -1); }
int NAME(__unordtf2)(quad x, quad y) { return compare(x, y, 2) == 2; }

/* Towards zero; the nearest integer of `bits` bits, where there is none of that value. */
static __attribute__((noinline)) __int128 to_integer(quad x, int bits, bool is_signed) {
    struct number n = unpack_quad(x);
    if (n.exponent < 0 || (n.sign && !is_signed))
        return 0;
    uint128 value = n.exponent < bits - is_signed ? n.fraction >> (127 - n.exponent) : ((uint128)-1 >> (128 - bits + is_signed)) + (n.sign && is_signed);
    return (__int128)(n.sign ? -value : value);
}
int32_t NAME(__fixtfsi)(quad x) { return (int32_t)to_integer(x, 32, true); }
int64_t NAME(__fixtfdi)(quad x) { return (int64_t)to_integer(x, 64, true); }
__int128 NAME(__fixtfti)(quad x) { return to_integer(x, 128, true); }
uint32_t NAME(__fixunstfsi)(quad x) { return (uint32_t)to_integer(x, 32, false); }
uint64_t NAME(__fixunstfdi)(quad x) { return (uint64_t)to_integer(x, 64, false); }
uint128 NAME(__fixunstfti)(quad x) { return (uint128)to_integer(x, 128, false); }

static __attribute__((noinline)) quad from_integer(uint128 value, bool sign) {
    struct number n = {sign ? -value : value, 127, sign};
    normalize(&n);
    return pack_quad(n);
}
quad NAME(__floatsitf)(int32_t value) { return from_integer((uint128)value, value < 0); }
quad NAME(__floatditf)(int64_t value) { return from_integer((uint128)value, value < 0); }
quad NAME(__floattitf)(__int128 value) { return from_integer((uint128)value, value < 0); }
quad NAME(__floatunsitf)(uint32_t value) { return from_integer(value, false); }
quad NAME(__floatunditf)(uint64_t value) { return from_integer(value, false); }
quad NAME(__floatuntitf)(uint128 value) { return from_integer(value, false); }

static quad from_bits(uint128 bits, struct format format) { return pack_quad(unpack(bits, format)); }
quad NAME(__extendsftf2)(float value) { return from_bits((union { float value; uint32_t bits; }){value}.bits, float_format); }
quad NAME(__extenddftf2)(double value) { return from_bits((union { double value; uint64_t bits; }){value}.bits, double_format); }
float NAME(__trunctfsf2)(quad x) { return (union { uint32_t bits; float value; }){(uint32_t)pack(unpack_quad(x), float_format)}.value; }
double NAME(__trunctfdf2)(quad x) { return (union { uint64_t bits; double value; }){(uint64_t)pack(unpack_quad(x), double_format)}.value; }

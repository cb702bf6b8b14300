/*
 * The long double of AArch64 beside the C library's of this machine (libgcc's __float128, the same format): random and special operands, each
 * rounding mode.
 */
#include <fenv.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef __float128 quad;
#define NAME(name) tested##name
static unsigned mode;
static unsigned rounding_mode(void) { return mode; }
#include "../../../libos/musl/aarch64/long_double.c"

static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
static uint64_t state = 88172645463325252u;
static uint64_t next(void) { /* xorshift64 (Marsaglia, 2003) */
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static const uint64_t tops[] = {0, 1, 0x0000ffffffffffff, 0x0001000000000000, 0x3ffe000000000000, 0x3fff000000000000, 0x3fff000000000001, 0x3fffffffffffffff,
                                0x4000000000000000, 0x403e000000000000, 0x407e000000000000, 0x407dffffffffffff, 0x43fe000000000000, 0x3bcd000000000000,
                                0x3c01000000000000, 0x3f81000000000000, 0x7ffeffffffffffff, 0x7fff000000000000, 0x7fff800000000000, 0x406f000000000000};
static const uint64_t lows[] = {0, 1, ~0ull, 1ull << 63, (1ull << 60) - 1, 1ull << 60, (1ull << 60) + 1};
#define COUNT(list) (sizeof(list) / sizeof(*(list)))

static quad operand(void) {
    uint128 bits = (uint128)next() << 64 | next();
    switch (next() % 8) {
    case 0: bits = (uint128)tops[next() % COUNT(tops)] << 64 | lows[next() % COUNT(lows)]; break;
    case 1: bits &= ~((uint128)0x7fff << 112); break; /* subnormal */
    case 2: case 3: case 4: /* near one: sums meet, integers come about */
        bits = (bits & ~((uint128)0x7fff << 112)) | (uint128)(0x3fff - 8 + next() % 140) << 112;
        break;
    case 5: bits &= (uint128)-1 << (next() % 112); break;
    }
    if (next() & 1)
        bits ^= TOP;
    return (union quad_bits){.bits = bits}.value;
}

static bool is_nan(uint128 bits) { return bits << 1 > (uint128)0x7fff << 113; }
static void fail(const char *what, quad x, quad y, uint128 got, uint128 expected) {
    uint128 a = (union quad_bits){x}.bits, b = (union quad_bits){y}.bits;
    printf("%s, mode %u, of %016llx%016llx and %016llx%016llx: %016llx%016llx, expected %016llx%016llx\n", what, mode, (unsigned long long)(a >> 64), (unsigned long long)a,
           (unsigned long long)(b >> 64), (unsigned long long)b, (unsigned long long)(got >> 64), (unsigned long long)got, (unsigned long long)(expected >> 64),
           (unsigned long long)expected);
    exit(1);
}
static void same(const char *what, quad x, quad y, quad got, quad expected) {
    uint128 a = (union quad_bits){got}.bits, b = (union quad_bits){expected}.bits;
    if (a != b && !(is_nan(a) && is_nan(b)))
        fail(what, x, y, a, b);
}
static void equal(const char *what, quad x, quad y, uint128 got, uint128 expected) {
    if (got != expected)
        fail(what, x, y, got, expected);
}
static int sign_of(int value) { return (value > 0) - (value < 0); }

/* libgcc's, by their own names: the compiler may not work anything out by itself. */
quad __addtf3(quad, quad), __subtf3(quad, quad), __multf3(quad, quad), __divtf3(quad, quad), __extendsftf2(float), __extenddftf2(double), __floatditf(int64_t), __floatuntitf(uint128),
    __floattitf(__int128);
float __trunctfsf2(quad);
double __trunctfdf2(quad);
int __letf2(quad, quad), __getf2(quad, quad), __eqtf2(quad, quad), __unordtf2(quad, quad), __fixtfsi(quad);
int64_t __fixtfdi(quad);
unsigned __fixunstfsi(quad);
uint64_t __fixunstfdi(quad);
__int128 __fixtfti(quad);
uint128 __fixunstfti(quad);

static void conversions(quad x) {
    float f = __trunctfsf2(x), g = tested__trunctfsf2(x);
    uint32_t fb, gb;
    memcpy(&fb, &f, 4);
    memcpy(&gb, &g, 4);
    if (f == f || g == g)
        equal("trunctfsf2", x, x, gb, fb);
    same("extendsftf2", x, x, tested__extendsftf2(f), __extendsftf2(f));
    double d = __trunctfdf2(x), e = tested__trunctfdf2(x);
    uint64_t db, eb;
    memcpy(&db, &d, 8);
    memcpy(&eb, &e, 8);
    if (d == d || e == e)
        equal("trunctfdf2", x, x, eb, db);
    same("extenddftf2", x, x, tested__extenddftf2(d), __extenddftf2(d));
    __int128 wide = (__int128)((uint128)next() << 64 | next()) >> next() % 127;
    same("floatditf", x, x, tested__floatditf((int64_t)wide), __floatditf((int64_t)wide));
    same("floattitf", x, x, tested__floattitf(wide), __floattitf(wide));
    same("floatuntitf", x, x, tested__floatuntitf((uint128)wide), __floatuntitf((uint128)wide));
    struct number n = unpack_quad(x);
    if (n.exponent > LARGE) /* no integer: the language says nothing */
        return;
    equal("fixtfsi", x, x, (uint32_t)tested__fixtfsi(x), (uint32_t)__fixtfsi(x));
    equal("fixtfdi", x, x, (uint64_t)tested__fixtfdi(x), (uint64_t)__fixtfdi(x));
    equal("fixtfti", x, x, (uint128)tested__fixtfti(x), (uint128)__fixtfti(x));
    if (n.sign && n.exponent >= 0)
        return;
    equal("fixunstfsi", x, x, tested__fixunstfsi(x), __fixunstfsi(x));
    equal("fixunstfdi", x, x, tested__fixunstfdi(x), __fixunstfdi(x));
    equal("fixunstfti", x, x, tested__fixunstfti(x), __fixunstfti(x));
}

int main(void) {
    for (int i = 0; i < 400000; i++) {
        mode = i & 3;
        fesetround(modes[mode]);
        quad x = operand(), y = next() % 16 ? operand() : x;
        same("addtf3", x, y, tested__addtf3(x, y), __addtf3(x, y));
        same("subtf3", x, y, tested__subtf3(x, y), __subtf3(x, y));
        same("multf3", x, y, tested__multf3(x, y), __multf3(x, y));
        same("divtf3", x, y, tested__divtf3(x, y), __divtf3(x, y));
        equal("letf2", x, y, (uint128)sign_of(tested__letf2(x, y)), (uint128)sign_of(__letf2(x, y)));
        equal("getf2", x, y, (uint128)sign_of(tested__getf2(x, y)), (uint128)sign_of(__getf2(x, y)));
        equal("eqtf2", x, y, tested__eqtf2(x, y) == 0, __eqtf2(x, y) == 0);
        equal("unordtf2", x, y, tested__unordtf2(x, y) != 0, __unordtf2(x, y) != 0);
        conversions(x);
    }
    return 0;
}

/* 128-bit shifts and divisions of AArch64's C library beside this machine's. */
#include <stdio.h>
#include <stdlib.h>
#define NAME(name) tested##name
#include "../../../libos/musl/aarch64/wide_integers.c"

static uint64_t state = 88172645463325252u;
static uint64_t next(void) { /* xorshift64 (Marsaglia, 2003) */
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}
static wide operand(void) { return join(next(), next()) >> next() % 128 << next() % 16; }
static void equal(const char *what, wide got, wide expected) {
    if (got == expected)
        return;
    printf("%s: %016llx%016llx, expected %016llx%016llx\n", what, (unsigned long long)(got >> 64), (unsigned long long)got, (unsigned long long)(expected >> 64),
           (unsigned long long)expected);
    exit(1);
}

int main(void) {
    for (int i = 0; i < 200000; i++) {
        wide a = operand(), b = operand();
        int count = i & 127;
        equal("ashlti3", tested__ashlti3(a, count), a << count);
        equal("lshrti3", tested__lshrti3(a, count), a >> count);
        __int128 x = (__int128)(i & 1 ? a : -a), y = (__int128)(i & 2 ? b : -b);
        equal("ashrti3", (wide)tested__ashrti3(x, count), (wide)(x >> count));
        if (!b || (y == -1 && x < 0))
            continue;
        equal("udivti3", tested__udivti3(a, b), a / b);
        equal("umodti3", tested__umodti3(a, b), a % b);
        equal("divti3", (wide)tested__divti3(x, y), (wide)(x / y));
        equal("modti3", (wide)tested__modti3(x, y), (wide)(x % y));
    }
    return 0;
}

/*
 * ChaCha20 against RFC 8439's vectors (2.3.2 and A.1), and the generator's behaviour with and without seeds.
 * sources: libos/entropy/chacha.c libos/entropy/entropy.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "arch/arch.h"
#include "entropy/entropy.h"
#include "init/init.h"

char *native_arena;
static uint64_t cycles;
static uint8_t host_seed[32];
/* What the machine gives: nothing random, a clock that counts; the host's seed. */
uint64_t arch_cycles(void) { return ++cycles; }
bool arch_random64(uint64_t *out) { return (void)out, false; }
const void *boot_module_find(uint32_t type, size_t *size) { return (void)type, *size = 32, host_seed; }

static void test_block(void) {
    static const uint32_t input[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, 0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
                                       0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c, 0x00000001, 0x09000000, 0x4a000000, 0x00000000};
    static const uint32_t expected[16] = {0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3, 0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
                                          0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9, 0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2};
    uint8_t out[64];
    chacha20_block(input, out);
    for (unsigned i = 0; i < 16; i++)
        for (unsigned b = 0; b < 4; b++)
            CHECK(out[4 * i + b] == (uint8_t)(expected[i] >> 8 * b));
    /* A.1, vector 1: all-zero key and nonce, counter 0. */
    static const uint32_t zero[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    static const uint8_t first[16] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28};
    chacha20_block(zero, out);
    CHECK(memcmp(out, first, 16) == 0);
}

static void test_generator(void) {
    uint8_t a[1000], b[1000];
    memset(host_seed, 7, sizeof(host_seed));
    entropy_fill(a, sizeof(a));
    entropy_fill(b, sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    CHECK(memcmp(a, a + 32, 32) != 0);
    unsigned ones = 0;
    for (unsigned i = 0; i < sizeof(a); i++)
        ones += (unsigned)__builtin_popcount(a[i]);
    CHECK(ones > 3700 && ones < 4300); /* 8000 bits */
    uint8_t guard[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    entropy_fill(guard + 2, 3);
    CHECK(guard[1] == 2 && guard[5] == 6);
    entropy_fill(guard, 0);
    CHECK(guard[1] == 2);
}

int main(void) {
    test_block();
    test_generator();
    return 0;
}

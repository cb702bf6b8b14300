/* The ChaCha20 block function (RFC 8439, section 2.3). */
#include "entropy/entropy.h"

static uint32_t rotate(uint32_t value, unsigned by) { return value << by | value >> (32 - by); }

static void quarter_round(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d) {
    s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 7);
}

void chacha20_block(const uint32_t state[16], uint8_t out[64]) {
    uint32_t s[16];
    for (unsigned i = 0; i < 16; i++)
        s[i] = state[i];
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++)
            quarter_round(s, i, 4 + i, 8 + i, 12 + i);
        for (unsigned i = 0; i < 4; i++)
            quarter_round(s, i, 4 + ((i + 1) & 3), 8 + ((i + 2) & 3), 12 + ((i + 3) & 3));
    }
    for (unsigned i = 0; i < 16; i++) {
        uint32_t word = s[i] + state[i];
        for (unsigned b = 0; b < 4; b++)
            out[4 * i + b] = (uint8_t)(word >> 8 * b);
    }
}

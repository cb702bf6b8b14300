/*
 * The generator. Each call makes a block of key stream: one half becomes the next key before anything goes out, the other the key of what the call gives, which is erased at its end.
 * So a later look at memory does not tell what was given before.
 */
#include "entropy/entropy.h"
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "init/init.h"
#include "lib/string.h"

static uint32_t state[16]; /* RFC 8439, 2.3: constants, key, counter, nonce */
static bool seeded;

static void erase(void *bytes, size_t size) {
    memset(bytes, 0, size);
    __asm__ volatile("" ::"r"(bytes) : "memory"); /* keeps it */
}

/* New key: the first half of a block; `out` gets the second. */
static void advance(uint8_t out[32]) {
    uint8_t block[64];
    chacha20_block(state, block);
    memcpy(state + 4, block, 32);
    memcpy(out, block + 32, 32);
    state[12]++;
    erase(block, sizeof(block));
}

static void mix(void) {
    uint8_t ignored[32];
    advance(ignored);
}

void entropy_add(const void *bytes, size_t size) {
    const uint8_t *from = bytes;
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)(state + 4))[i % 32] ^= from[i];
        if (i % 32 == 31)
            mix();
    }
    mix();
}

static void seed(void) {
    static const char constants[] = "expand 32-byte k";
    size_t size;
    memcpy(state, constants, 16);
    const void *host = boot_module_find(HULL_MODULE_ENTROPY, &size);
    if (host)
        entropy_add(host, size);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t word;
        if (arch_random64(&word))
            entropy_add(&word, sizeof(word));
    }
    seeded = true;
}

void entropy_fill(void *to, size_t size) {
    if (!seeded)
        seed();
    uint64_t fresh[2] = {arch_cycles(), 0};
    arch_random64(&fresh[1]);
    state[14] ^= (uint32_t)fresh[0];
    state[15] ^= (uint32_t)(fresh[0] >> 32);
    state[4] ^= (uint32_t)fresh[1];
    state[5] ^= (uint32_t)(fresh[1] >> 32);
    struct { uint32_t state[16]; uint8_t block[64]; } own;
    memcpy(own.state, state, sizeof(own.state));
    advance((uint8_t *)(own.state + 4));
    while (size) {
        size_t piece = size < sizeof(own.block) ? size : sizeof(own.block);
        chacha20_block(own.state, own.block);
        own.state[12]++;
        memcpy(to, own.block, piece);
        to = (char *)to + piece;
        size -= piece;
    }
    erase(&own, sizeof(own));
}

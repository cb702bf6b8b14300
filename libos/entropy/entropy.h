/*
 * Random bytes. Owns the generator: ChaCha20 (RFC 8439) with fast key erasure, seeded from the CPU's generator (RDSEED/RDRAND)
 * and the host's HULL_MODULE_ENTROPY, mixed again with the CPU's at each call. Context: calls, not interrupt handlers.
 */
#ifndef HULL_ENTROPY_ENTROPY_H
#define HULL_ENTROPY_ENTROPY_H
#include <stddef.h>
#include <stdint.h>
void entropy_fill(void *to, size_t size);
void entropy_add(const void *bytes, size_t size); /* mixes further input in (virtio-rng) */
/* The block function of RFC 8439, 2.3: state in, 64 key-stream bytes out. */
void chacha20_block(const uint32_t state[16], uint8_t out[64]);
#endif

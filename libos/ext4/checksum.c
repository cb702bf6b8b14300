/* CRC-32C (Castagnoli, reflected, as RFC 3720 has it, without the last inversion), four bytes at a step; CRC-16 (ANSI, reflected) of older group descriptors. */
#include "ext4/internal.h"

static uint32_t table[4][256];

void ext4_checksum_start(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (unsigned bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
        table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (unsigned step = 1; step < 4; step++) table[step][i] = table[step - 1][i] >> 8 ^ table[0][table[step - 1][i] & 0xff];
}

uint32_t ext4_crc32c(uint32_t crc, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    for (; size >= 4; size -= 4, at += 4) {
        uint32_t word;
        memcpy(&word, at, 4);
        crc ^= word;
        crc = table[3][crc & 0xff] ^ table[2][crc >> 8 & 0xff] ^ table[1][crc >> 16 & 0xff] ^ table[0][crc >> 24];
    }
    while (size--) crc = crc >> 8 ^ table[0][(crc ^ *at++) & 0xff];
    return crc;
}

uint16_t ext4_crc16(uint16_t crc, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    while (size--) {
        crc ^= *at++;
        for (unsigned bit = 0; bit < 8; bit++) crc = (uint16_t)(crc >> 1 ^ (crc & 1 ? 0xa001 : 0));
    }
    return crc;
}

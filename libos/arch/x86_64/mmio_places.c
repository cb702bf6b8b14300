/* virtio-mmio/places.h: the VMM names each device on the command line as virtio_mmio.device=SIZE@ADDRESS:IRQ, as Linux has it. */
#include "init/init.h"
#include "lib/string.h"
#include "virtio-mmio/places.h"

/* A number in C's notation; moves the cursor behind it. */
static uint64_t number(const char **cursor) {
    unsigned base = 10;
    uint64_t value = 0;
    if ((*cursor)[0] == '0' && ((*cursor)[1] | 0x20) == 'x') {
        base = 16;
        *cursor += 2;
    }
    for (;; ++*cursor) {
        unsigned c = (uint8_t)**cursor, letter = (c | 0x20) - 'a';
        unsigned digit = c - '0' < 10 ? c - '0' : base == 16 && letter < 6 ? letter + 10 : 99;
        if (digit == 99) return value;
        value = value * base + digit;
    }
}

void virtio_mmio_find(virtio_mmio_place found) {
    static const char key[] = "virtio_mmio.device=";
    for (const char *at = boot_command_line(); *at; at++) {
        if (strncmp(at, key, sizeof key - 1) != 0) continue;
        at += sizeof key - 1;
        uint64_t size = number(&at);
        if ((*at | 0x20) == 'k') at++, size <<= 10; /* Linux's notation has K */
        if (*at++ != '@') return;
        uint64_t base = number(&at);
        if (*at++ != ':') return;
        found(base, size, (unsigned)number(&at));
        if (!*at) return;
    }
}

/* Says to the host what no libOS says, on the 16550 that it shares with it (linked programs run in ring 0): ARGS are a seed, bytes, and how it ends: "end" or "stay". */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t state;

static unsigned draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33);
}

static void put(unsigned char byte)
{
    unsigned char status;
    do
        __asm__ volatile("inb %w1, %b0" : "=a"(status) : "Nd"((unsigned short)0x3fd));
    while (!(status & 0x20));
    __asm__ volatile("outb %b0, %w1" : : "a"(byte), "Nd"((unsigned short)0x3f8));
}

int main(int count, char **args)
{
    long left = count > 2 ? atol(args[2]) : 1000;
    state = count > 1 ? (uint64_t)atol(args[1]) : 1;
    printf("honest\n");
    fflush(stdout);
    while (left > 0) {
        unsigned form = draw() % 4, type = draw() % 40, length = form == 0 ? 65535 : form == 1 ? draw() % 600 : type == 11 ? 200 + 8 * (draw() % 100) : type == 9 || type == 10 ? 56 : type == 6 || type == 8 ? 8 : 4;
        unsigned body = form == 0 ? draw() % 300 : length;
        unsigned char head[16] = {0xb5, (unsigned char)type, (unsigned char)length, (unsigned char)(length >> 8)};
        for (int i = 8; i < 16; i++)
            head[i] = (unsigned char)draw();
        for (unsigned i = 0; i < 16 && form != 3; i++)
            put(head[i]);
        for (unsigned i = 0; i < body; i++)
            put((unsigned char)draw());
        left -= 16 + (long)body;
    }
    if (count > 3 && !strcmp(args[3], "stay"))
        for (;;)
            pause();
    return 7;
}

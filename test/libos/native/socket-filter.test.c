/*
 * Socket filters: what programs mean, which are refused, and random ones, of which those that pass the check end and read nothing but their packet.
 * sources: libos/socket-filter/check.c libos/socket-filter/run.c
 * flags: -fno-builtin
 */
#include "../../../libos/socket-filter/internal.h"
#include "stand_ins.h"
#include "lib/string.h"

void *kmalloc(size_t size) { return malloc(size); }
void kfree(void *p) { free(p); }

static uint8_t *frame;
enum { FRAME = 60 };
static struct filter_packet packet_of(size_t size) {
    return (struct filter_packet){.bytes = frame, .size = size, .link = frame, .network = frame + 14, .end = frame + size, .protocol = 0x0800, .kind = 4, .interface = 2, .hardware = 1};
}
static uint32_t run(size_t count, const struct filter_instruction *program) {
    struct filter_packet packet = packet_of(FRAME);
    CHECK(filter_check(program, count));
    return filter_run(program, &packet);
}
#define RUN(...) run(sizeof((struct filter_instruction[]){__VA_ARGS__}) / sizeof(struct filter_instruction), (struct filter_instruction[]){__VA_ARGS__})
#define REFUSED(...) CHECK(!filter_check((struct filter_instruction[]){__VA_ARGS__}, sizeof((struct filter_instruction[]){__VA_ARGS__}) / sizeof(struct filter_instruction)))
#define RET_A {BPF_RET | BPF_A, 0, 0, 0}
#define RET(k) {BPF_RET | BPF_K, 0, 0, k}
#define DO(code, k) {code, 0, 0, k}

static void test_meaning(void) {
    EQUAL(RUN(RET(7)), 7);
    EQUAL(RUN(DO(BPF_LD | BPF_H | BPF_ABS, 12), RET_A), 0x0800);
    EQUAL(RUN(DO(BPF_LD | BPF_W | BPF_ABS, 56), RET_A), 0x38393a3b);
    EQUAL(RUN(DO(BPF_LD | BPF_W | BPF_ABS, 57), RET_A), 0);
    EQUAL(RUN(DO(BPF_LD | BPF_B | BPF_ABS, 59), RET_A), 59);
    EQUAL(RUN(DO(BPF_LD | BPF_B | BPF_ABS, 60), RET(9)), 0);
    EQUAL(RUN(DO(BPF_LD | BPF_LEN, 0), RET_A), FRAME);
    EQUAL(RUN(DO(BPF_LDX | BPF_B | BPF_MSH, 14), DO(BPF_MISC | BPF_TXA, 0), RET_A), 20);
    EQUAL(RUN(DO(BPF_LDX | BPF_IMM, 30), DO(BPF_LD | BPF_B | BPF_IND, 5), RET_A), 35);
    EQUAL(RUN(DO(BPF_LDX | BPF_IMM, 0xffffffff), DO(BPF_LD | BPF_B | BPF_IND, 6), RET_A), 5);
    EQUAL(RUN(DO(BPF_LD | BPF_B | BPF_ABS, NETWORK_OFFSET + 2), RET_A), 16);
    EQUAL(RUN(DO(BPF_LD | BPF_B | BPF_ABS, LINK_OFFSET + 2), RET_A), 2);
    EQUAL(RUN(DO(BPF_LD | BPF_B | BPF_ABS, NETWORK_OFFSET + 46), RET(1)), 0);
    EQUAL(RUN(DO(BPF_LD | BPF_W | BPF_ABS, AD_OFFSET + AD_PROTOCOL), RET_A), 0x0800);
    EQUAL(RUN(DO(BPF_LD | BPF_W | BPF_ABS, AD_OFFSET + AD_KIND), RET_A), 4);
    EQUAL(RUN(DO(BPF_LD | BPF_W | BPF_ABS, AD_OFFSET + AD_INTERFACE), RET_A), 2);
    EQUAL(RUN(DO(BPF_LD | BPF_IMM, 6), DO(BPF_ST, 15), DO(BPF_LD | BPF_IMM, 0), DO(BPF_LDX | BPF_MEM, 15), DO(BPF_ALU | BPF_ADD | BPF_X, 0), RET_A), 6);
    static const struct { uint16_t operation; uint32_t a, b, result; } sums[] = {
        {BPF_ADD, 0xffffffff, 2, 1}, {BPF_SUB, 1, 2, 0xffffffff}, {BPF_MUL, 0x10000, 0x10001, 0x10000}, {BPF_DIV, 7, 2, 3}, {BPF_MOD, 7, 4, 3}, {BPF_OR, 5, 3, 7}, {BPF_AND, 5, 3, 1}, {BPF_XOR, 5, 3, 6},
        {BPF_LSH, 1, 31, 0x80000000}, {BPF_RSH, 0x80000000, 31, 1}, {BPF_NEG, 1, 9, 0xffffffff}};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        EQUAL(RUN(DO(BPF_LD | BPF_IMM, sums[i].a), DO((uint16_t)(BPF_ALU | sums[i].operation), sums[i].b), RET_A), sums[i].result);
        if (sums[i].operation != BPF_NEG) EQUAL(RUN(DO(BPF_LD | BPF_IMM, sums[i].a), DO(BPF_LDX | BPF_IMM, sums[i].b), DO((uint16_t)(BPF_ALU | sums[i].operation | BPF_X), 0), RET_A), sums[i].result);
    }
    EQUAL(RUN(DO(BPF_LD | BPF_IMM, 7), DO(BPF_ALU | BPF_DIV | BPF_X, 0), RET(1)), 0);
    static const struct { uint16_t operation; uint32_t a, b; bool holds; } jumps[] = {
        {BPF_JEQ, 1, 1, true}, {BPF_JEQ, 1, 2, false}, {BPF_JGT, 2, 1, true}, {BPF_JGT, 0xffffffff, 1, true}, {BPF_JGT, 1, 1, false}, {BPF_JGE, 1, 1, true}, {BPF_JGE, 0, 1, false}, {BPF_JSET, 6, 2, true}, {BPF_JSET, 6, 1, false}};
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++)
        EQUAL(RUN(DO(BPF_LD | BPF_IMM, jumps[i].a), {(uint16_t)(BPF_JMP | jumps[i].operation), 1, 0, jumps[i].b}, RET(2), RET(3)), jumps[i].holds ? 3 : 2);
    EQUAL(RUN(DO(BPF_JMP | BPF_JA, 1), RET(1), RET(2)), 2);
    REFUSED(DO(BPF_LD | BPF_IMM, 0));
    REFUSED({BPF_JMP | BPF_JEQ, 0, 1, 0}, RET(0));
    REFUSED(DO(BPF_JMP | BPF_JA, 0xffffffff), RET(0));
    REFUSED(DO(BPF_ALU | BPF_MOD, 0), RET(0));
    REFUSED(DO(BPF_STX, 16), RET(0));
    REFUSED(DO(BPF_LD | BPF_MEM, 0), RET(0));
    REFUSED({BPF_JMP | BPF_JEQ, 0, 1, 0}, DO(BPF_ST, 0), DO(BPF_LD | BPF_MEM, 0), RET(0)); /* one way does not store it */
    REFUSED(DO(BPF_LD | BPF_W | BPF_ABS, AD_OFFSET + 56), RET(0));
    CHECK(!filter_check(NULL, 0));
}

/* Codes near to those that there are. */
static void test_random(void) {
    static const uint16_t codes[] = {0x00, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x60, 0x80, 0x01, 0x61, 0x81, 0xb1, 0x02, 0x03, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c,
                                     0x74, 0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac, 0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x06, 0x16, 0x07, 0x87};
    unsigned passed = 0;
    for (unsigned round = 0; round < 300000; round++) {
        struct filter_instruction program[12];
        unsigned count = 1 + any(12);
        for (unsigned i = 0; i < count; i++) {
            program[i] = (struct filter_instruction){.code = any(50) ? codes[any(sizeof codes / sizeof *codes)] : (uint16_t)any(65536), .if_true = (uint8_t)any(count - i + 1), .if_false = (uint8_t)any(count - i + 1)};
            unsigned kind = any(6);
            program[i].k = kind < 3 ? any(20) : kind == 3 ? AD_OFFSET + any(16) * 4 : kind == 4 ? NETWORK_OFFSET - 100 + any(200) : any(2) ? any(70) : any(0x7fffffff) * 2 + any(2);
        }
        if (any(4)) program[count - 1] = (struct filter_instruction){.code = any(2) ? BPF_RET | BPF_A : BPF_RET | BPF_K, .k = any(100)};
        if (!filter_check(program, count)) continue;
        passed++;
        /* A copy with exactly these bytes: the sanitizer sees whoever reads beyond. */
        size_t size = 14 + any(FRAME - 14 + 1);
        uint8_t *bytes = malloc(size), *keep = frame;
        memcpy(bytes, frame, size);
        frame = bytes;
        struct filter_packet packet = packet_of(size);
        filter_run(program, &packet);
        frame = keep;
        free(bytes);
    }
    CHECK(passed > 1000);
    printf("%u random programs ran\n", passed);
}

int main(void) {
    frame = malloc(FRAME);
    for (unsigned i = 0; i < FRAME; i++) frame[i] = (uint8_t)i;
    frame[12] = 8, frame[13] = 0, frame[14] = 0x45;
    test_meaning();
    test_random();
    free(frame);
    return report("socket-filter");
}

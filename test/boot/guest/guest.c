/*
 * The boot layer's test guest: speaks the channel's records on the 16550 and does what its second argument says. It owns no
 * interrupts: it polls. It shows that the host's side keeps the boot ABI with no libOS in between.
 */
#include <stddef.h>
#include <stdint.h>
#include "abi/boot_abi.h"

static uint8_t in8(uint16_t port) { uint8_t value; __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port)); return value; }
static void out8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

static void put(const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    while (size-- > 0) {
        while ((in8(0x3fd) & 0x20) == 0) {
        }
        out8(0x3f8, *at++);
    }
}

static void record(uint8_t type, const void *payload, size_t size) {
    struct hull_record head = { HULL_RECORD_MAGIC, type, (uint16_t)size, 0, 7 };
    put(&head, sizeof head);
    put(payload, size);
}

/* What is still in the chip would go with the machine. */
static void leave(uint8_t code) {
    while ((in8(0x3fd) & 0x40) == 0) {
    }
    out8(0xf4, code);
}

static size_t length(const char *text) { size_t size = 0; while (text[size]) size++; return size; }
static int equal(const char *a, const char *b) { while (*a && *a == *b) { a++; b++; } return *a == *b; }
static uint32_t number(const char *text) { uint32_t n = 0; while (*text >= '0' && *text <= '9') n = n * 10 + (uint32_t)(*text++ - '0'); return n; }
static void say(uint8_t type, const char *text) { record(type, text, length(text)); }

static _Noreturn void end(uint32_t status) {
    record(HULL_RECORD_EXIT, &status, 4);
    leave(0);
    for (;;) __asm__ volatile("hlt");
}

static uint8_t get(void) {
    while ((in8(0x3fd) & 1) == 0) {
    }
    return in8(0x3f8);
}

/* Reads one record into `payload`; returns its type. */
static uint8_t receive(uint8_t *payload, uint32_t *size) {
    struct hull_record head;
    uint8_t *at = (uint8_t *)&head;
    for (size_t i = 0; i < sizeof head; i++) at[i] = get();
    if (head.magic != HULL_RECORD_MAGIC) end(99 << 8);
    *size = head.length;
    for (uint32_t i = 0; i < head.length; i++) payload[i] = get();
    return head.type;
}

static uint8_t buffer[65536];
static const char *strings[64];
static uint32_t string_count;
static uint32_t flags;

struct start_info { uint32_t magic, version, flags, modules; uint64_t module_list; };

static const uint8_t *find_record(const uint8_t *module, uint32_t type, uint32_t *size) {
    uint32_t count = *(const uint16_t *)(module + 6);
    const uint8_t *at = module + 16;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t *head = (const uint32_t *)at;
        *size = head[1];
        if (head[0] == type) return at + 8;
        at += 8 + ((head[1] + 7) & ~7u);
    }
    *size = 0;
    return NULL;
}

static void ready(uint32_t credit) {
    out8(0x3fa, 1); /* FIFO: sixteen bytes of input at a time */
    uint64_t features = 0;
    record(HULL_RECORD_READY, &features, 8);
    if (credit > 0) record(HULL_RECORD_CREDIT, &credit, 4);
}

/* Echoes stdin in pieces of the credit; ends at end of file, or when told to by a signal. */
static _Noreturn void echo(uint32_t credit) {
    uint32_t got = 0;
    ready(credit);
    for (;;) {
        uint32_t size;
        uint8_t type = receive(buffer, &size);
        if (type == HULL_RECORD_STDIN_EOF) end(0);
        if (type == HULL_RECORD_SIGNAL) end(*(uint32_t *)buffer);
        if (type != HULL_RECORD_STDIN) end(98 << 8);
        got += size;
        if (got > credit) end(97 << 8); /* the host went over its credit */
        record(HULL_RECORD_STDOUT, buffer, size);
        if (got == credit) {
            got = 0;
            record(HULL_RECORD_CREDIT, &credit, 4);
        }
    }
}

void guest_main(const struct start_info *info) {
    if (info->modules == 0) { put("no module\n", 10); leave(1); }
    const uint8_t *module = (const uint8_t *)*(const uint64_t *)info->module_list;
    uint32_t size;
    flags = *(const uint32_t *)(module + 12);
    const char *argv = (const char *)find_record(module, HULL_MODULE_ARGV, &size);
    for (const char *at = argv; at < argv + size && string_count < 64; at += length(at) + 1) strings[string_count++] = at;
    const char *what = string_count > 1 ? strings[1] : "exit";
    const char *more = string_count > 2 ? strings[2] : "0";

    if (equal(what, "exit")) end(number(more) << 8);
    if (equal(what, "signal")) end(number(more));
    if (equal(what, "say")) { say(HULL_RECORD_STDOUT, more); end(0); }
    if (equal(what, "both")) {
        for (int i = 0; i < 100; i++) { say(HULL_RECORD_STDOUT, "o\n"); say(HULL_RECORD_STDERR, "e\n"); }
        end(0);
    }
    if (equal(what, "argv")) {
        for (uint32_t i = 0; i < string_count; i++) { say(HULL_RECORD_STDOUT, strings[i]); say(HULL_RECORD_STDOUT, "\n"); }
        end(0);
    }
    if (equal(what, "env")) {
        const char *env = (const char *)find_record(module, HULL_MODULE_ENV, &size);
        for (const char *at = env; at < env + size; at += length(at) + 1) { say(HULL_RECORD_STDOUT, at); say(HULL_RECORD_STDOUT, "\n"); }
        end(0);
    }
    if (equal(what, "record")) { /* a record of the module, as it is */
        const uint8_t *bytes = find_record(module, number(more), &size);
        record(HULL_RECORD_STDOUT, bytes, size);
        end(0);
    }
    if (equal(what, "flood")) { /* so many KiB */
        for (uint32_t i = 0; i < sizeof buffer; i++) buffer[i] = (uint8_t)('a' + i % 26);
        for (uint32_t left = number(more); left > 0; left -= left < 32 ? left : 32) record(HULL_RECORD_STDOUT, buffer, (left < 32 ? left : 32) * 1024);
        end(0);
    }
    if (equal(what, "echo")) echo(number(more));
    if (equal(what, "trap")) { /* says that it is up, ends with 40 + n at signal n */
        ready(0);
        say(HULL_RECORD_STDOUT, "up\n");
        for (;;) if (receive(buffer, &size) == HULL_RECORD_SIGNAL) end((40 + *(uint32_t *)buffer) << 8);
    }
    if (equal(what, "stubborn")) { /* reads signals and ignores them */
        ready(0);
        say(HULL_RECORD_STDOUT, "up\n");
        for (;;) receive(buffer, &size);
    }
    if (equal(what, "mute")) { say(HULL_RECORD_STDOUT, "up\n"); for (;;) __asm__ volatile("hlt"); }
    if (equal(what, "raw")) { put("firmware says hello\n", 20); say(HULL_RECORD_STDOUT, "ok\n"); put("\xb5\x01half", 6); end(0); }
    if (equal(what, "panic")) { say(HULL_RECORD_PANIC, "test: expectation, [<100000>] 5"); leave(1); }
    if (equal(what, "log")) { say(HULL_RECORD_LOG, "at [<100000>] and {ffffff}"); say(HULL_RECORD_LOG, "plain"); end(0); }
    if (equal(what, "fault")) { put("last words\n", 11); __asm__ volatile("ud2"); }
    if (equal(what, "leave")) leave(1);
    if (equal(what, "linger")) { uint32_t status = 5 << 8; record(HULL_RECORD_EXIT, &status, 4); }
    for (;;) __asm__ volatile("hlt");
}

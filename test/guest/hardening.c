// variants: glibc pie musl linked
// flags: -fstack-protector-all -Wno-infinite-recursion
/* Does what no program may, or, without an argument, says where things are. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>
#include "isa.h"

static const char read_only[] = "constant";
static unsigned char data_code[] = CODE_RETURN;
#define NOINLINE __attribute__((noinline)) static int

NOINLINE write_read_only(void) {
    volatile char *p = (volatile char *)(uintptr_t)read_only;
    *p = 'x';
    return *p;
}
NOINLINE write_text(void) {
    volatile unsigned char *p = (volatile unsigned char *)(uintptr_t)write_read_only;
    for (unsigned i = 0; i < sizeof data_code; i++) p[i] = data_code[i];
    return *p;
}
NOINLINE call(volatile unsigned char *code) {
    for (unsigned i = 0; i < sizeof data_code; i++) code[i] = data_code[i];
    ((void (*)(void))(uintptr_t)code)();
    return *code;
}
NOINLINE execute_stack(void) {
    volatile unsigned char code[16];
    return call(code) + 1;
}
NOINLINE call_null(void) {
    int (*volatile function)(void) = 0;
    return function() + 1;
}
NOINLINE read_null(void) { return **(int *volatile *)&(int *){ 0 }; }
NOINLINE overflow_stack(int depth) {
    volatile char room[256];
    room[0] = (char)depth;
    return overflow_stack(depth + 1) + room[0];
}
NOINLINE smash_stack(void) {
    volatile char room[8], *p = room;
    for (int i = 0; i < 64; i++) {
        __asm__("" : "+r"(p));
        p[i] = 65;
    }
    return room[0];
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "read-only")) return write_read_only();
    if (!strcmp(what, "text")) return write_text();
    if (!strcmp(what, "data")) return call(data_code) + 1;
    if (!strcmp(what, "stack")) return execute_stack();
    if (!strcmp(what, "heap")) return call(malloc(16)) + 1;
    if (!strcmp(what, "mapping")) return call(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) + 1;
    if (!strcmp(what, "null-call")) return call_null();
    if (!strcmp(what, "null-read")) return read_null();
    if (!strcmp(what, "overflow")) return overflow_stack(0);
    if (!strcmp(what, "smash")) return smash_stack();
    uint64_t canary;
    #ifdef __aarch64__
    extern uintptr_t __stack_chk_guard;
    canary = __stack_chk_guard;
#else
    __asm__("mov %%fs:0x28, %0" : "=r"(canary));
#endif
    const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
    printf("stack %lx\nheap %lx\nimage %lx\ncanary %lx\nmapping %lx\nrandom ", (unsigned long)&what, (unsigned long)malloc(8),
           (unsigned long)main, (unsigned long)canary, (unsigned long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (int i = 0; i < 16; i++) printf("%02x", random[i]);
    printf("\n");
    return 0;
}

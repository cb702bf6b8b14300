/*
 * The CPU's setup at its slid address: control registers, descriptor tables, canary; then init_main().
 */
#include "init/init.h"
#include "init/image.h"
#include "internal.h"

struct __attribute__((packed)) tss { uint32_t reserved; uint64_t rsp[3], reserved1, ist[7], reserved2; uint16_t reserved3, io_map; };
struct gate { uint16_t low, selector; uint8_t ist, type; uint16_t middle; uint32_t high, reserved; };
struct __attribute__((packed)) table_register { uint16_t limit; uint64_t base; };
#define GATE_COUNT 64

#pragma GCC visibility push(hidden)
/* Null, code, data, TSS (two). "Accessed" is set from the start. */
uint64_t arch_gdt[5] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff};
struct arch_cpu arch_cpu;
uint32_t arch_work;
uintptr_t __stack_chk_guard;
_Noreturn void arch_main(void);
_Noreturn void init_main(void);
#pragma GCC visibility pop
static struct tss tss;
static struct gate gates[GATE_COUNT];

bool arch_random64(uint64_t *out) {
    /* RDRAND (Intel SDM volume 1, 7.3.17): ten tries, then it is broken. Every CPU with RDSEED has it, and it does not run dry. */
    bool ok = false;
    if (cpuid(1, 0).c >> 30 & 1)
        for (int tries = 0; !ok && tries < 10; tries++)
            __asm__ volatile("rdrand %0" : "=r"(*out), "=@ccc"(ok));
    return ok;
}

uint64_t arch_cycles(void) { return __builtin_ia32_rdtsc(); }

void arch_gate_set(unsigned vector, const void *entry, unsigned ist) {
    uintptr_t address = (uintptr_t)entry;
    gates[vector] = (struct gate){(uint16_t)address, SELECTOR_CODE, (uint8_t)ist, 0x8e, (uint16_t)(address >> 16),
                                  (uint32_t)(address >> 32), 0};
}

/* Keeps the compiler from storing the address in constant data, where a packed structure's relocation would be unaligned. */
static uint64_t run_time_address(const void *p) {
    __asm__("" : "+r"(p));
    return (uint64_t)p;
}

static void enable_features(void) {
    struct cpuid basic = cpuid(1, 0);
    uint64_t cr4 = 0x6a0; /* PAE, PGE, OSFXSR, OSXMMEXCPT */
    if (cpuid(7, 0).b & 1)
        cr4 |= 1 << 16; /* FSGSBASE */
    if (basic.c & 1 << 26)
        cr4 |= 1 << 18; /* OSXSAVE */
    __asm__ volatile("movq %0, %%cr4; fninit" ::"r"(cr4));
    if (basic.c & 1 << 26) /* XCR0: x87, SSE, AVX, AVX-512, what the CPU has of them */
        __asm__ volatile("xsetbv" ::"c"(0), "a"(cpuid(0xd, 0).a & 0xe7), "d"(0));
}

static void load_tables(void) {
    char *stacks = arch_stacks;
    tss.ist[0] = (uintptr_t)stacks + (STACK_FAULT + 1) * 4096;
    tss.ist[1] = (uintptr_t)stacks + (STACK_IRQ + 1) * 4096;
    tss.io_map = sizeof(tss);
    arch_cpu.stack_bottom = (uintptr_t)stacks + STACK_KERNEL * 4096;
    arch_cpu.stack_top = arch_cpu.stack_bottom + STACK_KERNEL_PAGES * 4096;
    arch_cpu.call_frame = arch_cpu.stack_top - sizeof(struct trap_frame);
    uint64_t base = (uintptr_t)&tss;
    arch_gdt[3] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    arch_gdt[4] = base >> 32;
    /* 22 architectural exceptions; 2, 8 and 18 can hit anywhere, so they have the other stack. */
    for (unsigned vector = 0; vector < 22; vector++)
        arch_gate_set(vector, arch_trap_stubs + vector * 6, 1 + (0x40104 >> vector & 1));
    struct table_register table = {sizeof(arch_gdt) - 1, run_time_address(arch_gdt)};
    __asm__ volatile("lgdt %0" ::"m"(table));
    table = (struct table_register){sizeof(gates) - 1, run_time_address(gates)};
    __asm__ volatile("lidt %0; ltr %w1" ::"m"(table), "r"(SELECTOR_TSS));
}

void arch_main(void) {
    *(uint64_t *)arch_boot_tables = 0; /* no identity map from here on */
    __asm__ volatile("movq %%cr3, %%rax; movq %%rax, %%cr3" ::: "rax", "memory");
    enable_features();
    load_tables();
    port_out8(0x21, 0xff); /* where there is a legacy interrupt controller, it stays silent */
    port_out8(0xa1, 0xff);
    init_main();
}

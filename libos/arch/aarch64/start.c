/* The CPU's setup at its slid address; then init_main(). */
#include "init/init.h"
#include "internal.h"

#pragma GCC visibility push(hidden)
uint32_t arch_work;
struct arch_cpu arch_cpu;
uintptr_t __stack_chk_guard;
_Noreturn void arch_main(void);
_Noreturn void init_main(void);
#pragma GCC visibility pop

/* RNDR (Arm Architecture Reference Manual, ID_AA64ISAR0_EL1.RNDR): sets Z when it has nothing to give. */
bool arch_random64(uint64_t *out) {
    uint64_t features, value = 0;
    uint32_t none = 1;
    __asm__("mrs %0, id_aa64isar0_el1" : "=r"(features));
    if (features >> 60)
        __asm__ volatile("mrs %0, s3_3_c2_c4_0\n\tcset %w1, eq" : "=r"(value), "=r"(none)::"cc");
    if (!none)
        *out = value;
    return !none;
}

uint64_t arch_cycles(void) {
    uint64_t value;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(value)::"memory");
    return value;
}

void arch_main(void) {
    /* No identity map from here on; RAM in the direct map is read-only and not executable: all that writes, writes at the image's addresses or the stack's. */
    arch_boot_tables[TABLE_LOWER * 512] = 0;
    for (unsigned i = 1; i < 4; i++)
        arch_boot_tables[TABLE_DIRECT * 512 + i] |= PTE_READ_ONLY | PTE_NO_EXEC;
    __asm__ volatile("dsb ishst\n\ttlbi vmalle1\n\tdsb ish\n\tisb" ::: "memory");
    arch_cpu.stack_bottom = (uintptr_t)arch_stacks + STACK_KERNEL * 4096;
    arch_cpu.stack_top = arch_cpu.stack_bottom + STACK_KERNEL_PAGES * 4096;
    arch_cpu.call_frame = arch_cpu.stack_top - sizeof(struct trap_frame);
    init_main();
}

void arch_power_off(void) { arch_lost(); }

/* Ending the machine. */
#include "abi/boot_abi.h"
#include "init/init.h"
#include "internal.h"
#include "xen/xen.h"

#pragma weak xen_power_off

#define DEBUG_EXIT_PORT 0xf4

void arch_power_off(void) {
    if (xen_power_off)
        xen_power_off();
    if (boot_flags() & HULL_FLAG_DEBUG_EXIT)
        port_out8(DEBUG_EXIT_PORT, 0);
    const uint16_t *power = boot_module_find(HULL_MODULE_POWER, NULL);
    if (power)
        port_out16(power[0], power[1]);
    static struct __attribute__((packed)) { uint16_t limit; uint64_t base; } none;
    for (;;)
        __asm__ volatile("cli; lidt %0; int3" ::"m"(none)); /* no handler, no double-fault handler: the CPU shuts down */
}

/*
 * How fast the time stamp counter runs. Asked in this order:
 *   KVM's clock (Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW): its multiplier and shift;
 *   Xen's time leaf, CPUID 0x40000003 (xen/include/public/arch-x86/cpuid.h): kHz;
 *   CPUID 0x40000010 (VMware's timing leaf, QEMU's too): kHz;
 *   CPUID 0x15 and 0x16 (Intel SDM volume 2): crystal ratio, or the base frequency;
 *   the local APIC's counter, which QEMU runs at 1 GHz: its progress against the TSC's since the first question. Rough at first, better with
 *   each later question, taken as exact after SETTLED_NS. No waiting, but for a first interval that is long enough to divide by.
 */
#include "apic.h"
#include "clock/internal.h"
#include "internal.h"

#define MSR_KVM_SYSTEM_TIME 0x4b564d01
#define HYPERVISOR_LEAF 0x40000000
#define KVM_SIGNATURE 0x4b4d564b /* "KVMK" in ebx */
#define KVM_FEATURE_CLOCK 3
#define XEN_SIGNATURE 0x566e6558 /* "XenV" in ebx */
#define TIMER_MASKED (1u << 16)
#define FIRST_NS 50000
#define SETTLED_NS 50000000

struct kvm_time { uint32_t version, pad; uint64_t tsc, system; uint32_t multiplier; int8_t shift; uint8_t flags, pad2[2]; };

static uint64_t scale_of_khz(uint64_t khz) { return (1000000ull << 32) / khz; }

static uint64_t kvm_scale(void) {
    static struct kvm_time time __attribute__((aligned(64)));
    msr_write(MSR_KVM_SYSTEM_TIME, virt_to_phys(&time) | 1);
    uint64_t scale = time.multiplier; /* ns = (cycles << shift) * multiplier >> 32 */
    scale = time.shift < 0 ? scale >> -time.shift : scale << time.shift;
    msr_write(MSR_KVM_SYSTEM_TIME, 0);
    return scale;
}

static uint64_t measured_scale(bool *rough) {
    static uint64_t first_tsc, scale;
    static bool started;
    if (!started) {
        started = true;
        apic_start();
        apic_write(APIC_TIMER_DIVIDE, 0xb);
        apic_write(APIC_TIMER, TIMER_MASKED);
        apic_write(APIC_TIMER_INITIAL, 0xffffffff);
        first_tsc = arch_cycles();
    }
    uint32_t elapsed;
    uint64_t cycles;
    if (apic_read(APIC_TIMER) != TIMER_MASKED) { /* timers use the counter from now on: what is known has to do */
        *rough = false;
        return scale;
    }
    do {
        elapsed = 0xffffffff - apic_read(APIC_TIMER_CURRENT);
        cycles = arch_cycles() - first_tsc;
    } while (elapsed < FIRST_NS);
    *rough = elapsed < SETTLED_NS;
    return scale = ((uint64_t)elapsed << 32) / cycles;
}

uint64_t arch_clock_scale(bool *rough) {
    *rough = false;
    if (cpuid(1, 0).c >> 31) {
        struct cpuid hypervisor = cpuid(HYPERVISOR_LEAF, 0);
        if (hypervisor.b == KVM_SIGNATURE && cpuid(HYPERVISOR_LEAF + 1, 0).a >> KVM_FEATURE_CLOCK & 1) {
            uint64_t scale = kvm_scale();
            if (scale)
                return scale;
        }
        if (hypervisor.b == XEN_SIGNATURE)
            return scale_of_khz(cpuid(HYPERVISOR_LEAF + 3, 0).c);
        if (hypervisor.a >= HYPERVISOR_LEAF + 0x10 && hypervisor.a < HYPERVISOR_LEAF + 0x100) {
            uint32_t khz = cpuid(HYPERVISOR_LEAF + 0x10, 0).a;
            if (khz)
                return scale_of_khz(khz);
        }
    }
    uint32_t leaves = cpuid(0, 0).a;
    if (leaves >= 0x15) {
        struct cpuid ratio = cpuid(0x15, 0);
        if (ratio.a && ratio.b && ratio.c)
            return scale_of_khz((uint64_t)ratio.c * ratio.b / ratio.a / 1000);
    }
    if (leaves >= 0x16) {
        uint32_t mhz = cpuid(0x16, 0).a & 0xffff;
        if (mhz)
            return scale_of_khz(mhz * 1000ull);
    }
    return measured_scale(rough);
}

/*
 * x86's part of Xen: how a guest finds it (public/arch-x86/cpuid.h), calls it, and sees a frame of its choice.
 *
 * The calling instruction is the CPU vendor's, VMCALL or VMMCALL, which the hypercall page that Xen fills would contain; without that page no executable page is
 * one that someone else wrote (XSA-466 made Linux do the same).
 */
#include "internal.h"
#include "memory/memory.h"
#include "xen/xen.h"

#define HYPERVISOR_LEAF 0x40000000
#define SIGNATURE_XEN 0x566e6558  /* "XenV" of "XenVMMXenVMM" */
#define SIGNATURE_XEN_2 0x65584d4d /* "MMXe" */
#define VENDOR_INTEL 0x756e6547 /* "Genu" */
#define CR0_WRITE_PROTECT 0x10000ul

bool xen_present(void) {
    struct cpuid leaf = cpuid(HYPERVISOR_LEAF, 0);
    return cpuid(1, 0).c >> 31 && leaf.b == SIGNATURE_XEN && leaf.c == SIGNATURE_XEN_2;
}

/* The CPU takes a fault in the other vendor's. It is asked once: CPUID, too, leaves the domain. */
long xen_hypercall(unsigned number, uint64_t first, const void *second, uint64_t third) {
    static bool asked, intel;
    uint64_t result = number;
    if (!asked) {
        intel = cpuid(0, 0).b == VENDOR_INTEL;
        asked = true;
    }
    if (intel)
        __asm__ volatile("vmcall" : "+a"(result), "+D"(first), "+S"(second), "+d"(third)::"memory", "r8", "r9", "r10", "r11");
    else
        __asm__ volatile("vmmcall" : "+a"(result), "+D"(first), "+S"(second), "+d"(third)::"memory", "r8", "r9", "r10", "r11");
    return (long)result;
}

/* The direct map is read-only in small images, which write nothing there but this: so the CPU is told to write all the same. */
void *xen_map_frame(void *page, uint64_t frame) {
    uint64_t table = arch_boot_root, *entry;
    for (unsigned shift = 39;; shift -= 9) {
        entry = (uint64_t *)phys_to_virt(table) + ((uintptr_t)page >> shift & 511);
        if (shift == PAGE_SHIFT)
            break;
        table = *entry & PTE_ADDRESS;
    }
    uint64_t cr0;
    __asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("movq %0, %%cr0" ::"r"(cr0 & ~CR0_WRITE_PROTECT) : "memory");
    *entry = (*entry & ~PTE_ADDRESS) | frame << PAGE_SHIFT;
    __asm__ volatile("movq %0, %%cr0; invlpg (%1)" ::"r"(cr0), "r"(page) : "memory");
    return page;
}

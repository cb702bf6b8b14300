/* /proc/cpuinfo of an AArch64 CPU: MIDR_EL1's fields and the features that AT_HWCAP tells, with Linux's names (arch/arm64/kernel/cpuinfo.c, arch/arm64/include/uapi/asm/hwcap.h). */
#include "arch/arch.h"
#include "features.h"
#include "proc-system/internal.h"

/* By bit, from the lowest. */
static const char features[] = "fp\0asimd\0evtstrm\0aes\0pmull\0sha1\0sha2\0crc32\0atomics\0fphp\0asimdhp\0cpuid\0asimdrdm\0jscvt\0fcma\0lrcpc\0dcpop\0sha3\0sm3\0sm4\0asimddp\0sha512\0sve\0"
                               "asimdfhm\0dit\0uscat\0ilrcpc\0flagm\0ssbs\0sb\0paca\0pacg\0";

void show_cpuinfo(struct proc_text *out) {
    uint64_t id, frequency, known = arch_features_hwcap();
    __asm__("mrs %0, midr_el1\n\tmrs %1, cntfrq_el0" : "=r"(id), "=r"(frequency));
    proc_print(out, "processor\t: 0\nBogoMIPS\t: %lu.%02lu\nFeatures\t:", (unsigned long)(frequency / 500000), (unsigned long)(frequency / 5000 % 100));
    for (const char *name = features; *name; name += strlen(name) + 1, known >>= 1)
        if (known & 1) proc_print(out, " %s", name);
    proc_print(out, "\nCPU implementer\t: 0x%02x\nCPU architecture: 8\nCPU variant\t: 0x%x\nCPU part\t: 0x%03x\nCPU revision\t: %u\n\n", (unsigned)(id >> 24 & 0xff), (unsigned)(id >> 20 & 15),
               (unsigned)(id >> 4 & 0xfff), (unsigned)(id & 15));
}

/* /proc/cpuinfo of an x86-64 CPU: what CPUID tells (Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E), with Linux's names of the features. */
#include "arch/arch.h"
#include "clock/clock.h"
#include "proc-system/internal.h"

/* Names by bit, separated by blanks; "-" has none. */
static const char leaf1_d[] = "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe";
static const char leaf1_c[] = "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 x2apic movbe popcnt "
                              "tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor";
static const char extended_d[] = "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow";
static const char extended_c[] = "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - - - tbm topoext";
static const char leaf7_b[] = "fsgsbase tsc_adjust - bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb "
                              "intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl";
static const char leaf7_c[] = "- avx512vbmi umip pku ospke waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni avx512_bitalg - avx512_vpopcntdq - la57 - - - - - rdpid";

static void put_names(struct proc_text *out, const char *names, uint32_t bits) {
    for (; *names; bits >>= 1) {
        const char *end = names;
        while (*end && *end != ' ') end++;
        if (bits & 1 && *names != '-') {
            proc_print(out, " ");
            proc_bytes(out, names, (size_t)(end - names));
        }
        names = *end ? end + 1 : end;
    }
}

void show_cpuinfo(struct proc_text *out) {
    struct cpuid zero = cpuid(0, 0), one = cpuid(1, 0), top = cpuid(0x80000000, 0), seven = zero.a >= 7 ? cpuid(7, 0) : (struct cpuid){ 0 };
    uint32_t family = one.a >> 8 & 15, model = one.a >> 4 & 15;
    char vendor[13] = "", brand[49] = "";
    memcpy(vendor, &zero.b, 4);
    memcpy(vendor + 4, &zero.d, 4);
    memcpy(vendor + 8, &zero.c, 4);
    if (family == 6 || family == 15) model |= one.a >> 12 & 0xf0;
    if (family == 15) family += one.a >> 20 & 0xff;
    for (uint32_t i = 0; i < 3 && top.a >= 0x80000004; i++) {
        struct cpuid part = cpuid(0x80000002 + i, 0);
        memcpy(brand + 16 * i, &part, 16);
    }
    const char *name = brand;
    while (*name == ' ') name++;
    uint64_t khz = clock_khz();
    proc_print(out, "processor\t: 0\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", vendor, family, model, *name ? name : "unknown", one.a & 15);
    proc_print(out, "cpu MHz\t\t: %lu.%03lu\n", (unsigned long)(khz / 1000), (unsigned long)(khz % 1000));
    struct cpuid cache = top.a >= 0x80000006 ? cpuid(0x80000006, 0) : (struct cpuid){ 0 };
    if (cache.c >> 16) proc_print(out, "cache size\t: %u KB\n", cache.c >> 16);
    proc_print(out, "physical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\napicid\t\t: %u\ninitial apicid\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\n", one.b >> 24, one.b >> 24);
    proc_print(out, "cpuid level\t: %u\nwp\t\t: yes\nflags\t\t:", zero.a);
    put_names(out, leaf1_d, one.d);
    if (top.a >= 0x80000001) {
        struct cpuid extended = cpuid(0x80000001, 0);
        put_names(out, extended_d, extended.d);
        put_names(out, leaf1_c, one.c);
        put_names(out, extended_c, extended.c);
    } else {
        put_names(out, leaf1_c, one.c);
    }
    put_names(out, leaf7_b, seven.b);
    put_names(out, leaf7_c, seven.c);
    uint32_t sizes = top.a >= 0x80000008 ? cpuid(0x80000008, 0).a : 0x3024;
    proc_print(out, "\nbugs\t\t:\nbogomips\t: %lu.%02lu\nclflush size\t: %u\ncache_alignment\t: 64\naddress sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
               (unsigned long)(khz / 500), (unsigned long)(khz / 5 % 100), (one.b >> 8 & 255) * 8, sizes & 255, sizes >> 8 & 255);
}

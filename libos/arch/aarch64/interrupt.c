/*
 * Interrupt controllers: GICv2 (Arm IHI 0048) and GICv3 (Arm IHI 0069) with affinity routing, which the device tree tells apart. Lines are numbered by
 * their INTID (devicetree_interrupt). All are level-triggered, as they are at reset: with that an edge that came early is not lost.
 * Owns the virtual timer's line, too (PPI 11): the machine has it in any case.
 * Messages (PCI MSI-X) are not served: a device is told so, and uses its line.
 */
#include "device_tree.h"
#include "init/init.h"
#include "internal.h"
#include "lib/string.h"
#include "syscall/errno.h"

enum {
    DISTRIBUTOR_CONTROL = 0, GROUP = 0x80, SET_ENABLE = 0x100, PRIORITY = 0x400, TARGETS = 0x800, ROUTER = 0x6000, /* of the distributor, or of a redistributor's second frame */
    CPU_CONTROL = 0, CPU_PRIORITY_MASK = 4, CPU_ACKNOWLEDGE = 12, CPU_END = 16,                              /* GICv2's CPU interface */
    WAKER = 0x14, OWN_FRAME = 0x10000,                                                                       /* of a redistributor */
};
#define WAKER_ASLEEP 4u
#define OWN_LINES 32 /* those of a CPU: SGI and PPI */
#define FIRST_SPECIAL 1020
#define PRIORITY_ALL 0xa0
#define LINES_MOST 64
#define RETRY_PER_SECOND 10000

/* System registers of GICv3, by encoding: assemblers know their names only with that extension. */
#define ICC_PMR "s3_0_c4_c6_0"
#define ICC_IAR1 "s3_0_c12_c12_0"
#define ICC_EOIR1 "s3_0_c12_c12_1"
#define ICC_SRE "s3_0_c12_c12_5"
#define ICC_IGRPEN1 "s3_0_c12_c12_7"

#pragma GCC visibility push(hidden)
void arch_irq(bool libos);
void arch_timer_interrupt(void) __attribute__((weak));         /* timer.c */
extern char arch_syscall_entry[] __attribute__((weak)); /* absent in linked images */
#pragma GCC visibility pop

static struct { irq_handler handler; void *arg; unsigned line; } lines[LINES_MOST];
static unsigned line_count;
static volatile uint8_t *distributor, *own; /* own: where the CPU's own lines are set up */
static volatile uint8_t *cpu_interface;     /* of GICv2; NULL: GICv3 */

static volatile uint32_t *word(volatile uint8_t *base, unsigned offset) { return (volatile uint32_t *)(base + offset); }

static void start_v3(void) {
    uint64_t one = 1, mask = 0xff;
    volatile uint32_t *waker = word(cpu_interface, WAKER); /* the first redistributor is the boot CPU's */
    own = cpu_interface + OWN_FRAME;
    cpu_interface = NULL;
    *waker &= ~2u;
    while (*waker & WAKER_ASLEEP)
        arch_pause();
    *word(distributor, DISTRIBUTOR_CONTROL) = 0x12; /* affinity routing, group 1 */
    __asm__ volatile("msr " ICC_SRE ", %0\n\tisb\n\tmsr " ICC_PMR ", %1\n\tmsr " ICC_IGRPEN1 ", %0\n\tisb" ::"r"(one), "r"(mask));
}

/* Where its registers are: the first two places of the node's "reg". */
static void find(void) {
    struct devicetree_property p = {0};
    const char *node = NULL;
    const uint32_t *places = NULL;
    unsigned version = 0;
    while (devicetree_next(arch_device_tree(), &p)) {
        if (p.depth != 2)
            continue;
        if (p.node != node) {
            node = p.node;
            places = NULL;
            version = 0;
        }
        if (!strcmp(p.name, "reg") && p.size >= 32)
            places = p.value;
        if (!strcmp(p.name, "compatible"))
            version = !strcmp((const char *)p.value, "arm,gic-v3") ? 3 : !strcmp((const char *)p.value, "arm,cortex-a15-gic") || !strcmp((const char *)p.value, "arm,gic-400") ? 2 : 0;
        if (!version || !places)
            continue;
        distributor = own = phys_to_virt(devicetree_number(places, 2));
        cpu_interface = phys_to_virt(devicetree_number(places + 4, 2));
        if (version == 3) {
            start_v3();
            return;
        }
        *word(cpu_interface, CPU_PRIORITY_MASK) = 0xff;
        *word(cpu_interface, CPU_CONTROL) = 1;
        *word(distributor, DISTRIBUTOR_CONTROL) = 1;
        return;
    }
    panic("arch: a GICv2 or GICv3 in the device tree, none");
}

/* Has a line interrupt this CPU. */
static void enable(unsigned line) {
    volatile uint8_t *base = line < OWN_LINES ? own : distributor;
    base[PRIORITY + line] = PRIORITY_ALL;
    if (cpu_interface) {
        if (line >= OWN_LINES)
            base[TARGETS + line] = 1;
    } else {
        *word(base, GROUP + line / 32 * 4) |= 1u << line % 32;
        if (line >= OWN_LINES)
            *(volatile uint64_t *)(base + ROUTER + 8 * line) = 0;
    }
    *word(base, SET_ENABLE + line / 32 * 4) = 1u << line % 32;
}

int arch_irq_register(unsigned gsi, irq_handler handler, void *arg) {
    if (!distributor)
        find();
    if (gsi >= FIRST_SPECIAL)
        return -EINVAL;
    if (line_count == LINES_MOST)
        return -ENOSPC;
    lines[line_count].handler = handler;
    lines[line_count].arg = arg;
    lines[line_count++].line = gsi;
    enable(gsi);
    return 0;
}

int arch_irq_register_message(irq_handler handler, void *arg, uint64_t *address, uint32_t *data) {
    (void)handler, (void)arg, (void)address, (void)data;
    return -ENOSPC;
}

void arch_timer_set(uint64_t cycles) {
    static bool started;
    if (!started) {
        started = true;
        if (!distributor)
            find();
        enable(TIMER_LINE);
    }
    __asm__ volatile("msr cntv_cval_el0, %0\n\tmsr cntv_ctl_el0, %1\n\tisb" ::"r"(cycles), "r"(1ul));
}

/*
 * In a linked image a call of the libOS is a plain function call, with no way out that looks for raised work. When an interrupt finds
 * libOS text running, another one follows soon, until one finds the program's. The bottom half of the timers then sets the first real deadline again.
 */
static void retry_soon(void) {
    uint64_t frequency;
    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    arch_timer_set(arch_cycles() + frequency / RETRY_PER_SECOND);
}

uint64_t arch_irq_count;
static bool idling;
uint8_t arch_timer_found;

static unsigned acknowledge(void) {
    uint64_t line;
    if (cpu_interface)
        return *word(cpu_interface, CPU_ACKNOWLEDGE) & 0x3ff;
    __asm__ volatile("mrs %0, " ICC_IAR1 "\n\tdsb sy" : "=r"(line)::"memory");
    return (unsigned)line & 0xffffff;
}

static void end(unsigned line) {
    if (cpu_interface)
        *word(cpu_interface, CPU_END) = line;
    else
        __asm__ volatile("msr " ICC_EOIR1 ", %0\n\tisb" ::"r"((uint64_t)line) : "memory");
}

void arch_irq(bool libos) {
    unsigned line = acknowledge();
    arch_irq_count++;
    if (line >= FIRST_SPECIAL) /* it went away */
        return;
    if (line == TIMER_LINE) {
        __asm__ volatile("msr cntv_ctl_el0, xzr\n\tisb" ::: "memory"); /* its level falls */
        arch_timer_found = idling ? TIMER_FOUND_IDLE : libos ? TIMER_FOUND_LIBOS : TIMER_FOUND_PROGRAM;
        if (arch_timer_interrupt)
            arch_timer_interrupt();
    } else {
        for (unsigned i = 0; i < line_count; i++)
            if (lines[i].line == line)
                lines[i].handler(lines[i].arg);
    }
    end(line);
    if (libos && arch_work && !arch_syscall_entry)
        retry_soon();
}

uint64_t arch_idle_cycles;
void arch_idle(void) {
    uint64_t start = arch_cycles();
    idling = true;
    __asm__ volatile("dsb sy\n\twfi\n\tmsr daifclr, #2\n\tisb\n\tmsr daifset, #2" ::: "memory"); /* a masked interrupt ends WFI, too */
    idling = false;
    arch_idle_cycles += arch_cycles() - start;
}

/*
 * Interrupt controllers: local APIC and IO-APIC (Intel 82093AA data sheet). All lines are level-triggered, active high: what
 * QEMU's and Xen's device models drive, and with level triggering an edge that came early is not lost.
 * Owns vectors 32..61 for devices, 62 for the timer, 63 for spurious interrupts.
 */
#include "apic.h"
#include "init/init.h"
#include "internal.h"
#include "syscall/errno.h"

#define IOAPIC_PHYS 0xfec00000
#define APIC_PHYS 0xfee00000
#define MSR_APIC_BASE 0x1b
#define MSR_X2APIC 0x800
#define VECTOR_FIRST 32
#define VECTOR_HUB 47
#define LEVEL_TRIGGERED (1u << 15)
#define GSI_MESSAGE (~0u)
#define RETRY_TICKS 100000

#pragma GCC visibility push(hidden)
extern char arch_irq_stubs[];
void arch_irq(unsigned vector, bool libos);
void arch_timer_interrupt(void) __attribute__((weak)); /* timer.c */
void arch_timer_retry(void) __attribute__((weak));
extern char arch_syscall_exit[] __attribute__((weak)); /* absent in linked images */
#pragma GCC visibility pop

static struct { irq_handler handler; void *arg; unsigned gsi, vector; } lines[VECTOR_TIMER - VECTOR_FIRST];
static unsigned line_count, next_vector = VECTOR_FIRST;
static volatile uint32_t *apic, *ioapic;
static bool x2apic;

uint32_t apic_read(unsigned reg) { return x2apic ? (uint32_t)msr_read(MSR_X2APIC + reg) : apic[reg * 4]; }

void apic_write(unsigned reg, uint32_t value) {
    if (x2apic)
        msr_write(MSR_X2APIC + reg, value);
    else
        apic[reg * 4] = value;
}

static void set_gate(unsigned vector) { arch_gate_set(vector, arch_irq_stubs + (vector - VECTOR_FIRST) * 6, 2); }

void apic_start(void) {
    if (apic)
        return;
    x2apic = msr_read(MSR_APIC_BASE) >> 10 & 1; /* left as found: on where the firmware turned it on */
    apic = arch_map_device(APIC_PHYS, 4096);
    if (!apic)
        panic("arch: memory for the APIC's page table, none");
    set_gate(VECTOR_SPURIOUS);
    apic_write(APIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
}

static int add_line(irq_handler handler, void *arg, unsigned gsi) {
    apic_start();
    unsigned vector = 0;
    for (unsigned i = 0; i < line_count; i++) /* devices may share a line */
        if (gsi != GSI_MESSAGE && lines[i].gsi == gsi)
            vector = lines[i].vector;
    if (!vector) {
        next_vector += next_vector == VECTOR_HUB;
        vector = next_vector++;
    }
    if (vector >= VECTOR_TIMER)
        return -ENOSPC;
    lines[line_count].handler = handler;
    lines[line_count].arg = arg;
    lines[line_count].gsi = gsi;
    lines[line_count++].vector = vector;
    set_gate(vector);
    return (int)vector;
}

static void ioapic_write(unsigned index, uint32_t value) {
    ioapic[0] = index;
    ioapic[4] = value;
}

int arch_irq_register(unsigned gsi, irq_handler handler, void *arg) {
    if (!ioapic && !(ioapic = arch_map_device(IOAPIC_PHYS, 4096)))
        return -ENOMEM;
    ioapic[0] = 1;
    if (gsi > (ioapic[4] >> 16 & 0xff))
        return -EINVAL;
    int vector = add_line(handler, arg, gsi);
    if (vector < 0)
        return vector;
    ioapic_write(0x11 + gsi * 2, x2apic ? apic_read(APIC_ID) << 24 : apic_read(APIC_ID) & 0xff000000);
    ioapic_write(0x10 + gsi * 2, (uint32_t)vector | LEVEL_TRIGGERED);
    return 0;
}

int arch_irq_register_message(irq_handler handler, void *arg, uint64_t *address, uint32_t *data) {
    int vector = add_line(handler, arg, GSI_MESSAGE);
    if (vector < 0)
        return vector;
    uint32_t id = x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
    *address = APIC_PHYS | (uint64_t)id << 12; /* SDM volume 3, 11.11 */
    *data = (uint32_t)vector;
    return 0;
}

/*
 * In a linked image a call of the libOS is a plain function call, with no way out that looks for raised work. When an interrupt finds
 * libOS text running, another one follows soon, until one finds the program's.
 */
static void retry_soon(void) {
    if (arch_timer_retry) {
        arch_timer_retry();
        return;
    }
    set_gate(VECTOR_TIMER);
    apic_write(APIC_TIMER_DIVIDE, 0xb);
    apic_write(APIC_TIMER, VECTOR_TIMER);
    apic_write(APIC_TIMER_INITIAL, RETRY_TICKS);
}

uint64_t arch_irq_count;
static bool idling;
uint8_t arch_timer_found;

void arch_irq(unsigned vector, bool libos) {
    arch_irq_count++;
    if (vector == VECTOR_SPURIOUS)
        return;
    if (vector == VECTOR_TIMER) {
        arch_timer_found = idling ? TIMER_FOUND_IDLE : libos ? TIMER_FOUND_LIBOS : TIMER_FOUND_PROGRAM;
        if (arch_timer_interrupt)
            arch_timer_interrupt();
    } else {
        for (unsigned i = 0; i < line_count; i++)
            if (lines[i].vector == vector)
                lines[i].handler(lines[i].arg);
    }
    apic_write(APIC_EOI, 0);
    if (libos && arch_work && !arch_syscall_exit)
        retry_soon();
}

uint64_t arch_idle_cycles;
void arch_idle(void) {
    uint64_t start = arch_cycles();
    idling = true;
    __asm__ volatile("sti; hlt; cli" ::: "memory");
    idling = false;
    arch_idle_cycles += arch_cycles() - start;
}

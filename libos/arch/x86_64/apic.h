/* The local APIC (Intel SDM volume 3, chapter 11), xAPIC or x2APIC. Private to libos/arch/x86_64. */
#ifndef HULL_ARCH_APIC_H
#define HULL_ARCH_APIC_H
#include <stdint.h>
#pragma GCC visibility push(hidden)
#define APIC_ID 0x02
#define APIC_EOI 0x0b
#define APIC_SPURIOUS 0x0f
#define APIC_TIMER 0x32
#define APIC_TIMER_INITIAL 0x38
#define APIC_TIMER_CURRENT 0x39
#define APIC_TIMER_DIVIDE 0x3e
#define VECTOR_TIMER 62
#define VECTOR_SPURIOUS 63
void apic_start(void); /* turns it on, once; any number of calls */
uint32_t apic_read(unsigned reg); /* register: its xAPIC offset / 16 */
void apic_write(unsigned reg, uint32_t value);
#pragma GCC visibility pop
#endif

/* Stands in for libos/arch/arch.h in native tests: physical addresses are addresses. */
#ifndef HULL_ARCH_ARCH_H
#define HULL_ARCH_ARCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct arch_thread { int unused; };
static inline void *phys_to_virt(uint64_t physical) { return (void *)physical; }
static inline uint64_t virt_to_phys(const void *p) { return (uint64_t)p; }
#endif

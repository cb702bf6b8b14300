/* A stand-in for libos/arch/<isa>/arch_inline.h in native tests: physical address 0 is where the test's arena lies. */
#ifndef HULL_ARCH_INLINE_H
#define HULL_ARCH_INLINE_H
struct arch_thread { int unused; };
struct trap_frame { int unused; };
extern uint32_t arch_work;
extern char *native_arena;
static inline void *phys_to_virt(uint64_t phys) { return native_arena + phys; }
static inline uint64_t virt_to_phys(const void *p) { return (uint64_t)((const char *)p - native_arena); }
static inline unsigned long arch_irq_save(void) { return 0; }
static inline void arch_irq_restore(unsigned long state) { (void)state; }
#endif

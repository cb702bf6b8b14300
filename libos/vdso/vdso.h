/*
 * The vDSO: an ELF shared object that exec maps into every program (AT_SYSINFO_EHDR), whose functions read the clocks without a system call.
 * Met by weak references: exec asks for the mapping, clock tells of its changes.
 */
#ifndef HULL_VDSO_VDSO_H
#define HULL_VDSO_VDSO_H
#include <stdint.h>

struct address_space;
/* Maps it at a random place. Where its ELF header is; 0: no memory, the program does without. Context: exec. */
uintptr_t vdso_map(struct address_space *);

/* What the clock's page holds; vdso/image.h has the offsets. The image lies on the page after it. */
struct vdso_data {
    uint32_t sequence; /* odd while it is being changed */
    uint32_t usable;   /* 0: the functions make the system call */
    uint64_t base_cycles, scale, base_ns, realtime_offset; /* clock.h: struct clock_state */
};
#endif

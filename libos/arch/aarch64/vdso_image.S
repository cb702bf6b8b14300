/*
 * The vDSO of AArch64 as bytes, all read-only and position-independent: what is this CPU's of it. vdso/image.h has the rest, and the order of the parts.
 * It is copied to a page of its own, after the page with struct vdso_data (vdso/vdso.h). Part of `vdso`.
 *
 * Functions: procedure call standard, in x0, x1; out x0; they clobber x2 to x11 and the flags.
 */
#include "vdso/image.h"

#define SYS_clock_gettime 113
#define SYS_clock_getres 114
#define SYS_rt_sigreturn 139
#define SYS_gettimeofday 169

    vdso_header 183 /* EM_AARCH64 */
symbols:
    .quad 0, 0, 0
    symbol clock_gettime
    symbol gettimeofday
    symbol clock_getres
    symbol rt_sigreturn
hash:
    .long 1, 5, 1, 0, 2, 3, 4, 0        /* buckets, chains; the bucket's first; the chains */
symbol_versions:
    .short 0, 2, 2, 2, 2
    vdso_versions 0x075fcb89
strings:
    .byte 0
soname: .asciz "linux-vdso.so.1"
name_version: .asciz "LINUX_2.6.39"
name_clock_gettime: .asciz "__kernel_clock_gettime"
name_gettimeofday: .asciz "__kernel_gettimeofday"
name_clock_getres: .asciz "__kernel_clock_getres"
name_rt_sigreturn: .asciz "__kernel_rt_sigreturn"
strings_end:
    .balign 16

/* In: w2 a known clock. Out: x3 nanoseconds, flag Z clear; or Z set: the counter tells no time now. Clobbers x4 to x9. */
read_clock:
    adr x4, image - 4096
1:  ldr w5, [x4, #SEQUENCE]
    tbnz w5, #0, 3f
    dmb ishld
    ldr w6, [x4, #USABLE]
    cbz w6, 2f
    isb                                 /* or the counter is read before what comes before it in the program */
    mrs x6, cntvct_el0
    ldp x7, x8, [x4, #BASE_CYCLES]      /* and SCALE */
    sub x6, x6, x7
    mul x3, x6, x8
    umulh x6, x6, x8
    extr x3, x6, x3, #32
    ldp x7, x8, [x4, #BASE_NS]          /* and REALTIME_OFFSET */
    add x3, x3, x7
    mov w9, #REAL_CLOCKS
    lsr w9, w9, w2
    tbz w9, #0, 4f
    add x3, x3, x8
4:  dmb ishld
    ldr w6, [x4, #SEQUENCE]
    cmp w5, w6
    b.ne 1b
    cmp x4, #0                          /* Z clear */
    ret
2:  cmp x6, x6
    ret
3:  yield
    b 1b

/* In: x3 nanoseconds. Out: x4 seconds, x3 the rest. Clobbers x5. */
    .macro split_seconds
    mov w5, #SECOND_NS & 0xffff
    movk w5, #SECOND_NS >> 16, lsl #16
    udiv x4, x3, x5
    msub x3, x4, x5, x3
    .endm

    .balign 16
clock_gettime:                          /* w0 clock, x1 struct timespec */
    cmp w0, #11
    b.hi 1f
    mov w3, #KNOWN_CLOCKS
    lsr w3, w3, w0
    tbz w3, #0, 1f
    mov w2, w0
    mov x10, x30
    bl read_clock
    mov x30, x10
    b.eq 1f
    split_seconds
    stp x4, x3, [x1]
    mov w0, #0
    ret
1:  mov x8, #SYS_clock_gettime
    svc #0
    ret
clock_gettime_end:

    .balign 16
gettimeofday:                           /* x0 struct timeval or null, x1 struct timezone or null */
    cbz x0, 2f
    mov w2, #0
    mov x10, x30
    bl read_clock
    mov x30, x10
    b.eq 1f
    split_seconds
    mov w5, #1000
    udiv x3, x3, x5
    stp x4, x3, [x0]
2:  cbz x1, 3f
    str xzr, [x1]
3:  mov w0, #0
    ret
1:  mov x8, #SYS_gettimeofday
    svc #0
    ret
gettimeofday_end:

    .balign 16
clock_getres:                           /* w0 clock, x1 struct timespec or null */
    cmp w0, #11
    b.hi 1f
    mov w3, #KNOWN_CLOCKS
    lsr w3, w3, w0
    tbz w3, #0, 1f
    cbz x1, 2f
    mov w3, #COARSE_CLOCKS
    lsr w3, w3, w0
    mov w4, #TICK_NS & 0xffff
    movk w4, #TICK_NS >> 16, lsl #16
    tst w3, #1
    csinc w4, w4, wzr, ne               /* else 1 */
    stp xzr, x4, [x1]
2:  mov w0, #0
    ret
1:  mov x8, #SYS_clock_getres
    svc #0
    ret
clock_getres_end:

    .balign 16
    nop                                 /* an unwinder looks at the address before */
rt_sigreturn:
    mov x8, #SYS_rt_sigreturn
    svc #0
rt_sigreturn_end:
image_end:
arch_vdso_end:
    .section .note.GNU-stack, "", @progbits

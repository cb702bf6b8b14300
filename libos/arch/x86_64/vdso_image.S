/*
 * The vDSO of x86-64 as bytes, all read-only and position-independent: what is this CPU's of it. vdso/image.h has the rest, and the order of the parts.
 * It is copied to a page of its own, after the page with struct vdso_data (vdso/vdso.h). Part of `vdso`.
 *
 * Functions: System V calling convention, in %rdi, %rsi; out %rax; they clobber caller-saved registers only and use eight bytes of stack.
 */
#include "vdso/image.h"

#define DATA (image - 4096)
#define SYS_gettimeofday 96
#define SYS_time 201
#define SYS_clock_gettime 228
#define SYS_clock_getres 229

    vdso_header 62 /* EM_X86_64 */
symbols:
    .quad 0, 0, 0
    symbol clock_gettime
    symbol gettimeofday
    symbol time
    symbol getcpu
    symbol clock_getres
hash:
    .long 1, 6, 1, 0, 2, 3, 4, 5, 0     /* buckets, chains; the bucket's first; the chains */
symbol_versions:
    .short 0, 2, 2, 2, 2, 2
    vdso_versions 0x03ae75f6
strings:
    .byte 0
soname: .asciz "linux-vdso.so.1"
name_version: .asciz "LINUX_2.6"
name_clock_gettime: .asciz "__vdso_clock_gettime"
name_gettimeofday: .asciz "__vdso_gettimeofday"
name_time: .asciz "__vdso_time"
name_getcpu: .asciz "__vdso_getcpu"
name_clock_getres: .asciz "__vdso_clock_getres"
strings_end:

/* In: %ecx a known clock. Out: %rax nanoseconds, carry clear; or carry set: the counter tells no time now. Clobbers %rdx, %r8, %r9. */
    .balign 16
read_clock:
    leaq DATA(%rip), %r8
1:  movl SEQUENCE(%r8), %r9d
    testl $1, %r9d
    jnz 3f
    cmpl $1, USABLE(%r8)                /* below: carry */
    jb 2f
    lfence                              /* or the counter is read before what comes before it in the program */
    rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    subq BASE_CYCLES(%r8), %rax
    mulq SCALE(%r8)
    shrdq $32, %rdx, %rax
    addq BASE_NS(%r8), %rax
    movl $REAL_CLOCKS, %edx
    btl %ecx, %edx
    jnc 4f
    addq REALTIME_OFFSET(%r8), %rax
4:  cmpl SEQUENCE(%r8), %r9d
    jne 1b
    clc
2:  ret
3:  pause
    jmp 1b

/* In: %rax nanoseconds. Out: %rdx seconds, %rax the rest. By multiplication: 2^73 / (10^9 / 2^9) rounded up. Clobbers %rcx. */
split_seconds:
    movq %rax, %rcx
    shrq $9, %rax
    movabsq $0x44b82fa09b5a53, %rdx
    mulq %rdx
    shrq $11, %rdx
    imulq $SECOND_NS, %rdx, %rax
    subq %rax, %rcx
    movq %rcx, %rax
    ret

    .balign 16
clock_gettime:                          /* %edi clock, %rsi struct timespec */
    cmpl $11, %edi
    ja 1f
    movl $KNOWN_CLOCKS, %eax
    btl %edi, %eax
    jnc 1f
    movl %edi, %ecx
    call read_clock
    jc 1f
    call split_seconds
    movq %rdx, (%rsi)
    movq %rax, 8(%rsi)
    xorl %eax, %eax
    ret
1:  movl $SYS_clock_gettime, %eax
    syscall
    ret
clock_gettime_end:

    .balign 16
gettimeofday:                           /* %rdi struct timeval or null, %rsi struct timezone or null */
    testq %rdi, %rdi
    jz 2f
    xorl %ecx, %ecx
    call read_clock
    jc 1f
    call split_seconds
    movq %rdx, (%rdi)
    imulq $274877907, %rax, %rax        /* 2^38 / 1000, rounded up: exact below 10^9 */
    shrq $38, %rax
    movq %rax, 8(%rdi)
2:  testq %rsi, %rsi
    jz 3f
    movq $0, (%rsi)
3:  xorl %eax, %eax
    ret
1:  movl $SYS_gettimeofday, %eax
    syscall
    ret
gettimeofday_end:

    .balign 16
time:                                   /* %rdi int64_t or null */
    xorl %ecx, %ecx
    call read_clock
    jc 1f
    call split_seconds
    movq %rdx, %rax
    testq %rdi, %rdi
    jz 2f
    movq %rax, (%rdi)
2:  ret
1:  movl $SYS_time, %eax
    syscall
    ret
time_end:

    .balign 16
getcpu:                                 /* %rdi unsigned or null, %rsi likewise: the one CPU on the one node */
    xorl %eax, %eax
    testq %rdi, %rdi
    jz 1f
    movl %eax, (%rdi)
1:  testq %rsi, %rsi
    jz 2f
    movl %eax, (%rsi)
2:  ret
getcpu_end:

    .balign 16
clock_getres:                           /* %edi clock, %rsi struct timespec or null */
    cmpl $11, %edi
    ja 1f
    movl $KNOWN_CLOCKS, %eax
    btl %edi, %eax
    jnc 1f
    xorl %eax, %eax
    testq %rsi, %rsi
    jz 2f
    movq %rax, (%rsi)
    movl $COARSE_CLOCKS, %ecx
    btl %edi, %ecx
    movl $1, %ecx
    movl $TICK_NS, %edx
    cmovcl %edx, %ecx
    movq %rcx, 8(%rsi)
2:  ret
1:  movl $SYS_clock_getres, %eax
    syscall
    ret
clock_getres_end:
image_end:
arch_vdso_end:
    .section .note.GNU-stack, "", @progbits

/*
 * The vDSO of x86-64 as bytes: ELF header, two program headers, dynamic section, symbols, versions and code, all read-only and position-independent
 * (System V gABI chapters 4 and 5; Linux vdso(7)). It is copied to a page of its own, after the page with struct vdso_data (vdso/vdso.h).
 * Section headers are left out: loaders do not read them. One hash bucket holds all symbols, so no hash of theirs is needed. Part of `vdso`.
 *
 * Functions: System V calling convention, in %rdi, %rsi; out %rax; they clobber caller-saved registers only and use eight bytes of stack.
 */
#define DATA (image - 4096)
#define SEQUENCE 0
#define USABLE 4
#define BASE_CYCLES 8
#define SCALE 16
#define BASE_NS 24
#define REALTIME_OFFSET 32

/* Clocks that are answered here, as bits: REALTIME, REALTIME_COARSE, TAI; MONOTONIC, _RAW, _COARSE, BOOTTIME. */
#define REAL_CLOCKS 0x821
#define KNOWN_CLOCKS 0x8f3
#define COARSE_CLOCKS 0x60
#define TICK_NS 4000000
#define SECOND_NS 1000000000
#define SYS_gettimeofday 96
#define SYS_time 201
#define SYS_clock_gettime 228
#define SYS_clock_getres 229

    .section .rodata.arch_vdso, "a", @progbits
    .globl arch_vdso_start, arch_vdso_end
    .hidden arch_vdso_start, arch_vdso_end
    .balign 16
arch_vdso_start:
image:
    .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0
    .quad 0
    .short 3, 62                        /* ET_DYN, EM_X86_64 */
    .long 1
    .quad 0, program_headers - image, 0 /* entry, program headers, section headers */
    .long 0
    .short 64, 56, 2, 0, 0, 0
program_headers:
    .long 1, 5                          /* PT_LOAD, R-X */
    .quad 0, 0, 0, image_end - image, image_end - image, 4096
    .long 2, 4                          /* PT_DYNAMIC, R--: a loader does not relocate what it may not write */
    .quad dynamic - image, dynamic - image, dynamic - image, dynamic_end - dynamic, dynamic_end - dynamic, 8
dynamic:
    .quad 14, soname - strings          /* DT_SONAME */
    .quad 4, hash - image               /* DT_HASH */
    .quad 5, strings - image            /* DT_STRTAB */
    .quad 6, symbols - image            /* DT_SYMTAB */
    .quad 10, strings_end - strings     /* DT_STRSZ */
    .quad 11, 24                        /* DT_SYMENT */
    .quad 0x6ffffffc, versions - image  /* DT_VERDEF */
    .quad 0x6ffffffd, 2                 /* DT_VERDEFNUM */
    .quad 0x6ffffff0, symbol_versions - image /* DT_VERSYM */
    .quad 0, 0
dynamic_end:

    .macro symbol name
    .long name_\name - strings
    .byte 0x12, 0                       /* global function */
    .short 1                            /* defined: any section number but 0 */
    .quad \name - image, \name\()_end - \name
    .endm
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
    .balign 8
versions:                               /* version, flags (1: the file itself), index, names, hash, first name, next */
    .short 1, 1, 1, 1
    .long 0x0deebfa1, 20, 28
    .long soname - strings, 0
    .short 1, 0, 2, 1
    .long 0x03ae75f6, 20, 0
    .long name_version - strings, 0
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

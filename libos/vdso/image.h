/*
 * What the vDSO's images of all instruction sets have alike (arch/<isa>/vdso_image.S): the ELF header, two program headers, dynamic section, versions
 * (System V gABI chapters 4 and 5; Linux vdso(7)), and what their code knows of the page before the image. For assembly.
 *
 * The order in an image: vdso_header; "symbols" (`symbol` for each function), "hash" (one bucket that holds all symbols, so no hash of theirs is needed),
 * "symbol_versions"; vdso_versions; "strings" with "soname", "name_version" and each symbol's "name_…" up to "strings_end"; code; "image_end". Section
 * headers are left out: loaders do not read them.
 */
#ifndef HULL_VDSO_IMAGE_H
#define HULL_VDSO_IMAGE_H

/* struct vdso_data (vdso.h). */
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

    .macro vdso_header machine          /* the ELF header's e_machine */
    .section .rodata.arch_vdso, "a", @progbits
    .globl arch_vdso_start, arch_vdso_end
    .hidden arch_vdso_start, arch_vdso_end
    .balign 16
arch_vdso_start:
image:
    .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0
    .quad 0
    .short 3, \machine                  /* ET_DYN */
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
    .endm

    .macro symbol name
    .long name_\name - strings
    .byte 0x12, 0                       /* global function */
    .short 1                            /* defined: any section number but 0 */
    .quad \name - image, \name\()_end - \name
    .endm

    .macro vdso_versions hash           /* of name_version */
    .balign 8
versions:                               /* version, flags (1: the file itself), index, names, hash, first name, next */
    .short 1, 1, 1, 1
    .long 0x0deebfa1, 20, 28
    .long soname - strings, 0
    .short 1, 0, 2, 1
    .long \hash, 20, 0
    .long name_version - strings, 0
    .endm
#endif

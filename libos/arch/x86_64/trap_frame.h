/* Offsets in struct trap_frame (arch_inline.h), for assembly. */
#ifndef HULL_ARCH_TRAP_FRAME_H
#define HULL_ARCH_TRAP_FRAME_H
#define R15 0
#define R14 8
#define R13 16
#define R12 24
#define RBP 32
#define RBX 40
#define R11 48
#define R10 56
#define R9 64
#define R8 72
#define RDI 80
#define RSI 88
#define RDX 96
#define RCX 104
#define RAX 112
#define VECTOR 120
#define ERROR 128
#define RIP 136
#define CS 144
#define RFLAGS 152
#define RSP 160
#define SS 168
#endif

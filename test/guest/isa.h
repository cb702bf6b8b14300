/* What the programs of this folder know of the instruction set that they are built for: its instructions, its registers in a signal's context, its numbers. */
#ifndef ISA_H
#define ISA_H
#ifdef __aarch64__
#define MACHINE "aarch64"
#define VECTOR "w" /* a register that holds a double, as a constraint */
#define CPU_FEATURES "\nFeatures\t: fp "
#define CPU_SPEED "BogoMIPS\t: "
#define LARGE_FILE 0400000
#define CODE_RETURN {0xc0, 0x03, 0x5f, 0xd6}
#define CONTEXT_PC(u) ((u)->uc_mcontext.pc)
#define CONTEXT_RESULT(u) ((u)->uc_mcontext.regs[0])
enum { LOAD_SIZE = 4, TRAP_SIZE = 4 /* where a handler returns to is the instruction itself */ };
#define LOAD_FROM_16(got) __asm__ volatile("mov x0, #16\n ldr w0, [x0]\n mov %w0, w0" : "=r"(got) : : "x0", "memory")
#define VDSO "__kernel_"
#define VDSO_VERSION "LINUX_2.6.39"
#define VDSO_HASH 0x75fcb89
#define ILLEGAL() __asm__ volatile("udf #0")
#define TRAP() __asm__ volatile("brk #0")
#else
#define MACHINE "x86_64"
#define VECTOR "x"
#define CPU_FEATURES "\nflags\t\t: fpu "
#define CPU_SPEED "cpu MHz\t\t: "
#define LARGE_FILE 0100000
#define CODE_RETURN {0xc3}
#define CONTEXT_PC(u) ((u)->uc_mcontext.gregs[REG_RIP])
#define CONTEXT_RESULT(u) ((u)->uc_mcontext.gregs[REG_RAX])
enum { LOAD_SIZE = 2, TRAP_SIZE = 0 };
#define LOAD_FROM_16(got) __asm__ volatile("movl $16, %%eax; .byte 0x8b, 0x00" : "=a"(got) : : "memory")
#define VDSO "__vdso_"
#define VDSO_VERSION "LINUX_2.6"
#define VDSO_HASH 0x3ae75f6
#define ILLEGAL() __asm__ volatile("ud2")
#define TRAP() __asm__ volatile("int3")
#endif
#endif

/**
 * Cases for the linker's AArch64 part. There is no C library: `runtime` starts the program, sets its thread pointer up, and ends it with the sum that
 * `test` returns as its status. Each case's program is linked by ld.lld and by us and run in qemu-aarch64.
 */
export interface ArmCase {
  name: string;
  /** File name -> source. "x.s" is assembly. Each becomes an object of its own. */
  files: Record<string, string>;
  flags?: string;
  gc?: boolean;
  status?: number;
  defines?: Record<string, number>;
  error?: string;
  message?: RegExp;
  /** ld.lld refuses what we link, or the other way. */
  lld?: 'differs';
  /** What our output's disassembly must have. */
  code?: RegExp;
}

export const runtime = `
typedef unsigned long word;
struct header { unsigned type, flags; word offset, address, physical, size, memory, align; };
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
int test(void);
static char block[8192] __attribute__((aligned(4096)));
static void finish(int status) {
  register long number __asm__("x8") = 94, argument __asm__("x0") = status;
  __asm__ volatile("svc 0" : : "r"(number), "r"(argument) : "memory");
}
__attribute__((used)) void begin(void) {
  const struct header *at = (const void *)(__ehdr_start + 64);
  char *pointer = block;
  for (int i = 0; i < *(const unsigned short *)(__ehdr_start + 56); i++, at++)
    if (at->type == 7) {
      char *to = block + ((16 + at->align - 1) & -at->align);
      for (word k = 0; k < at->size; k++) ((volatile char *)to)[k] = ((const char *)at->address)[k];
    }
  __asm__ volatile("msr tpidr_el0, %0" : : "r"(pointer));
  finish(test());
}
__asm__(".globl _start\\n_start: mov x29, #0\\nbl begin\\nbrk #1");
`;

/** Moves a value in pieces: what each group of MOVW relocations makes of a symbol. */
const moves = (name: string, kind: string, symbol: string) =>
  `.globl ${name}\n${name}: movz x0, #:${kind}_g3:${symbol}\nmovk x0, #:${kind}_g2_nc:${symbol}\nmovk x0, #:${kind}_g1_nc:${symbol}\nmovk x0, #:${kind}_g0_nc:${symbol}\nret\n`;

export const cases: ArmCase[] = [
  { name: 'calls and data of another object', files: { 'a.c': 'int f(int), x; extern int y; int test(void) { x = 2; return f(x) + y; }', 'b.c': 'int y = 40; static int z = 1; int f(int n) { return n + z; }' }, status: 43 },
  { name: 'position-independent: loads from the GOT become addresses', flags: '-fPIC', files: { 'a.c': 'extern int x, *f(void); int test(void) { return x + (f() == &x); }', 'b.c': 'int x = 30; int *f(void) { return &x; }' }, status: 31 },
  { name: 'loads and stores of every size', files: { 'a.c': 'typedef int v4 __attribute__((vector_size(16))); unsigned char b = 1; unsigned short h = 2; unsigned w = 3; unsigned long d = 4; v4 q = {5, 6, 7, 8}, r; int test(void) { b++; h++; w++; d++; r = q; return b + h + w + (int)d + r[3]; }' }, flags: '-O1', status: 22 },
  { name: 'weak and undefined is null', flags: '-fPIC', files: { 'a.c': 'extern int f(void) __attribute__((weak)), x __attribute__((weak)); int test(void) { return (f ? 1 : 0) + (&x ? 2 : 0) + 4; }' }, status: 4 },
  { name: 'weak and undefined, called and never reached', files: { 'a.c': 'extern int f(void) __attribute__((weak)); int test(void) { return f ? f() : 9; }' }, status: 9 },
  { name: 'addresses in data', files: { 'a.c': 'int x = 7; static int y = 8; int *p[] = {&x, &y}; int test(void) { return *p[0] + *p[1]; }' }, status: 15 },
  { name: 'data relocations of every width', files: { 'a.c': 'extern unsigned short h; extern unsigned w; extern unsigned long d; extern int r32; extern short r16; extern long r64; int test(void) { return (h == 0x1234) + (w == 0x12345678) * 2 + (d == 0x123456789abcdef0) * 4 + ((char *)&r32 + r32 == (char *)&d) * 8 + ((char *)&r16 + r16 == (char *)&d) * 16 + ((char *)&r64 + r64 == (char *)&d) * 32; }', 'b.s': '.data\n.globl h,w,d,r32,r16,r64\n.balign 8\nd: .xword big\nr64: .xword d-.\nw: .word middle\nr32: .word d-.\nh: .hword small\nr16: .hword d-.\n', 'c.s': '.globl small,middle,big\nsmall = 0x1234\nmiddle = 0x12345678\nbig = 0x123456789abcdef0\n' }, status: 63 },
  { name: 'move instructions: unsigned, signed, checked', files: { 'a.c': 'long f(void), g(void), h(void), x; int test(void) { return (f() == 0x123456789abcdef0) + (g() == -5) * 2 + (h() == (long)&x) * 4; }', 'b.s': `${moves('f', 'abs', 'big')}.globl g,h\ng: movn x0, #:abs_g0_s:minus\nret\nh: movz x0, #:abs_g1:x\nmovk x0, #:abs_g0_nc:x\nret\n`, 'c.s': '.globl big,minus\nbig = 0x123456789abcdef0\nminus = -5\n' }, status: 7 },
  { name: 'addresses and literals near by', files: { 'a.c': 'long f(void), g(void); int test(void) { return f() + g(); }', 'b.s': '.section .text.b,"ax"\n.globl f,g\nf: adr x1, there\nldr x0, [x1]\nret\ng: ldr x0, there\nret\n', 'c.s': '.section .text.c,"ax"\n.globl there\n.balign 8\nthere: .xword 21\n' }, status: 42 },
  { name: 'conditional and bit-test branches to another object', files: { 'a.c': 'int f(int); int test(void) { return f(0) * 4 + f(1) * 2 + f(2); }', 'b.s': '.globl f\nf: cbz w0, zero\ntbnz w0, #0, one\ncmp w0, #2\nb.eq two\nmov w0, #0\nret\n', 'c.s': '.globl zero,one,two\nzero: mov w0, #5\nret\none: mov w0, #6\nret\ntwo: mov w0, #7\nret\n' }, status: 39 },
  ...(['local-exec', 'initial-exec', 'global-dynamic', 'local-dynamic'] as const).map((model): ArmCase => ({
    name: `thread-local: ${model}`,
    flags: `-fPIC -O1 -ftls-model=${model}`,
    files: { 'a.c': '__thread int x = 5; static __thread int y = 7; static __thread char z[100]; extern __thread long w; int test(void) { x += 1; y += x; z[1] = y; return x + y + z[1] + z[2] + w; }', 'b.c': '__thread long w __attribute__((aligned(64))) = 77;' },
    status: 109,
  })),
  { name: 'thread-local: loads of every size, large block', flags: '-O1', files: { 'a.c': '__thread char pad[5000] = {1}; __thread unsigned char b = 1; __thread unsigned short h = 2; __thread unsigned w = 3; __thread unsigned long d = 4; int test(void) { return b + h + w + (int)d + pad[0] + pad[4999]; }' }, status: 11 },
  { name: 'thread-local: small offsets', lld: 'differs', files: { 'a.c': '__thread int x = 3; long f(void); int test(void) { return f() + x; }', 'b.s': '.globl f\nf: mrs x1, tpidr_el0\nadd x1, x1, #:tprel_lo12:x\nldr w0, [x1]\nmrs x1, tpidr_el0\nldr w2, [x1, #:tprel_lo12:x]\nadd w0, w0, w2\nmrs x1, tpidr_el0\nmovz x2, #:tprel_g1:x\nmovk x2, #:tprel_g0_nc:x\nldr w2, [x1, x2]\nadd w0, w0, w2\nret\n' }, status: 12 },
  { name: 'GOT loads that two pages lead to stay', files: { 'a.c': 'long f(int); int x = 6; int test(void) { return f(0) + f(1); }', 'b.s': '.globl f\nf: cbz w0, 1f\nadrp x1, :got:x\nb 2f\n1: adrp x1, :got:x\n2: ldr x1, [x1, :got_lo12:x]\nldrsw x0, [x1]\nret\n' }, status: 12 },
  { name: 'GOT loads with something between stay', files: { 'a.c': 'long f(void); int x = 6; int test(void) { return f(); }', 'b.s': '.globl f\nf: adrp x1, :got:x\nmov x0, #1\nldr x2, [x1, :got_lo12:x]\nldrsw x2, [x2]\nadd x0, x0, x2\nret\n' }, status: 7 },
  { name: 'garbage collection', flags: '-ffunction-sections -fdata-sections', files: { 'a.c': 'int missing(void); int unused(void) { return missing(); } static int f(void) { return 6; } int (*table[])(void) = {f}; int test(void) { return table[0](); }' }, gc: true, status: 6 },
  { name: 'strings merge', files: { 'a.c': 'const char *g(void); int test(void) { const char *s = "shared text"; return s[0] == \'s\' && g()[7] == \'t\'; }', 'b.c': 'const char *g(void) { return "shared text"; }' }, status: 1 },
  { name: 'indirect function', files: { 'a.c': 'typedef int (*fn)(void); static int one(void) { return 41; } static fn pick(void) { return one; } int f(void) __attribute__((ifunc("pick"))); struct rela { unsigned long offset, info; fn (*resolve)(void); }; extern struct rela __rela_iplt_start[], __rela_iplt_end[]; int test(void) { for (struct rela *r = __rela_iplt_start; r < __rela_iplt_end; r++) if (r->info == 1032) *(fn *)r->offset = r->resolve(); return f(); }' }, status: 41 },
  { name: 'absolute symbols from the command line', flags: '-fPIC', files: { 'a.c': 'extern char value[]; int test(void) { return (unsigned long)value == 0x1234; }' }, defines: { value: 0x1234 }, status: 1 },
  { name: 'branches further than 128 MiB, both ways', files: { 'a.c': 'int far(int), near(int); int test(void) { return far(1) + far(2) + near(3); } int back(int n) { return n + 10; }', 'b.s': '.section .text.space,"ax"\n.space 0x8100000\n', 'c.s': '.section .text.far,"ax"\n.globl far,near\nfar: add w0, w0, #1\nb back\nnear: stp x29, x30, [sp, #-16]!\nbl back\nldp x29, x30, [sp], #16\nret\n' }, status: 38, code: /br\s+x16/ },
  { name: 'conditional branch further than 1 MiB', files: { 'a.c': 'int test(void) { return 0; }', 'b.s': '.text\ncbz x0, far\n.space 0x100000\n', 'c.s': '.globl far\nfar: ret\n' }, error: 'relocation-overflow', message: /R_AARCH64_CONDBR19 .*"far".*fits the instruction/ },
  { name: 'unaligned place of a load', files: { 'a.c': 'int test(void) { return 0; }', 'b.s': 'adrp x0, odd\nldr x0, [x0, :lo12:odd]\n', 'c.s': '.data\n.byte 0\n.globl odd\nodd: .xword 1\n' }, error: 'relocation-overflow' },
  { name: 'overflow of 16 bits', files: { 'a.c': 'int test(void) { return 0; }', 'b.s': '.data\n.hword wide\n', 'c.s': '.globl wide\nwide = 0x1ffff\n' }, error: 'relocation-overflow', message: /R_AARCH64_ABS16 .*b\.o.*"wide"/ },
  { name: 'no definition', files: { 'a.c': 'int missing(void); int test(void) { return missing(); }' }, error: 'undefined-symbol', message: /"missing".*a\.o/ },
];

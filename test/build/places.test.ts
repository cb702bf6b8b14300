// The check that no code of an instruction set or a platform stands outside its folder.
import t from 'tap';
import { findMisplaced } from '../../tools/test/check-places.ts';

const linesOf = (text: string, platform?: string, path = 'libos/file/file.c') => findMisplaced(path, text, platform).map((problem) => /:(\d+)": ([^(,]*\w)/.exec(problem)?.slice(1).join(' '));

t.test('code of an ISA is found', (t) => {
  t.same(linesOf('int a;\nvoid f(void) { __asm__ volatile("cli"); }\n'), ['2 inline assembly']);
  t.same(linesOf('__asm__(".globl x\\nx: ret");'), ['1 inline assembly'], 'also behind directives');
  t.same(linesOf('#ifdef __x86_64__\n#endif\n'), ['1 a macro of an instruction set']);
  t.same(linesOf('uint64_t r = frame->rax;'), ['1 a register']);
  t.same(linesOf('uint64_t r = frame->pc + state->pc;'), ['1 a register of a saved frame']);
  t.same(linesOf('cpuid(1, 0);'), ['1 an instruction of one CPU']);
  t.same(linesOf('port_out8(0x3f8, 1);\nxen_hypercall(1);'), ['1 port I/O', '2 a hypercall']);
  t.end();
});

t.test('what is no CPU\'s is none', (t) => {
  t.same(linesOf('__asm__ volatile("" ::"r"(block) : "memory");'), [], 'a barrier');
  t.same(linesOf('__asm__ volatile(".hidden a\\n\\t" /* why */ ".reloc ., BFD_RELOC_NONE, a");'), [], 'directives');
  t.same(linesOf('long call(void) __asm__("sys_" #name);'), [], 'the name of a symbol');
  t.same(linesOf('/* rax, cpuid(1) */ log("rip"); // frame->pc\n'), [], 'comments and texts');
  t.same(linesOf('port_out8(0x3f8, 1);', 'pc'), [], 'ports, in a component of that platform');
  t.same(linesOf('__asm__("cli");', undefined, 'libos/arch/x86_64/start.c'), [], "its folder's files");
  t.end();
});

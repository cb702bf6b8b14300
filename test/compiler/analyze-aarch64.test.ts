/**
 * compiler/analyze for AArch64: which system calls a program can make.
 *
 * Owns: one small program for each way that a constant takes to an `svc`, and for each that must end in "unknown"; words of all kinds beside what llvm-objdump
 * says of them; a dynamic program with a library of its own. Programs are assembled here, by clang.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type Analysis, analyzeExecutable, describeExecutable } from '../../compiler/analyze/index.ts';
import { flowOf, isSvc, targetOf, writtenBy } from '../../compiler/arch/aarch64/analyze/words.ts';
import { flow } from '../../compiler/arch/analysis-isa.ts';
import { analyzeClosure, mergeSummaries, summarizeObject } from '../../compiler/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-analyze-aarch64-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

function build(source: string, flags: readonly string[], extension = 's', name = `case-${count++}`): string {
  const path = join(folder, name);
  writeFileSync(`${path}.${extension}`, source);
  execFileSync('clang', ['--target=aarch64-linux-gnu', '-nostdlib', '-fuse-ld=lld', '-w', ...flags, '-o', path, `${path}.${extension}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  return path;
}

const analyzeFile = (path: string): Analysis => analyzeExecutable(describeExecutable(readFileSync(path), path));
const assemble = (body: string, flags: readonly string[] = []) => analyzeFile(build(`.globl _start\n.text\n${body}\n`, ['-static', ...flags]));
const numbers = (analysis: Analysis) => [...analysis.known.keys()].sort((a, b) => a - b);
const start = '.type _start,@function\n_start:\n';
const exit = '\nmov x8, #94\nsvc #0\nbrk #1';
const end = `${exit}\n.size _start, .-_start\n`;
const wrapper = '\n.type wrap,@function\nwrap: mov w8, w0\nmov x0, x1\nsvc #0\nret\n.size wrap, .-wrap\n';
const table = `cmp w0, #2\nb.hi 9f\nadrp x1, table\nadd x1, x1, :lo12:table\nldrb w0, [x1, w0, uxtw]\nadr x1, 1f\nadd x0, x1, w0, sxtb #2\nbr x0
1: mov x8, #172\nb 8f\n2: mov x8, #173\nb 8f\n3: mov x8, #174\n8: svc #0\n9:`;

t.test('constants that reach a site', (t) => {
  const cases: [name: string, body: string, expected: number[]][] = [
    ['movz', `${start}mov x8, #172\nsvc #0${end}`, [94, 172]],
    ['any operand of svc', `${start}mov w8, #172\nsvc #7${end}`, [94, 172]],
    ['movz and movk', `${start}mov x8, #172\nmovk x8, #0, lsl #16\nsvc #0${end}`, [94, 172]],
    ['orr of an immediate', `${start}orr w8, wzr, #0x60\nsvc #0${end}`, [94, 96]],
    ['copies', `${start}mov x19, #172\nmov w9, w19\nmov x8, x9\nsvc #0${end}`, [94, 172]],
    ['zero', `${start}mov x8, xzr\nsvc #0${end}`, [0, 94]],
    ['arithmetic', `${start}mov w8, #170\nadd w8, w8, #3\nsub w8, w8, #1\nsvc #0${end}`, [94, 172]],
    ['csel', `${start}mov w9, #172\nmov w10, #173\ncmp x0, #0\ncsel w8, w9, w10, eq\nsvc #0${end}`, [94, 172, 173]],
    ['cinc', `${start}mov w9, #172\ncmp x0, #0\ncinc w8, w9, eq\nsvc #0${end}`, [94, 172, 173]],
    ['both branches', `${start}mov w8, #172\ntbz x0, #3, 1f\nmov w8, #173\n1: svc #0${end}`, [94, 172, 173]],
    ['a call between', `${start}mov w19, #172\nbl f\nmov w8, w19\nsvc #0${end}.type f,@function\nf: ret\n.size f, .-f`, [94, 172]],
    ['another call between', `${start}mov x8, #172\nsvc #0\nsvc #0${end}`, [94, 172]],
    ['a slot of the stack', `${start}sub sp, sp, #32\nmov w9, #172\nstr w9, [sp, #8]\nmov x0, #0\nldr w8, [sp, #8]\nadd sp, sp, #32\nsvc #0${end}`, [94, 172]],
    ['pairs', `${start}mov x9, #172\nmov x10, #173\nstp x9, x10, [sp, #-16]!\nldp x8, x11, [sp], #16\nsvc #0\nmov x8, x11\nsvc #0${end}`, [94, 172, 173]],
    ['callers of a wrapper', `${start}mov w0, #172\nbl wrap\nmov w0, #173\nbl wrap${end}${wrapper}`, [94, 172, 173]],
    ['a table', `${start}${table}${end}.section .rodata\ntable: .byte 0, 2, 4`, [94, 172, 173, 174]],
    ['the return from a handler', `${start}mov x8, #134\nsvc #0${end}`, [94, 134, 139]],
  ];
  for (const [name, body, expected] of cases) {
    const analysis = assemble(body);
    t.same(numbers(analysis), expected, name);
    t.same(analysis.unknown, [], `${name}: nothing unknown`);
  }
  t.end();
});

t.test('what cannot be known is said to be unknown', (t) => {
  const cases: [name: string, body: string, reason: RegExp][] = [
    ['memory', `${start}adrp x9, number\nldr w8, [x9, :lo12:number]\nsvc #0${end}.data\nnumber: .long 172`, /read from memory/],
    ['the result of a function', `${start}mov x8, #172\nbl f\nsvc #0${end}.type f,@function\nf: ret\n.size f, .-f`, /result of a function/],
    ['the result of a call', `${start}mov w8, #172\nsvc #0\nmov w8, w0\nsvc #0${end}`, /result of a system call/],
    ['the beginning', `${start}svc #0${end}`, /program begins/],
    ['a wrapper whose address is made', `${start}adrp x9, wrap\nadd x9, x9, :lo12:wrap\nblr x9${end}${wrapper}`, /pointer to this function/],
    ['by adr', `${start}adr x9, wrap\nblr x9${end}${wrapper}`, /pointer to this function/],
    ['by movz and movk', `${start}movz x9, #:abs_g0_nc:wrap\nmovk x9, #:abs_g1_nc:wrap\nblr x9${end}${wrapper}`, /pointer to this function/],
    ['in data', `${start}adrp x9, place\nldr x9, [x9, :lo12:place]\nblr x9${end}${wrapper}.data\n.balign 8\nplace: .quad wrap`, /pointer to this function/],
    ['in a literal', `${start}ldr x9, =wrap\nblr x9${end}${wrapper}`, /pointer to this function/],
    ['not called by anybody', `${start}${end}${wrapper}`, /nothing is seen/],
    ['a write that is not understood', `${start}mov x8, #172\nmrs x8, tpidr_el0\nsvc #0${end}`, /computed otherwise/],
    ['a vector that comes back', `${start}mov x8, #172\nfmov x8, d0\nsvc #0${end}`, /computed otherwise/],
    ['a slot by a pointer', `${start}sub sp, sp, #32\nmov w9, #172\nstr w9, [sp, #8]\nadd x0, sp, #8\nbl f\nldr w8, [sp, #8]\nsvc #0${end}.type f,@function\nf: str wzr, [x0]\nret\n.size f, .-f`, /function may write/],
    ['a slot that is written in part', `${start}sub sp, sp, #32\nmov w9, #172\nstr w9, [sp, #8]\nstrb wzr, [sp, #9]\nldr w8, [sp, #8]\nsvc #0${end}`, /written in part/],
  ];
  for (const [name, body, reason] of cases) {
    const analysis = assemble(body);
    t.ok(analysis.mayMakeAnyCall, `${name}: any call`);
    t.match(analysis.unknown[0]?.reasons.join('; ') ?? '', reason, `${name}: the reason`);
  }
  const moved = analyzeFile(build(`.globl _start\n${start}adrp x9, place\nldr x9, [x9, :lo12:place]\nblr x9${end}${wrapper}.data\n.balign 8\nplace: .quad wrap`, ['-static-pie']));
  t.ok(moved.mayMakeAnyCall, 'in data that the program relocates itself');
  t.end();
});

/** Mnemonics of what leaves the straight line. */
const flows: Record<string, number> = { b: flow.jump, bl: flow.call, br: flow.indirect, blr: flow.call, ret: flow.end, eret: flow.end, cbz: flow.branch, cbnz: flow.branch, tbz: flow.branch, tbnz: flow.branch, brk: flow.halt, udf: flow.halt };
/** With x8 as first operand, they read it. */
const readers = /^(st|cmp|cmn|tst|ccmp|ccmn|cbn?z|tbn?z|b|br|blr|ret|msr|prfm|ic|dc|at|tlbi|sys|rmif|setf)/;

t.test('words of all kinds, beside llvm-objdump', (t) => {
  let state = 12345;
  const random = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  // Half of them are made to name x8 where most instructions have what they write.
  const words = Array.from({ length: 40_000 }, (_, i) => (i % 2 ? random() : ((random() & ~31) | 8) >>> 0));
  words.push(0xd4000001, 0xd65f03c0, 0xd61f0200, 0xd63f0100, 0xd4200020, 0xd503201f, 0x14000004, 0x97fffffe, 0x54000041, 0xb4000048, 0x37180028);
  const path = build(`.text\n${words.map((word) => `.inst ${word}`).join('\n')}\n`, ['-c']);
  const text = execFileSync('llvm-objdump', ['-d', '--no-show-raw-insn', '--mattr=+v8.5a,+lse,+fullfp16', path], { encoding: 'utf8', maxBuffer: 1 << 28 });
  let checked = 0;
  let writers = 0;
  const wrong: string[] = [];
  for (const match of text.matchAll(/^\s*([0-9a-f]+):\s+(\S+)[ \t]*(.*)$/gm)) {
    const [, place, mnemonic, operands] = match as unknown as [string, string, string, string];
    if (mnemonic === '<unknown>' || mnemonic.startsWith('<')) continue;
    const at = Number.parseInt(place, 16);
    const word = (words[at / 4] as number) | 0;
    checked++;
    const expected = mnemonic.startsWith('b.') ? flow.branch : (flows[mnemonic] ?? flow.next);
    const known = flowOf(word);
    if (known !== expected && !/^(retaa|retab|braa|brab|blraa|blrab|eretaa|eretab|drps)/.test(mnemonic)) wrong.push(`${match[0]}: flow ${known}`);
    if (isSvc(word) !== (mnemonic === 'svc')) wrong.push(`${match[0]}: svc`);
    const goes = /0x([0-9a-f]+) </.exec(operands)?.[1];
    if (goes !== undefined && (expected === flow.jump || expected === flow.branch || mnemonic === 'bl') && targetOf(word, at) !== Number.parseInt(goes, 16) && (targetOf(word, at) ?? 0) >= 0) {
      wrong.push(`${match[0]}: target ${targetOf(word, at)}`);
    }
    const first = /^(?:[xw]8)\b/.test(operands) && !readers.test(mnemonic);
    if (first) writers++;
    if (first && !((writtenBy(word) >>> 8) & 1)) wrong.push(`${match[0]}: writes x8`);
    const base = /\[x8(?:\]|, #-?\w+\])(!|, #|, x)/.test(operands);
    if (base && !((writtenBy(word) >>> 8) & 1)) wrong.push(`${match[0]}: moves x8`);
  }
  t.same(wrong.slice(0, 10), [], 'each agrees');
  t.ok(checked > 10_000 && writers > 2000, `${checked} instructions, of which ${writers} write x8`);
  t.end();
});

t.test('a program and its libraries', (t) => {
  const call = (number: number) => `{ register long n __asm__("x8") = ${number}; register long r __asm__("x0") = 0; __asm__ volatile("svc #0" : "+r"(r) : "r"(n) : "memory"); return r; }`;
  const library = build(`long used(void) ${call(20)} long unused(void) ${call(85)} static long pointed(void) ${call(19)} long (*const table[])(void) = { pointed };`, ['-O2', '-shared', '-fPIC', '-Wl,-soname,libown.so'], 'c', 'libown.so');
  const loader = build(`void _start(void) ${call(57).replace('return r;', '')}`, ['-O2', '-static-pie', '-fPIE'], 'c', 'loader');
  const source = `long used(void); void _start(void) { used(); ${call(94).replace('return r;', '')} }`;
  const program = build(source, ['-O2', '-pie', '-fPIE', library, `-Wl,-dynamic-linker,${loader}`, '-Wl,-rpath,$ORIGIN'], 'c', 'program');
  const files = {
    read: (path: string) => {
      try {
        return path.startsWith(folder) ? readFileSync(path) : undefined;
      } catch {
        return undefined;
      }
    },
    list: () => [],
  };
  const summarizer = {
    summarize: summarizeObject,
    summarizeGroup: (group: readonly { path: string; bytes: Uint8Array }[]) => mergeSummaries(group.map(({ path, bytes }) => summarizeObject(bytes, path, true))),
  };
  const closure = analyzeClosure({ program, files, summarizer, environment: [], isComplete: true });
  t.same([closure.machine, closure.doubts], ['aarch64', []]);
  t.same([...closure.calls.keys()].sort((a, b) => a - b), [19, 20, 57, 94], 'by its stub, by a pointer in data, by the loader; not what nobody asks for');
  t.end();
});

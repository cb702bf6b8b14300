/**
 * compiler/analyze: which system calls a program can make.
 *
 * Owns: one small program for each way that a constant takes to a `syscall`, one for each way that must end in "unknown", whole programs of both
 * libcs against what strace sees, and the errors of the edge. Programs are assembled here, by clang.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type Analysis, analyzeExecutable, describeExecutable } from '../../compiler/analyze/index.ts';
import { CompilerError } from '../../compiler/error.ts';
import { syscallNumber } from '../../compiler/select/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-analyze-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

function build(source: string, extension: 's' | 'c', flags: string[], compiler = 'clang'): string {
  const base = join(folder, `case-${count++}`);
  writeFileSync(`${base}.${extension}`, source);
  execFileSync(compiler, [...flags, '-o', base, `${base}.${extension}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  return base;
}

function analyzeFile(path: string): Analysis {
  return analyzeExecutable(describeExecutable(readFileSync(path), path));
}

/** Assembles `_start` and what follows. Every case ends in exit_group, so that a false fall-through would show. */
function assemble(body: string, flags: string[] = []): Analysis {
  const source = `.globl _start\n.text\n${body}\n`;
  return analyzeFile(build(source, 's', ['-nostdlib', '-static', '-fuse-ld=lld', ...flags]));
}

const numbers = (analysis: Analysis) => [...analysis.known.keys()].sort((a, b) => a - b);
const start = '.type _start,@function\n_start:\n';
const end = '\n.size _start, .-_start\n';
const exit = '\nmov $231, %eax\nsyscall\nud2';

t.test('constants that reach a site', (t) => {
  const cases: [name: string, body: string, expected: number[]][] = [
    ['mov of an immediate', `${start}mov $39, %eax\nsyscall${exit}${end}`, [39, 231]],
    ['64-bit mov', `${start}movq $39, %rax\nsyscall${exit}${end}`, [39, 231]],
    ['zero by xor and by sub', `${start}xor %eax, %eax\nsyscall\nsub %rax, %rax\nsyscall${exit}${end}`, [0, 231]],
    ['copies between registers', `${start}mov $39, %ebx\nmov %rbx, %r12\nmov %r12d, %eax\nsyscall${exit}${end}`, [39, 231]],
    ['push and pop', `${start}push $39\npush $1\npop %rbx\npop %rax\nsyscall${exit}${end}`, [39, 231]],
    ['lea', `${start}xor %ebx, %ebx\nlea 39(%rbx), %eax\nsyscall${exit}${end}`, [39, 231]],
    ['lea of base and index', `${start}mov $3, %ebx\nlea 30(%rbx,%rbx,2), %eax\nsyscall${exit}${end}`, [39, 231]],
    ['a low byte', `${start}xor %eax, %eax\nmov $39, %al\nsyscall${exit}${end}`, [39, 231]],
    ['arithmetic', `${start}mov $40, %eax\ndec %eax\nadd $2, %eax\nsub $2, %eax\nsyscall${exit}${end}`, [39, 231]],
    ['cmov', `${start}mov $39, %eax\nmov $110, %ecx\ntest %edi, %edi\ncmovne %ecx, %eax\nsyscall${exit}${end}`, [39, 110, 231]],
    ['sbb, and, add', `${start}cmp $1, %edi\nsbb %eax, %eax\nand $71, %eax\nadd $39, %eax\nsyscall${exit}${end}`, [39, 110, 231]],
    ['setcc', `${start}xor %eax, %eax\ntest %edi, %edi\nsete %al\nsyscall${exit}${end}`, [0, 1, 231]],
    ['both branches', `${start}test %edi, %edi\njz 1f\nmov $39, %eax\njmp 2f\n1: mov $110, %eax\n2: syscall${exit}${end}`, [39, 110, 231]],
    ['a loop', `${start}mov $35, %ebx\n1: mov %ebx, %eax\nsyscall\ntest %eax, %eax\njnz 1b${exit}${end}`, [35, 231]],
    ['a register that survives a call', `${start}mov $39, %ebx\ncall f\nmov %ebx, %eax\nsyscall${exit}${end}\n.type f,@function\nf: ret\n.size f, .-f`, [39, 231]],
    ['a stack slot', `${start}sub $16, %rsp\nmovl $39, 8(%rsp)\nnop\nmov 8(%rsp), %eax\nadd $16, %rsp\nsyscall${exit}${end}`, [39, 231]],
    ['a frame slot', `${start}push %rbp\nmov %rsp, %rbp\nmovl $39, -4(%rbp)\nmov -4(%rbp), %eax\nsyscall${exit}${end}`, [39, 231]],
    ['xchg', `${start}mov $39, %edx\nxchg %eax, %edx\nsyscall${exit}${end}`, [39, 231]],
    ['prefix before the gate', `${start}mov $39, %eax\n.byte 0x48\nsyscall${exit}${end}`, [39, 231]],
    ['the bytes of a gate inside an operand', `${start}mov $0x050f, %ebx${exit}${end}`, [231]],
  ];
  for (const [name, body, expected] of cases) {
    const analysis = assemble(body);
    t.same(numbers(analysis), expected, name);
    t.same(analysis.unknown, [], `${name}: nothing unknown`);
  }
  t.end();
});

const wrapper = '\n.type wrap,@function\nwrap: mov %rdi, %rax\nmov %rsi, %rdi\nsyscall\nret\n.size wrap, .-wrap\n';

t.test('wrappers', (t) => {
  const call = (number: number) => `mov $${number}, %edi\ncall wrap\n`;
  const cases: [name: string, body: string, expected: number[]][] = [
    ['callers by register', `${start}${call(39)}${call(110)}${exit}${end}${wrapper}`, [39, 110, 231]],
    [
      'a wrapper of a wrapper, by tail jump',
      `${start}mov $39, %esi\ncall outer\n${exit}${end}.type outer,@function\nouter: mov %esi, %edi\njmp wrap\n.size outer,.-outer\n.skip 300,0x90\n${wrapper}`,
      [39, 231],
    ],
    [
      'a near neighbour by a two-byte jump',
      `${start}mov $39, %edi\ncall outer\n${exit}${end}.type outer,@function\nouter: jmp wrap\n.size outer,.-outer\n${wrapper}`,
      [39, 231],
    ],
    [
      'an argument on the stack',
      `${start}push $39\ncall taker\npop %rbx\n${exit}${end}.type taker,@function\ntaker: mov 8(%rsp), %rax\nsyscall\nret\n.size taker,.-taker`,
      [39, 231],
    ],
    ['a call with a prefix, as linkers relax them', `${start}mov $39, %edi\n.byte 0x67\ncall wrap\n${exit}${end}${wrapper}`, [39, 231]],
    [
      'code split off and jumped back',
      `${start}test %edi, %edi\njz cold\nmov $39, %eax\nback: syscall${exit}${end}.skip 300, 0x90\n.type cold,@function\ncold: mov $110, %eax\njmp back\n.size cold,.-cold`,
      [39, 110, 231],
    ],
  ];
  for (const [name, body, expected] of cases) {
    for (const flags of [[], ['-s']]) {
      const analysis = assemble(body, flags);
      const label = flags.length > 0 ? `${name}, stripped` : name;
      t.same(numbers(analysis), expected, label);
      t.same(analysis.unknown, [], `${label}: nothing unknown`);
    }
  }
  const named = assemble(`${start}${call(39)}${exit}${end}${wrapper}`).known.get(39);
  t.match(named, [{ function: 'wrap', originFunction: '_start' }], 'the site and the place of the number are named');
  t.end();
});

t.test('what cannot be known is said to be unknown', (t) => {
  const cases: [name: string, body: string, reason: RegExp][] = [
    ['a number from memory', `${start}mov number(%rip), %eax\nsyscall${exit}${end}\n.data\nnumber: .long 39`, /memory/],
    ['the result of a function', `${start}call f\nsyscall${exit}${end}\n.type f,@function\nf: mov $39, %eax\nret\n.size f,.-f`, /result of a function/],
    ['the result of a call', `${start}mov $39, %eax\nsyscall\nsyscall${exit}${end}`, /result of a system call/],
    ['what the program begins with', `${start}syscall${exit}${end}`, /program begins/],
    ['a wrapper in a table', `${start}call *table(%rip)${exit}${end}${wrapper}\n.data\n.balign 8\ntable: .quad wrap`, /pointer to this function/],
    ['a wrapper whose address is loaded', `${start}lea wrap(%rip), %rbx\ncall *%rbx${exit}${end}${wrapper}`, /pointer to this function/],
    ['a wrapper whose address is an immediate', `${start}mov $wrap, %ebx\ncall *%rbx${exit}${end}${wrapper}`, /pointer to this function/],
    ['a wrapper that nobody is seen to call', `${start}${exit}${end}${wrapper}`, /nothing is seen/],
    ['a slot that a callee may change', `${start}sub $24, %rsp\nmovl $39, 8(%rsp)\nlea 8(%rsp), %rdi\ncall f\nmov 8(%rsp), %eax\nsyscall${exit}${end}\n.type f,@function\nf: movl $1, (%rdi)\nret\n.size f,.-f`, /function may write/],
    ['arithmetic in a loop', `${start}xor %eax, %eax\n1: inc %eax\ncmp $9, %eax\njne 1b\nsyscall${exit}${end}`, /too many/],
    ['shifted by a register', `${start}mov $1, %eax\nshl %cl, %eax\nsyscall${exit}${end}`, /computed by shl/],
    ['a partial write over something unknown', `${start}mov $39, %al\nsyscall${exit}${end}`, /program begins/],
    ['bytes that do not decode', `${start}.byte 0x06, 0x0f, 0x05${exit}${end}`, /undecodable/],
  ];
  for (const [name, body, reason] of cases) {
    const analysis = assemble(body);
    t.ok(analysis.mayMakeAnyCall, `${name}: any call`);
    t.match(analysis.unknown[0]?.reasons.join('; ') ?? '', reason, `${name}: the reason`);
  }
  t.end();
});

t.test('jump tables lead to sites', (t) => {
  const source = `
    long sys(long number);
    static long raw(long n) { long r; __asm__ volatile("syscall" : "=a"(r) : "a"(n) : "rcx", "r11", "memory"); return r; }
    __attribute__((noinline)) long choose(int what) {
      long n;
      switch (what) { case 0: n = 39; break; case 1: n = 102; break; case 2: n = 104; break; case 3: n = 107; break;
        case 4: n = 108; break; case 5: n = 110; break; case 6: raw(24); n = 111; break; case 7: raw(34); n = 112; break; default: return 0; }
      return raw(n);
    }
    void _start(void) { for (int i = 0; i < 8; i++) choose(i); raw(231); }
  `;
  for (const flags of [['-static'], ['-static-pie', '-fPIE'], ['-static', '-O0'], ['-static', '-fno-jump-tables', '-s']]) {
    const path = build(source, 'c', ['-O2', '-nostdlib', '-fuse-ld=lld', '-fno-stack-protector', '-w', ...flags]);
    const analysis = analyzeFile(path);
    const expected = [24, 34, 39, 102, 104, 107, 108, 110, 111, 112, 231];
    // Optimised code may read the numbers from a table instead: then it must say that it does not know.
    const isComplete = expected.every((number) => analysis.known.has(number));
    t.comment(`${flags.join(' ')}: ${isComplete ? 'complete' : 'unknown'}`);
    t.ok(isComplete || analysis.mayMakeAnyCall, `${flags.join(' ')}: all of them, or unknown`);
  }
  t.end();
});

t.test('legacy gates and code that comes later', (t) => {
  const gate = assemble(`${start}mov $1, %eax\nint $0x80${exit}${end}`);
  t.equal(gate.legacy.length, 1, 'int 0x80 is listed');
  t.same(numbers(gate), [231], 'and is no 64-bit call');
  const map = (protection: number) => assemble(`${start}mov $9, %eax\nmov $${protection}, %edx\nsyscall${exit}${end}`).mayGenerateCode.length;
  t.equal(map(3), 0, 'mmap of data');
  t.equal(map(7), 1, 'mmap of code');
  t.equal(assemble(`${start}mov $59, %eax\nsyscall${exit}${end}`).mayExecute, true, 'execve');
  t.end();
});

const hello = `#include <stdio.h>
#include <unistd.h>
#include <sys/syscall.h>
int main(int argc, char **argv) { printf("%d %s\\n", argc, argv[0]); return syscall(SYS_getppid) == 0; }`;

/** Numbers of the calls that a run of the program makes, as strace sees them. */
function traceCalls(command: string[]): number[] {
  const log = join(folder, `trace-${count++}`);
  spawnSync('strace', ['-f', '-qq', '-o', log, ...command], { stdio: 'ignore' });
  const calls = new Set<number>();
  let isFirst = true;
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const name = /^\d+\s+(\w+)\(/.exec(line)?.[1];
    if (name === undefined) continue;
    // The first execve is the tracer's own.
    if (isFirst) isFirst = false;
    else calls.add(syscallNumber(name) ?? -1);
  }
  return [...calls];
}

t.test('whole programs, against what strace sees', (t) => {
  const programs: [name: string, path: string, commands: string[][], known: boolean][] = [];
  const add = (name: string, flags: string[], compiler: string, known: boolean) => {
    const path = build(hello, 'c', flags, compiler);
    programs.push([name, path, [[]], known]);
  };
  add('musl', ['-O2', '-static'], 'musl-gcc', true);
  add('musl, stripped', ['-O2', '-static', '-s'], 'musl-gcc', true);
  add('glibc', ['-O2', '-static'], 'gcc', true);
  add('glibc, stripped', ['-O2', '-static', '-s'], 'gcc', true);
  add('glibc, static-pie', ['-O2', '-static-pie'], 'gcc', true);
  if (existsSync('/bin/busybox')) {
    const commands = [['echo', 'a'], ['sh', '-c', 'i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done; (exit 3) | cat'], ['awk', 'BEGIN { print 1 }'], ['date']];
    programs.push(['busybox', '/bin/busybox', commands, false]);
  }
  for (const [name, path, commands, known] of programs) {
    const analysis = analyzeFile(path);
    if (known) t.same(analysis.unknown, [], `${name}: every site is resolved`);
    t.ok(analysis.known.has(231), `${name}: exit_group is found`);
    if (spawnSync('strace', ['-V']).error || spawnSync('strace', ['true']).status !== 0) {
      t.pass(`${name}: strace`, { skip: 'strace is not here, or may not trace' });
      continue;
    }
    const seen = [...new Set(commands.flatMap((words) => traceCalls([path, ...words])))];
    t.ok(seen.length > 3, `${name}: strace saw calls`);
    const notFound = seen.filter((number) => !analysis.known.has(number));
    if (analysis.mayMakeAnyCall && notFound.length > 0) t.comment(`${name}: only by unknown sites: ${notFound}`);
    else t.same(notFound, [], `${name}: what it does is among what it can do`);
  }
  t.end();
});

t.test('a Go program is unknown, but knows its own functions', (t) => {
  // esbuild, which builds this project, is a stripped static Go program.
  const path = 'node_modules/@esbuild/linux-x64/bin/esbuild';
  if (!existsSync(path)) {
    t.pass('a Go program', { skip: `${path} is not here` });
    return t.end();
  }
  const analysis = analyzeFile(path);
  t.ok(analysis.isGo && analysis.mayMakeAnyCall, 'its calls go through a wrapper that anybody may call');
  t.match(analysis.unknown[0]?.function ?? '', /syscall/i, 'which is named');
  t.ok([0, 1, 9, 202, 231].every((number) => analysis.known.has(number)), 'what its runtime makes itself is known');
  t.end();
});

t.test('the edge: one clear error for each wrong file', (t) => {
  const path = build(`${'.globl _start\n_start: mov $231, %eax\nsyscall\n'}`, 's', ['-nostdlib', '-static', '-fuse-ld=lld']);
  const good = readFileSync(path);
  const change = (edit: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(good);
    edit(bytes);
    return bytes;
  };
  const headers = Number(good.readBigUInt64LE(32));
  const loadAt = [...Array(good.readUInt16LE(56)).keys()].map((i) => headers + 56 * i).find((at) => good.readUInt32LE(at) === 1) ?? 0;
  const dynamic = readFileSync(build('int main(void){return 0;}', 'c', []));
  const object = readFileSync(build('int f(void){return 0;}', 'c', ['-c']));
  const cases: [name: string, bytes: Uint8Array, code: string, text: RegExp][] = [
    ['nothing', Buffer.alloc(0), 'not-elf', /it is empty/],
    ['text', Buffer.from('hello\n'), 'not-elf', /it is a text file/],
    ['a script', Buffer.from('#!/bin/sh\n'), 'not-elf', /it is a script/],
    ['other bytes', Buffer.from([0, 1, 2, 3, 200]), 'not-elf', /not an ELF file/],
    ['half a header', good.subarray(0, 40), 'truncated', /ends within the ELF header/],
    ['half a file', good.subarray(0, headers + 20), 'truncated', /./],
    ['32-bit', change((b) => { b[4] = 1; b.writeUInt16LE(3, 18); }), 'wrong-class', /32-bit executable for 32-bit x86/],
    ['RISC-V', change((b) => b.writeUInt16LE(243, 18)), 'wrong-machine', /RISC-V/],
    ['an object', object, 'not-executable', /an object file/],
    ['dynamic', dynamic, 'dynamic', /dynamically linked.*-static/],
    ['an absurd address', change((b) => b.writeBigUInt64LE(1n << 47n, loadAt + 16)), 'malformed', /beyond/],
    ['a file size above the memory size', change((b) => b.writeBigUInt64LE(1n, loadAt + 40)), 'malformed', /larger in the file/],
    ['segments that overlap', change((b) => good.copy(b, loadAt + 56, loadAt, loadAt + 56)), 'malformed', /overlaps/],
    ['an entry outside', change((b) => b.writeBigUInt64LE(0x1234n, 24)), 'malformed', /entry 0x1234/],
  ];
  for (const [name, bytes, code, text] of cases) {
    try {
      describeExecutable(bytes, 'prog');
      t.fail(`${name} is refused`);
    } catch (error) {
      t.ok(error instanceof CompilerError, `${name}: a CompilerError`);
      t.equal((error as CompilerError).code, code, `${name}: its code`);
      t.match((error as Error).message, /^Cannot build "prog": /, `${name}: says what and whose`);
      t.match((error as Error).message, text, `${name}: says why`);
    }
  }
  t.end();
});

t.test('mutated executables give results or typed errors', (t) => {
  const seed = Number(process.env['HULL_FUZZ_SEED'] ?? 1);
  const rounds = Number(process.env['HULL_FUZZ_ROUNDS'] ?? 300);
  let state = seed >>> 0 || 1;
  const random = (limit: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
  const good = readFileSync(build(hello, 'c', ['-O2', '-static'], 'musl-gcc'));
  const interesting = [0, 1, 0x7f, 0x80, 0xff];
  const outcomes = { results: 0, errors: 0 };
  for (let round = 0; round < rounds; round++) {
    const bytes = Buffer.from(random(8) === 0 ? good.subarray(0, random(good.length)) : good);
    const isHeader = random(2) === 0;
    for (let i = random(12); i >= 0 && bytes.length > 0; i--) {
      const at = random(isHeader ? Math.min(600, bytes.length) : bytes.length);
      bytes[at] = random(2) === 0 ? (interesting[random(interesting.length)] ?? 0) : random(256);
    }
    try {
      analyzeExecutable(describeExecutable(bytes, 'mutant'));
      outcomes.results++;
    } catch (error) {
      if (!(error instanceof CompilerError)) {
        t.error(error, `round ${round} of seed ${seed}`);
        break;
      }
      outcomes.errors++;
    }
  }
  t.equal(outcomes.results + outcomes.errors, rounds, 'no other error');
  t.ok(outcomes.results > 0 && outcomes.errors > 0, `both occurred: ${JSON.stringify(outcomes)}`);
  t.end();
});

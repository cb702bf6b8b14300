/**
 * The start table: for a linked hello, a static musl hello and busybox beside an empty PVH guest that prints one byte, and for a linked hello for AArch64 beside such a guest there:
 * bytes given to the VMM, least guest memory, QEMU start to first output, `hull run` against the bare QEMU command, link time.
 *
 * Run by `npm run bench`. Rules: bare QEMU and `hull run` use the same arguments; runs of all subjects are interleaved, so that a
 * noisy moment meets each of them; medians of at least 10; TCG.
 */
import { execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { encodeBootModule, FEATURE, FLAG, makeQemuArguments, readLinuxImage, RECORD, readImageNote, writeUnlinkedFile } from '../boot/index.ts';
import { describeMachine, formatDifference, median, renderTable } from './machine.ts';

const RUNS = Math.max(10, Number(process.env['HULL_BENCH_RUNS'] ?? '20'));
const HULL = join(process.cwd(), 'dist/hull');
const ENV = { PATH: process.env['PATH'] ?? '/usr/bin:/bin' };
const DEADLINE = 20_000;
const DEFAULT_MEMORY = 256 << 20;

const EMPTY_GUEST = `
.section .note.Xen,"a",@note
.balign 4
.long 4, 4, 18
.asciz "Xen"
.long start
.text
.code32
.globl start
start:
    mov $0x3f8, %dx
    mov $'X', %al
    out %al, %dx
    mov $0xf4, %dx
    out %al, %dx
1:  hlt
    jmp 1b
`;
/** The same on QEMU's machine `virt`: Linux Image header, PL011, PSCI's SYSTEM_OFF. */
const EMPTY_ARM_GUEST = `
    b 1f
    .long 0
    .quad 0, 0x1000, 0xa, 0, 0, 0
    .ascii "ARM\\x64"
    .long 0
1:  mov x1, #0x09000000
    mov w2, #'X'
    str w2, [x1]
    mov w0, #8
    movk w0, #0x8400, lsl #16
    hvc #0
2:  b 2b
`;
const HELLO_PUTS = '#include <stdio.h>\nint main(void) { puts("Hello, world"); return 0; }\n';
const HELLO_PRINTF =
  '#include <stdio.h>\nint main(int argc, char **argv) { printf("Hello, %s: %d %.3f\\n", argv[0], argc, argc * 3.14159); return 0; }\n';

interface Subject {
  readonly name: string;
  readonly image: string;
  /** What `hull run` is given; absent for the empty guest, which is no hull image. */
  readonly program?: string;
  readonly args: readonly string[];
  readonly expected: string;
  /** For AArch64; the empty guest is a flat file there. */
  readonly isArm?: boolean;
  /** Bytes of the program itself, for binary images. */
  readonly programSize?: number;
}

interface BareRun {
  readonly first: number;
  readonly whole: number;
  readonly output: Buffer;
}

/** The payloads of stdout records. */
function readStdout(output: Buffer): string {
  const pieces: Buffer[] = [];
  for (let at = 0; at + 16 <= output.length && output[at] === 0xb5; ) {
    const length = output.readUInt16LE(at + 2);
    if (output[at + 1] === RECORD.STDOUT) pieces.push(output.subarray(at + 16, at + 16 + length));
    at += 16 + length;
  }
  return Buffer.concat(pieces).toString();
}

/** One bare QEMU: ms from spawn to the first byte of program output, and to QEMU's end. */
async function runBare(subject: Subject, memory: number): Promise<BareRun> {
  const image = openSync(subject.image, 'r');
  const note = readImageNote(image);
  closeSync(image);
  const module = writeUnlinkedFile(
    encodeBootModule({
      flags: FLAG.FRAMED | FLAG.DEBUG_EXIT,
      argv: [subject.program ?? 'empty', ...subject.args],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      entropy: Buffer.alloc(32, 7),
      realtime: BigInt(Date.now()) * 1_000_000n,
    }),
    ENV,
  );
  const features = note?.features ?? FEATURE.UART;
  const kernel = subject.isArm === true && note !== undefined ? writeUnlinkedFile(readLinuxImage(subject.image), ENV) : undefined;
  const args = makeQemuArguments({
    machine: subject.isArm === true ? 'virt' : 'microvm', accelerator: 'tcg', memory, cpus: 1, image: kernel === undefined ? subject.image : '/proc/self/fd/6', features, fds: { channel: 3, qmp: 4, module: 5 },
  });
  const options: SpawnOptions = { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe', module, ...(kernel === undefined ? [] : [kernel])], env: ENV };
  const started = performance.now();
  const child = spawn(subject.isArm === true ? 'qemu-system-aarch64' : 'qemu-system-x86_64', args, options);
  closeSync(module);
  if (kernel !== undefined) closeSync(kernel);
  const timer = setTimeout(() => child.kill('SIGKILL'), memory < DEFAULT_MEMORY ? 3000 : DEADLINE);
  let first = Number.NaN;
  const chunks: Buffer[] = [];
  const channel = child.stdio[3] as Readable;
  channel.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    if (Number.isNaN(first) && (subject.program === undefined || readStdout(Buffer.concat(chunks)) !== '')) {
      first = performance.now() - started;
    }
  });
  channel.on('error', () => undefined);
  (child.stdio[4] as Readable).on('error', () => undefined).resume();
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return { first, whole: performance.now() - started, output: Buffer.concat(chunks) };
}

async function answers(subject: Subject, memory: number): Promise<boolean> {
  const { output } = await runBare(subject, memory);
  const text = subject.program === undefined ? output.toString() : readStdout(output);
  return text === subject.expected;
}

/** The least guest memory in KiB with which the subject gives its whole output; by halving between 1 MiB and 64 MiB, 64 KiB steps. */
async function findLeastMemory(subject: Subject): Promise<number> {
  let [low, high] = [16, 1024];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (await answers(subject, middle * 65536)) high = middle;
    else low = middle;
  }
  return high * 64;
}

/** ms of one `hull run`, start to end. */
async function runHull(subject: Subject, root: string): Promise<number> {
  const started = performance.now();
  const child = spawn(HULL, ['run', '--accel', 'tcg', subject.program as string, ...subject.args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...ENV, HULL_ROOT: root },
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  const took = performance.now() - started;
  if (text !== subject.expected) {
    throw new Error(`Cannot measure "hull run ${subject.program}": it printed ${JSON.stringify(text)}, expected ${JSON.stringify(subject.expected)}`);
  }
  return took;
}

function timeCommand(command: string, args: readonly string[], root: string): number {
  const started = performance.now();
  execFileSync(command, args, { env: { ...ENV, HULL_ROOT: root }, stdio: ['ignore', 'ignore', 'inherit'] });
  return performance.now() - started;
}

function prepareSubjects(dir: string, root: string): { subjects: Subject[]; links: Map<string, number> } {
  const at = (name: string): string => join(dir, name);
  const build = (command: string, ...args: string[]): void => void execFileSync(command, args, { env: { ...ENV, HULL_ROOT: root }, stdio: 'inherit' });
  writeFileSync(at('empty.S'), EMPTY_GUEST);
  writeFileSync(at('puts.c'), HELLO_PUTS);
  writeFileSync(at('printf.c'), HELLO_PRINTF);
  build('clang', '-c', at('empty.S'), '-o', at('empty.o'));
  build('ld.lld', '-Ttext=0x100000', '-e', 'start', '-s', at('empty.o'), '-o', at('empty'));
  writeFileSync(at('empty-arm64.S'), EMPTY_ARM_GUEST);
  build('clang', '--target=aarch64-unknown-none-elf', '-c', at('empty-arm64.S'), '-o', at('empty-arm64.o'));
  build('ld.lld', '-Ttext=0', '-e', '0', '--oformat', 'binary', at('empty-arm64.o'), '-o', at('empty-arm64'));
  for (const name of ['puts', 'printf']) build(HULL, 'cc', '--platform', 'linux/arm64', '-Os', '-s', at(`${name}.c`), '-o', at(`${name}-arm64`));
  build(HULL, 'cc', '-Os', '-s', at('puts.c'), '-o', at('puts'));
  build(HULL, 'cc', '-Os', '-s', at('printf.c'), '-o', at('printf'));
  build('musl-gcc', '-static', '-Os', '-s', at('puts.c'), '-o', at('hello-musl'));
  const links = new Map<string, number>();
  for (const [name, program] of [['musl.img', at('hello-musl')], ['busybox.img', '/bin/busybox']] as const) {
    const times = Array.from({ length: 5 }, () => timeCommand(HULL, ['build', '--strip', '-o', at(name), program], root));
    links.set(name, median(times));
  }
  links.set('puts', median(Array.from({ length: 5 }, () => timeCommand(HULL, ['cc', '-Os', '-s', at('puts.c'), '-o', at('puts')], root))));
  const subjects: Subject[] = [
    { name: 'empty PVH guest', image: at('empty'), args: [], expected: 'X' },
    { name: 'hello linked, puts', image: at('puts'), program: at('puts'), args: [], expected: 'Hello, world\n' },
    { name: 'hello linked, printf', image: at('printf'), program: at('printf'), args: [], expected: `Hello, ${at('printf')}: 1 3.142\n` },
    { name: 'hello musl static', image: at('musl.img'), program: at('hello-musl'), args: [], expected: 'Hello, world\n', programSize: statSync(at('hello-musl')).size },
    { name: 'busybox echo', image: at('busybox.img'), program: '/bin/busybox', args: ['echo', 'a', 'b'], expected: 'a b\n', programSize: statSync('/bin/busybox').size },
    { name: 'empty guest, arm64', isArm: true, image: at('empty-arm64'), args: [], expected: 'X' },
    { name: 'hello linked, puts, arm64', isArm: true, image: at('puts-arm64'), program: at('puts-arm64'), args: [], expected: 'Hello, world\n' },
    { name: 'hello linked, printf, arm64', isArm: true, image: at('printf-arm64'), program: at('printf-arm64'), args: [], expected: `Hello, ${at('printf-arm64')}: 1 3.142\n` },
  ];
  return { subjects, links };
}

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'hull-bench-'));
  const root = join(dir, 'root');
  try {
    const { subjects, links } = prepareSubjects(dir, root);
    const figures = new Map(subjects.map((subject) => [subject, { first: [] as number[], bare: [] as number[], hull: [] as number[] }]));
    for (let run = -1; run < RUNS; run++) {
      for (const [subject, figure] of figures) {
        const bare = await runBare(subject, DEFAULT_MEMORY);
        const hull = subject.program === undefined ? Number.NaN : await runHull(subject, root);
        if (run < 0) continue; // the first round only warms caches
        figure.first.push(bare.first);
        figure.bare.push(bare.whole);
        figure.hull.push(hull);
      }
    }
    const emptyOf = (isArm: boolean | undefined) => median(figures.get(subjects.find((each) => each.program === undefined && each.isArm === isArm) as Subject)?.first ?? []);
    const rows = [['subject', 'VMM bytes', 'over program', 'least KiB', 'first output ms', 'over empty ms', 'bare QEMU ms', 'hull run ms', 'over bare ms', 'hull/bare', 'build ms']];
    for (const [subject, figure] of figures) {
      const bytes = subject.isArm === true && subject.program !== undefined ? readLinuxImage(subject.image).length : statSync(subject.image).size;
      const least = await findLeastMemory(subject);
      const [first, bare] = [median(figure.first), median(figure.bare)];
      const hull = subject.program === undefined ? undefined : median(figure.hull);
      const link = links.get(subject.image.slice(dir.length + 1));
      rows.push([
        subject.name,
        String(bytes),
        subject.programSize === undefined ? '-' : `+${bytes - subject.programSize}`,
        String(least),
        first.toFixed(1),
        formatDifference(first - emptyOf(subject.isArm)),
        bare.toFixed(1),
        hull?.toFixed(1) ?? '-',
        hull === undefined ? '-' : formatDifference(hull - bare),
        hull === undefined ? '-' : (hull / bare).toFixed(2),
        link?.toFixed(0) ?? '-',
      ]);
    }
    const version = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    process.stdout.write(`hull ${version.version}; medians of ${RUNS} interleaved runs, ${DEFAULT_MEMORY >> 20} MiB guests (least memory apart)\n`);
    process.stdout.write(`${describeMachine('tcg')}\n\n${renderTable(rows)}`);
    process.stdout.write('\nbuild ms: the whole command, `hull cc` with its compiler or `hull build`.\n');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

await main();

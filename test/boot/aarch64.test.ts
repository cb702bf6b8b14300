// A linked program on QEMU's machine `virt`: entry by the Linux Image protocol, page tables, faults, the end by PSCI.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createRecordDecoder, encodeBootModule, FLAG, RECORD } from '../../boot/abi/index.ts';
import { PT_LOAD, readElf } from '../../compiler/elf/index.ts';
import { linkProgram } from '../../compiler/index.ts';

const QEMU = 'qemu-system-aarch64';
const root = mkdtempSync(join(tmpdir(), 'hull-aarch64-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));

/** The C library's place: it prints the first argument and its own address, and then does what the second argument says. */
const PROGRAM = `
struct iovec { const void *base; unsigned long length; };
long sys_writev(int, const struct iovec *, int);
_Noreturn long sys_exit_group(int);
static int zero;
static unsigned long counted = 7;
static const char *const moved = "0123456789abcdef";
static void line(const char *text, unsigned long size) {
  struct iovec pieces[2] = {{text, size}, {"\\n", 1}};
  sys_writev(1, pieces, 2);
}
void hull_linked_start(long *stack, const unsigned long *random) {
  char **arguments = (char **)(stack + 1), digits[16];
  const char *word = arguments[1];
  unsigned long size = 0, address = (unsigned long)hull_linked_start;
  while (word[size]) size++;
  line(word, size);
  for (int i = 0; i < 16; i++) digits[i] = moved[address >> (60 - 4 * i) & 15];
  line(digits, 16);
  switch (*arguments[2]) {
  case 'n': *(volatile int *)8 = 1; break;
  case 't': *(volatile int *)hull_linked_start = 1; break;
  case 'c': *(volatile char *)moved = 1; break;
  case 'x': ((void (*)(void))stack)(); break;
  case 'o': for (volatile char *at = (char *)stack;; at -= 4096) *at = 1;
  case 'u': __asm__ volatile(".inst 0"); break;
  case 'p': { unsigned char code[64]; struct iovec far = {(void *)16, 1}; sys_exit_group(sys_writev(1, &far, 1) == -14 ? 14 : code[0]); }
  case 's': __asm__ volatile("brk #1");
  }
  double half = 0.5 * (zero + (long)counted);
  sys_exit_group((int)(half * 2) + (*random == 0));
}
`;

/** Interrupts: three sleeps, and a loop in which timers interrupt program and libOS. Status 0: the clock went on by what was slept. */
const SLEEPER = `
struct timespec { long seconds, nanoseconds; };
long sys_nanosleep(const struct timespec *, struct timespec *);
long sys_clock_gettime(int, struct timespec *);
_Noreturn long sys_exit_group(int);
static long now(void) {
  struct timespec t;
  sys_clock_gettime(1, &t);
  return t.seconds * 1000000000 + t.nanoseconds;
}
void hull_linked_start(long *stack, const unsigned long *random) {
  long start = now(), last = start;
  struct timespec time = {0, 30000000};
  for (int i = 0; i < 3; i++) sys_nanosleep(&time, 0);
  if (now() - start < 90000000) sys_exit_group(1);
  for (int i = 0; i < 20000; i++) {
    long next = now();
    if (next < last) sys_exit_group(2);
    last = next;
  }
  sys_exit_group(0);
}
`;

interface Run {
  lines: string[];
  status: number | undefined;
  fault: { signal: number; address: bigint } | undefined;
}

const has = (program: string) => spawnSync(program, ['--version']).status === 0;
const reason = !has(QEMU) ? `no ${QEMU} here (Debian: qemu-system-arm)` : false;

t.test('a linked program on AArch64', { skip: reason }, async (t) => {
  const link = (source: string) => {
    writeFileSync(join(root, 'program.c'), source);
    const flags = ['--target=aarch64-linux-musl', '-Os', '-fPIE', '-fvisibility=hidden', '-ffreestanding', '-fno-stack-protector', '-w'];
    execFileSync('clang', [...flags, '-c', 'program.c', '-o', 'program.o'], { cwd: root });
    const inputs = [{ name: 'program.o', bytes: readFileSync(join(root, 'program.o')) }];
    const { image, manifest } = linkProgram({ libos: 'dist/libos/aarch64', machine: 'aarch64', inputs, strip: true });
    t.equal(manifest.machine, 'aarch64');
    const loads = readElf(image).programHeaders.filter(({ type }) => type === PT_LOAD);
    for (const { flags } of loads) t.not(flags & 3, 3, 'no segment is writable and executable');
    const start = Math.min(...loads.map(({ offset }) => offset));
    const kernel = Buffer.from(image.subarray(start, Math.max(...loads.map(({ offset, fileSize }) => offset + fileSize))));
    t.equal(kernel.toString('latin1', 56, 60), 'ARM\x64', 'the header of the Linux Image protocol');
    return { image, kernel };
  };
  const { image, kernel } = link(PROGRAM);
  t.ok(image.length < 10 * 1024, `${image.length} bytes`);
  writeFileSync(join(root, 'kernel'), kernel);

  const run = (what: string, flagBits = 0, cpu = 'cortex-a57', memory = '8M', kind = 'virt'): Run => {
    const entropy = Buffer.from(Array.from({ length: 32 }, () => Math.floor(Math.random() * 256)));
    const module = encodeBootModule({ argv: ['program', 'Hello', what], env: [], flags: FLAG.FRAMED | flagBits, entropy, realtime: 1n });
    writeFileSync(join(root, 'module'), module);
    const machine = ['-M', kind, '-accel', 'tcg', '-cpu', cpu, '-m', memory, '-nodefaults', '-no-reboot', '-display', 'none', '-serial', 'stdio'];
    const qemu = spawnSync(QEMU, [...machine, '-kernel', 'kernel', '-initrd', 'module'], { cwd: root, timeout: 120_000 });
    t.equal(qemu.status, 0, `QEMU ends by itself (${what}): ${qemu.stderr}`);
    const result: Run = { lines: [], status: undefined, fault: undefined };
    let text = '';
    const decoder = createRecordDecoder({
      record(type, payload) {
        if (type === RECORD.STDOUT) text += payload.toString('latin1');
        if (type === RECORD.EXIT) result.status = payload.readUInt32LE(0);
        if (type === RECORD.FAULT) result.fault = { signal: Number(payload.readBigUInt64LE(16)), address: payload.readBigUInt64LE(8) };
      },
      raw: (bytes) => t.fail(`no byte outside of records: ${bytes}`),
    });
    decoder.push(qemu.stdout);
    decoder.end();
    result.lines = text.split('\n');
    return result;
  };

  const first = run('-');
  t.strictSame([first.lines[0], first.status, first.fault], ['Hello', 7 << 8, undefined], 'output and exit status');
  const second = run('-', 0, 'max', '64M');
  t.strictSame([second.lines[0], second.status], ['Hello', 7 << 8], 'with another CPU and more memory');
  t.not(first.lines[1], second.lines[1], 'its address is another at each boot');
  t.equal(run('-', FLAG.FIXED).lines[1], run('-', FLAG.FIXED).lines[1], 'but with HULL_FLAG_FIXED');
  t.strictSame(run('n').fault, { signal: 11, address: 8n }, 'the null page is not mapped');
  t.match(run('t').fault, { signal: 11 }, 'text cannot be written');
  t.match(run('c').fault, { signal: 11 }, 'constants cannot be written');
  t.match(run('x').fault, { signal: 11 }, 'the stack cannot be executed');
  t.match(run('o').fault, { signal: 11 }, 'below the stack nothing is mapped');
  t.match(run('u').fault, { signal: 4 }, 'an undefined instruction');
  const trap = run('s');
  t.strictSame([trap.fault?.signal, trap.status], [5, 5], 'a breakpoint, and the wait status that follows');
  t.equal(run('p').status, 14 << 8, 'a call with an address that is not mapped: EFAULT');

  writeFileSync(join(root, 'kernel'), link(SLEEPER).kernel);
  for (const version of [2, 3]) t.equal(run('-', 0, 'cortex-a57', '8M', `virt,gic-version=${version}`).status, 0, `sleeping, with GICv${version}`);
});

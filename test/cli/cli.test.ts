/** The command line: what bad input gets, options as Docker reads them, help, completion, caches. Runs the built dist/hull. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { COMMANDS } from '../../cli/commands.ts';
import { parseOptions } from '../../cli/options.ts';
import { parseMemory, parseSignal } from '../../cli/quantities.ts';
import { buildGuest, findCheckout } from '../boot/guest/build.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-cli-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const hull = join(findCheckout(), 'dist/hull');
const root = join(folder, 'root');
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: root };
const call = (args: string[], more: object = {}) => execa(hull, args, { env, extendEnv: false, reject: false, input: '', timeout: 600_000, ...more });

t.test('what cannot be run', async (t) => {
  const make = (name: string, bytes: Uint8Array | string, mode = 0o755) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    chmodSync(path, mode);
    return path;
  };
  const elf = (change: (head: Buffer) => void) => {
    const head = Buffer.from(readFileSync('/bin/busybox').subarray(0, 4096));
    change(head);
    return head;
  };
  const cases: [string, string, number, RegExp][] = [
    ['a missing file', join(folder, 'missing'), 127, /no such file or directory/],
    ['a path through a file', '/etc/passwd/x', 127, /not a directory/],
    ['a directory', folder, 126, /is a directory/],
    ['a device', '/dev/null', 126, /not a regular file/],
    ['an empty file', make('empty', ''), 126, /empty/],
    ['a text file', make('text', 'hello\n'), 126, /not an ELF file/],
    ['a script', make('script', '#!/bin/sh\n'), 126, /a script/],
    ['a truncated header', make('short', elf(() => {}).subarray(0, 40)), 126, /truncated/],
    ['a truncated program', make('cut', elf(() => {})), 126, /cut/],
    ['32 bits', make('i386', elf((head) => head.writeUInt8(1, 4))), 126, /32-bit/],
    ['RISC-V', make('riscv', elf((head) => head.writeUInt16LE(243, 18))), 126, /RISC-V/],
    ['an object file', make('object.o', elf((head) => head.writeUInt16LE(1, 16))), 126, /object file/],
    ['no permission to execute', make('plain', readFileSync('/bin/busybox'), 0o644), 126, /permission denied/],
    ['absurd program headers', make('absurd', elf((head) => head.fill(0xff, 64, 400))), 126, /absurd/],
  ];
  for (const [what, path, code, text] of cases) {
    const { exitCode, stderr } = await call(['run', path]);
    t.equal(exitCode, code, `${what}: ${stderr}`);
    t.match(stderr, text);
    t.equal(stderr.split('\n').length, 1, `${what}: one line`);
    t.match(stderr, /^hull: Cannot /);
  }
  t.notOk(existsSync(join(root, 'cache/kernels')) && readdirSync(join(root, 'cache/kernels')).some((name) => name.includes('.tmp-')), 'no temporary file is left');
});

t.test('what was typed wrongly', async (t) => {
  const cases: [string[], RegExp][] = [
    [['nope'], /unknown command: hull nope/],
    [['run'], /"hull run" requires at least 1 argument/],
    [['run', '--nope', 'x'], /unknown flag: --nope/],
    [['run', '-X', 'x'], /unknown shorthand flag: 'X' in -X/],
    [['run', '-e'], /flag needs an argument: 'e' in -e/],
    [['run', '-m', 'lots', 'x'], /invalid size: 'lots'/],
    [['run', '-w', 'relative', 'x'], /needs to be an absolute path/],
    [['run', '--accel', 'warp', 'x'], /expected auto, kvm, hvf, tcg/],
    [['run', '--rm=maybe', 'x'], /invalid argument "maybe" for "--rm"/],
    [['build', '/bin/busybox'], /"output" not set/],
    [['version', 'x'], /accepts no arguments/],
    [['completion', 'tcsh'], /expected bash, zsh or fish/],
  ];
  for (const [args, text] of cases) {
    const { exitCode, stderr } = await call(args);
    t.equal(exitCode, 125, args.join(' '));
    t.match(stderr, text);
    t.match(stderr, /See 'hull.* --help'\.$/);
  }
  t.match((await call(['run', '-t', '/bin/busybox'])).stderr, /the input device is not a TTY/);
});

t.test('options as Docker reads them', async (t) => {
  const specs = [{ name: 'env', short: 'e', value: 'list', many: true, summary: '' }, { name: 'tty', short: 't', summary: '' }, { name: 'interactive', short: 'i', summary: '' }];
  const parse = (...argv: string[]) => parseOptions(argv, specs, { command: 'x', stopAtArgument: true });
  const parsed = parse('-it', '-eA=1', '-e', 'B', '--env=C=3', '--interactive=false', 'prog', '-t', '--', 'x');
  t.strictSame(parsed.values.get('env'), ['A=1', 'B', 'C=3']);
  t.equal(parsed.switches.get('tty'), true);
  t.equal(parsed.switches.get('interactive'), false);
  t.strictSame(parsed.args, ['prog', '-t', '--', 'x'], 'what follows the program is the program’s');
  t.strictSame(parse('--', '-e').args, ['-e']);
  t.strictSame(parse('-te', 'X').values.get('env'), ['X']);
  const sizes: [string, number][] = [['2', 2 << 20], ['2m', 2 << 20], ['512M', 512 << 20], ['1g', 1 << 30], ['1.5g', 1.5 * 1024 ** 3], ['4194304', 4 << 20], ['2048k', 2 << 20], ['64MiB', 64 << 20], ['4095', 4095 * 1024 ** 2]];
  for (const [text, bytes] of sizes) t.equal(parseMemory(text, 'x'), bytes, text);
  for (const text of ['', '-1', '1x', '1k', '99999999t']) t.throws(() => parseMemory(text, 'x'), { name: 'UsageError' }, text);
  t.equal(parseSignal('TERM', 'x'), 15);
  t.equal(parseSignal('sigusr1', 'x'), 10);
  t.throws(() => parseSignal('SIGNOPE', 'x'));
});

t.test('help on every level, version, completion', async (t) => {
  t.equal((await call([])).stdout, (await call(['--help'])).stdout);
  t.match((await call(['--version'])).stdout, /^hull version \d+\.\d+\.\d+$/);
  for (const { name, usage, options, isRaw } of COMMANDS) {
    const { stdout, exitCode } = await call([name, '--help']);
    t.equal(exitCode, 0, name);
    t.ok(stdout.startsWith(`Usage:  ${usage}\n`));
    if (isRaw !== true) for (const option of options) t.ok(stdout.includes(`--${option.name}`), option.name);
  }
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout } = await call(['completion', shell]);
    for (const { name } of COMMANDS) t.ok(stdout.includes(name), `${shell} ${name}`);
  }
  const script = 'source <("$0" completion bash); COMP_WORDS=(hull run --mem); COMP_CWORD=2; _hull; echo "${COMPREPLY[@]}"; COMP_WORDS=(hull ins); COMP_CWORD=1; _hull; echo "${COMPREPLY[@]}"';
  t.equal((await execa('bash', ['-c', script, hull], { env })).stdout, '--memory\ninspect');
});

t.test('a full disk is one error, and nothing is left on it', async (t) => {
  if (process.getuid?.() !== 0) {
    t.comment('skipped: mounting a small tmpfs needs root');
    return;
  }
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  const mounted = await execa('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk], { reject: false });
  if (mounted.exitCode !== 0) {
    t.comment(`skipped: no tmpfs can be mounted here: ${mounted.stderr}`);
    return;
  }
  t.teardown(() => execa('umount', [disk]));
  const { exitCode, stderr } = await call(['run', '/bin/busybox', 'true'], { env: { ...env, HULL_ROOT: disk } });
  t.equal(exitCode, 125);
  t.match(stderr, /Cannot write ".*": no space left on device/);
  t.strictSame(readdirSync(join(disk, 'cache/kernels')).filter((name) => !name.endsWith('.sym')), []);
  const guest = buildGuest(folder, 'guest');
  t.equal((await call(['run', guest, 'exit', '3'], { env: { ...env, HULL_ROOT: disk } })).exitCode, 3, 'an image needs no room');
});

t.test('the image of an executable is linked once', async (t) => {
  const first = await call(['run', '--verbose', '/bin/busybox', 'echo', 'a', 'b']);
  t.equal(first.exitCode, 0, first.stderr);
  t.equal(first.stdout, 'a b');
  const images = () => readdirSync(join(root, 'cache/kernels')).filter((name) => name.endsWith('.img'));
  t.equal(images().length, 1);
  const second = await call(['run', '--verbose', '/bin/busybox', 'false']);
  t.equal(second.exitCode, 1);
  t.equal(images().length, 1);
  writeFileSync(join(root, 'cache/kernels/x.img.tmp-999999-0'), 'left by a killed writer');
  const copy = join(folder, 'copy');
  writeFileSync(copy, readFileSync('/bin/busybox'), { mode: 0o755 });
  t.equal((await call(['run', copy, 'true'])).exitCode, 127, 'a name that is no applet: busybox says so');
  t.equal(images().length, 1, 'the same bytes are the same image');
});

t.test('compiled code is kept, and taken only when it is whole and nobody else could write it', async (t) => {
  const own = { env: { ...env, HULL_ROOT: join(folder, 'code-root') } };
  const codes = join(folder, 'code-root/cache/code');
  t.equal((await call(['run', '/bin/busybox', 'true'], own)).exitCode, 0);
  t.equal(readdirSync(codes).length, 1, 'a run keeps it');
  const path = join(codes, readdirSync(codes)[0] as string);
  const whole = readFileSync(path).length;
  t.ok(whole > 10_000);
  for (const size of [0, 10, whole >> 1]) {
    writeFileSync(path, readFileSync(path).subarray(0, size));
    t.equal((await call(['version'], own)).exitCode, 0, `cut off after ${size} bytes: not taken`);
    t.equal((await call(['run', '/bin/busybox', 'false'], own)).exitCode, 1);
    t.ok(readFileSync(path).length > 10_000, 'kept anew');
  }
  const intact = readFileSync(path);
  for (let at = 1; at < 16; at++) {
    const torn = Buffer.from(intact);
    const sector = (torn.length * at) >> 13 << 9;
    writeFileSync(path, torn.fill(0, sector, sector + 512));
    t.equal((await call(['version'], own)).exitCode, 0, `bytes ${sector} to ${sector + 511} are gone: not taken`);
  }
  t.equal((await call(['run', '/bin/busybox', 'false'], own)).exitCode, 1);
  const damaged = readFileSync(path);
  writeFileSync(path, damaged.fill(0x55, damaged.length >> 2, damaged.length >> 1));
  chmodSync(path, 0o622);
  t.equal((await call(['version'], own)).exitCode, 0, 'what others can write is not taken');
});

t.test('doctor says what it tried', async (t) => {
  const { stdout, exitCode } = await call(['doctor', '--json']);
  const findings = JSON.parse(stdout) as { subject: string; state: string }[];
  t.equal(exitCode, 0);
  for (const subject of ['qemu', 'accelerator tcg', 'libOS', 'launcher', 'entropy']) t.equal(findings.find((finding) => finding.subject === subject)?.state, 'ok', subject);
  const absent = await call(['doctor', '--qemu', '/nonexistent']);
  t.equal(absent.exitCode, 1);
  t.match(absent.stdout, /missing +qemu/);
});

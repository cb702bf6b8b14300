/*
 * The programs of this folder on AArch64, unmodified and linked: same output and same status as natively on x86-64. What cannot be the same is listed here with its reason, and printed.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import t from 'tap';
import { buildArm64Programs } from '../../tools/test/guest-programs.ts';
import { useArm64Packages } from '../arm64-packages.ts';
import { makeDebianRoot } from '../debian-root.ts';
import { writeColdFile } from './cold.ts';
import { compareRuns, createRunner, hull, type Outcome } from './outcome.ts';

/** The C library that a program is run with, and its arguments; linked images beside it. */
const PROGRAMS: readonly (readonly [variant: 'musl' | 'glibc', command: string])[] = [
  ['glibc', 'advice'],
  ['glibc', 'aio'],
  ['musl', 'alarms'],
  ['musl', 'crash'],
  ['glibc', 'events'],
  ['musl', 'exhaust limit'],
  ['glibc', 'fifos'],
  ['glibc', 'files'],
  ['musl', 'floating'],
  ['musl', 'inet'],
  ['musl', 'inet_limits'],
  ['musl', 'inet_reports'],
  ['musl', 'inet_urgent'],
  ['glibc', 'interfaces'],
  ['glibc', 'interrupted'],
  ['glibc', 'ipc'],
  ['glibc', 'limits'],
  ['glibc', 'listed'],
  ['musl', 'locks'],
  ['glibc', 'memory'],
  ['musl', 'others'],
  ['glibc', 'owners'],
  ['musl', 'places'],
  ['glibc', 'proc'],
  ['glibc', 'processes'],
  ['glibc', 'processes storm'],
  ['musl', 'pty'],
  ['glibc', 'queues'],
  ['musl', 'reaper'],
  ['glibc', 'registers'],
  ['musl', 'requeue'],
  ['musl', 'scheduling'],
  ['musl', 'setid'],
  ['musl', 'capabilities'],
  ['glibc', 'signals'],
  ['musl', 'signals'],
  ['glibc', 'sockets'],
  ['glibc', 'start one two'],
  ['musl', 'start exit 77'],
  ['musl', 'start abort'],
  ['musl', 'start null'],
  ['musl', 'start kill 15'],
  ['glibc', 'threads'],
  ['musl', 'threads leader'],
  ['musl', 'threads group'],
  ['glibc', 'timers'],
  ['glibc', 'transfer'],
  ['musl', 'usage'],
  ['glibc', 'vdso'],
  ['musl', 'watch'],
];
const LINKED = ['alarms', 'inet', 'limits', 'memory', 'signals', 'threads'];

/** What is otherwise on AArch64, and why: what x86-64's output becomes. */
const DIFFERENCES: Readonly<Record<string, { reason: string; change: (output: string) => string }>> = {
  crash: { reason: "musl's crash is a write to address 0 (SEGV_MAPERR); on x86-64 HLT (SI_KERNEL)", change: (output) => output.replace('code 128', 'code 1') },
  registers: { reason: 'there is no x87 control word that a handler could edit', change: (output) => output.replace('control 73f', 'control b3f') },
  vdso: {
    reason: "Linux's vDSO for AArch64 has no time and no getcpu",
    change: (output) => output.replaceAll('time 1 getcpu 1', 'time 0 getcpu 0').replace(/^(?:time|getcpu) .*\n/gm, ''),
  },
};

/** What is not run here, and why. */
const ABSENT: Readonly<Record<string, string>> = {
  raw: 'it is about x86-64: the SYSCALL instruction in a linked program',
  attributes: 'it compares file systems of the host with volumes; nothing of it depends on the CPU (test/cli/volumes.test.ts)',
  files_random: 'it compares file systems of the host with volumes; nothing of it depends on the CPU (test/cli/volumes.test.ts)',
  hardening: 'a test of messages, not of output (test/cli/hardening.test.ts); faults are in test/boot/aarch64.test.ts',
  names: 'it asks a name server of the network tests (test/network)',
  packets: 'it needs a network of the tests (test/network/packets.test.ts)',
  low_ports: 'it needs a network namespace (ipc.test.ts)',
  raw_sockets: 'it needs a network namespace and a component that is asked for (ipc.test.ts)',
  jobs: 'it needs a terminal (test/cli/terminal.test.ts)',
  terminal: 'it needs a terminal (test/cli/terminal.test.ts)',
  unsynced: 'it is killed with its machine (test/cli/unasked.test.ts)',
};

const run = createRunner(600_000);
const TMPDIR = mkdtempSync(join(tmpdir(), 'hull-guest-arm64-'));
t.teardown(() => rmSync(TMPDIR, { recursive: true, force: true }));

const isRoot = process.getuid?.() === 0;
const commands = isRoot ? [...PROGRAMS, ['musl', 'mounts'] as const] : PROGRAMS;
const hasQemu = spawnSync('qemu-system-aarch64', ['--version']).status === 0;
const absent = hasQemu ? useArm64Packages() : 'no qemu-system-aarch64 here (Debian: qemu-system-arm)';
const sysroot = absent === undefined ? makeDebianRoot('arm64-sysroot', ['musl-dev', 'libc6-dev', 'libgcc-12-dev', 'linux-libc-dev']) : { reason: absent };

const machine = (file: string, args: string[], options: string[] = ['-m', '64']) => run(hull, ['run', '--accel', 'tcg', ...options, file, ...args]);

t.test('the programs of test/guest on AArch64', { skip: 'reason' in sysroot && sysroot.reason }, async (t) => {
  const root = 'root' in sysroot ? sysroot.root : '';
  const names = new Set([...commands.map(([, command]) => command.split(' ')[0] as string), ...LINKED, 'mapped', 'touched', 'sleeping_copies', 'bombs']);
  t.strictSame(await buildArm64Programs(root, names), [], 'they build');
  const all = readdirSync('test/guest').filter((file) => file.endsWith('.c')).map((file) => basename(file, '.c'));
  t.strictSame(all.filter((name) => !names.has(name) && !(name in ABSENT)), isRoot ? [] : ['mounts'], 'each program is run, or its reason is told');
  for (const [name, reason] of Object.entries(ABSENT)) t.comment(`not run: ${name}: ${reason}`);
  for (const [name, { reason }] of Object.entries(DIFFERENCES)) t.comment(`differs: ${name}: ${reason}`);
  if (!isRoot) t.comment('not run: mounts: only root may mount natively, too');

  const native = async (variant: string, name: string, args: string[]): Promise<Outcome> => {
    const found = await run(resolve(`build/guest/${variant}/${name}`), args, { TMPDIR });
    return { ...found, stdout: DIFFERENCES[name]?.change(found.stdout) ?? found.stdout };
  };
  for (const [variant, command] of commands) {
    const [name = '', ...args] = command.split(' ');
    const more = command === 'processes storm' ? ['check'] : [];
    await compareRuns(t, name, args.join(' '), () => native(variant, name, args), () => machine(resolve(`build/guest/arm64-${variant}/${name}`), [...args, ...more]));
  }
  for (const name of LINKED) await compareRuns(t, name, 'linked', () => native('musl', name, []), () => machine(resolve(`build/guest/arm64-linked/${name}`), []));
  await compareRuns(t, 'aio', 'linked', () => native('musl', 'aio', ['alone']), () => machine(resolve('build/guest/arm64-linked/aio'), ['alone']));

  // Larger than its machine: its pages come from the disk.
  const disk = join(TMPDIR, 'disk');
  mkdirSync(disk);
  cpSync(resolve('build/guest/arm64-glibc/mapped'), join(disk, 'mapped'));
  await compareRuns(t, 'mapped', '', () => native('glibc', 'mapped', []), () => machine('/mapped', [], ['-m', '12', '--rootfs', disk]));
  cpSync(resolve('build/guest/arm64-musl/sleeping_copies'), join(disk, 'copies'));
  writeColdFile(join(disk, 'cold'));
  for (const mode of ['socket', 'cut', 'signals'])
    await compareRuns(t, 'sleeping_copies', mode, () => native('musl', 'sleeping_copies', [join(disk, 'cold'), mode]), () => machine('/copies', ['/cold', mode], ['--rootfs', disk]));
  // Only ever inside a machine.
  for (const [kind, stdout] of [['pipes', 'pipes: refused\n'], ['forks', 'fork: refused, all waited for: 1\n']] as const)
    t.match(await machine(resolve('build/guest/arm64-glibc/bombs'), [kind]), { status: 0, stdout }, `bombs ${kind}`);
  const shared = join(TMPDIR, 'shared');
  mkdirSync(shared);
  await compareRuns(t, 'touched', '', () => native('glibc', 'touched', [TMPDIR]), () => machine(resolve('build/guest/arm64-glibc/touched'), ['/t'], ['-v', `${shared}:/t`]));
});

/**
 * Least memory and kernel sizes of unmodified Debian programs: the least -m with which each prints what it should, in hull and in Debian's cloud kernel as a microVM,
 * by halving; and the bytes of the kernel that hull links for it. Run by `node tools/run.mjs bench/least.ts [PROGRAM...]`, about ten minutes.
 * What differs: hull has a whole root file system on a disk; Linux an uncompressed initramfs with just the files that the program opens (strace tells),
 * which lie in its memory. Linux has no ACPI there: with it newer kernels wait for ever for microvm's PIT.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDebianRoot } from '../test/debian-root.ts';
import { findLinuxKernel, type LinuxKernel, linuxArguments, makeInitramfs, runGuest } from './linux-guest.ts';
import { describeMachine, findLeast, renderTable } from './machine.ts';
import { makeOpenedEntries } from './opened-files.ts';

interface Subject {
  readonly name: string;
  readonly packages: readonly string[];
  readonly command: readonly string[];
  readonly expected: string;
  /** What the packages' scripts would make. */
  readonly finish?: (root: string) => void;
}

/** Class files and a database that this machine's own programs cannot make (other versions): the root's do, natively. */
function runIn(root: string, user: string, command: string): void {
  execFileSync('unshare', ['-m', 'sh', '-c', `mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot --userspec="$1" "$0" /bin/dash -c "$2"`, root, user, command], { stdio: ['ignore', 'ignore', 'inherit'] });
}

function finishJava(root: string): void {
  for (const folder of ['proc', 'dev', 'tmp', 'hello']) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'hello/Hello.java'), 'public class Hello { public static void main(String[] a) { System.out.println(1); } }\n');
  runIn(root, '0:0', `${JAVA}/bin/javac -d /hello /hello/Hello.java`);
}

function finishPostgres(root: string): void {
  for (const folder of ['proc', 'dev', 'tmp', 'db', 'run/postgresql']) mkdirSync(join(root, folder), { recursive: true });
  rmSync(join(root, 'var/run'), { recursive: true, force: true });
  symlinkSync('/run', join(root, 'var/run'));
  appendFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\npostgres:x:100:100::/:/bin/sh\n');
  for (const folder of ['db', 'run/postgresql', 'tmp']) execFileSync('chown', ['100:100', join(root, folder)]);
  runIn(root, '100:100', `LC_ALL=C ${POSTGRES}/initdb -D /db -A trust -N`);
  writeFileSync(join(root, 'serve'), POSTGRES_SCRIPT, { mode: 0o755 });
}

const JAVA = '/usr/lib/jvm/java-17-openjdk-amd64';
const POSTGRES = '/usr/lib/postgresql/15/bin';
/** The server with its processes, and an answer to a client beside it. By default it asks for 143 MiB in one piece, which a smaller machine refuses here as there. */
const POSTGRES_SCRIPT = `#!/bin/dash
export LC_ALL=C PATH=${POSTGRES}:/usr/bin:/bin
if [ "$(id -u)" = 0 ]; then
  # an initramfs has no owners; what changes them is among the opened files only if it always runs
  chmod 1777 /tmp; chown 100:100 /run/postgresql; rm -f /tmp/log
  if [ "$(stat -c %u /db)" = 0 ]; then chmod 700 /db && chown -R 100:100 /db; fi
  exec setpriv --reuid 100 --regid 100 --clear-groups /bin/dash "$0"
fi
pg_ctl -D /db -w -t 100 -l /tmp/log -o '-c shared_buffers=8MB -c listen_addresses=' start > /dev/null && psql -Atc 'select 1' postgres
pg_ctl -D /db -w -t 100 -m fast stop > /dev/null
`;

const SUBJECTS: readonly Subject[] = [
  { name: 'dash', packages: ['base-files', 'dash'], command: ['/bin/dash', '-c', 'echo x'], expected: 'x' },
  { name: 'python3', packages: ['base-files', 'dash', 'python3'], command: ['/usr/bin/python3', '-c', 'print(1)'], expected: '1' },
  { name: 'node', packages: ['base-files', 'dash', 'nodejs'], command: ['/usr/bin/node', '-e', 'console.log("1")'] /* a number would have a colour on a terminal */, expected: '1' },
  { name: 'java', packages: ['base-files', 'dash', 'openjdk-17-jdk-headless'], command: [`${JAVA}/bin/java`, '-cp', '/hello', 'Hello'], expected: '1', finish: finishJava },
  { name: 'postgres', packages: ['base-files', 'base-passwd', 'dash', 'coreutils', 'util-linux', 'postgresql-15', 'postgresql-client-15'], command: ['/serve'], expected: '1', finish: finishPostgres },
];
const HULL = join(process.cwd(), 'dist/hull');
const MACHINE = { machine: 'microvm', accelerator: 'tcg' };
const DEADLINE = 120_000;
const STATIC_THREADS = `#include <pthread.h>
#include <stdio.h>
static void *run(void *n) { return n; }
int main(void) { pthread_t t; void *n; pthread_create(&t, 0, run, "x"); pthread_join(t, &n); puts(n); }
`;

function runHull(args: readonly string[], state: string): { status: number | null; stdout: string } {
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HULL_ROOT: state };
  return spawnSync(HULL, args, { env, encoding: 'utf8', timeout: DEADLINE, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'ignore'] });
}

/** Whether the command says what it should in so much memory. With too little a program may read its own pages again and again: its machine goes after the deadline. */
function runsIn(kib: number, { root, command, expected, state }: { root: string; command: readonly string[]; expected: string; state: string }): boolean {
  const machine = ['--name', 'least', '--machine', MACHINE.machine, '--accel', MACHINE.accelerator];
  const { status, stdout } = runHull(['run', '--rm', ...machine, '-m', `${kib}k`, '--rootfs', root, ...command], state);
  if (status === null) runHull(['rm', '-f', 'least'], state);
  process.stderr.write(`least: ${command[0]} ${kib} KiB: ${status === null ? `not within ${DEADLINE / 1000} s` : `status ${status}`}\n`);
  return status === 0 && stdout === `${expected}\n`;
}

async function measure(subject: Subject, kernel: LinuxKernel, dir: string): Promise<string[]> {
  const made = makeDebianRoot(`least-${subject.name}`, subject.packages, subject.finish);
  if ('reason' in made) throw new Error(`Cannot measure "${subject.name}": ${made.reason}, expected its packages`);
  const state = join(dir, 'state');
  const hull = await findLeast(1024, 256 << 10, 256, async (kib) => runsIn(kib, { ...subject, root: made.root, state }));
  const initramfs = join(dir, 'initramfs');
  writeFileSync(initramfs, makeInitramfs(makeOpenedEntries(made.root, subject.command, dir)));
  const until = new RegExp(`^${subject.expected}\r?$`, 'm');
  const linux = await findLeast(32 << 10, 1024 << 10, 1024, async (kib) => {
    const { first } = await runGuest(linuxArguments({ ...MACHINE, machine: `${MACHINE.machine},acpi=off`, memory: kib >> 10, kernel, initramfs }), { until, deadline: DEADLINE });
    return !Number.isNaN(first);
  });
  const inspected = JSON.parse(runHull(['inspect', '--json', '--rootfs', made.root, subject.command[0] as string], state).stdout) as { size: number };
  const show = (kib: number): string => (kib / 1024).toFixed(2);
  return [subject.command.join(' '), show(hull), show(linux), (linux / hull).toFixed(1), String(statSync(initramfs).size), String(inspected.size)];
}

/** The kernel that is linked around a static program with threads, over the program's own size. */
function measureStatic(dir: string): string {
  const at = (name: string): string => join(dir, name);
  writeFileSync(at('threads.c'), STATIC_THREADS);
  execFileSync('musl-gcc', ['-static', '-Os', '-s', at('threads.c'), '-o', at('threads')], { stdio: 'inherit' });
  execFileSync(HULL, ['build', '-o', at('image'), at('threads')], { env: { ...process.env, HULL_ROOT: at('state') }, stdio: ['ignore', 'ignore', 'inherit'] });
  return `A static musl program that makes a thread: ${statSync(at('image')).size} bytes with its kernel, ${statSync(at('threads')).size} without.\n`;
}

async function main(): Promise<void> {
  const names = process.argv.slice(2);
  const dir = mkdtempSync(join(tmpdir(), 'hull-bench-least-'));
  try {
    const kernel = findLinuxKernel();
    const rows = [['command', 'hull MiB', 'Linux MiB', 'Linux/hull', 'initramfs bytes', 'hull kernel bytes']];
    for (const subject of SUBJECTS.filter(({ name }) => names.length === 0 || names.includes(name))) {
      const row = await measure(subject, kernel, dir);
      process.stderr.write(`least: ${row.join(' | ')}\n`);
      rows.push(row);
    }
    process.stdout.write(`Least memory: hull by 0.25 MiB, Linux ${kernel.version} by 1 MiB\n${describeMachine(MACHINE.accelerator)}\n\n${renderTable(rows)}\n${measureStatic(dir)}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

await main();

/**
 * How long unmodified programs take in hull and in Debian's cloud kernel, both under TCG with the same flags:
 *
 *     processes   bash starts 900 of them, with pipes: fork, exec, copies on write
 *     gcc         Debian's gcc compiles Lua's 33 sources, one after the other, an archive, two programs
 *     tsc         the TypeScript compiler in Node.js compiles this project's folder images
 *
 * Run by `node tools/run.mjs bench/programs.ts [NAME…]`; HULL_BENCH_RUNS machines of each (default 3) in turns, minutes each; medians. Seconds are the host's, between the
 * lines that the script prints; CPU seconds are those of QEMU's threads in that time, which a busy host changes less. Linux has the files that the work opens in an
 * initramfs, hull the whole root on a disk. What the two print and make must be equal.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeSuiteRoot, SUITES } from '../test/programs/suites.ts';
import { commonArguments, findLinuxKernel, linuxArguments, makeInitramfs } from './linux-guest.ts';
import { describeMachine, median, renderTable } from './machine.ts';
import { makeOpenedEntries } from './opened-files.ts';

interface Work {
  /** The root that it runs in. */
  readonly suite: string;
  /** Its first line names the shell; what it prints between the lines "begin" and "end" is compared. It stays for a while after its end, so that its CPU time can be read. */
  readonly script: string;
}

const RUNS = Math.max(1, Number(process.env['HULL_BENCH_RUNS'] ?? '3'));
const MACHINE = { machine: 'microvm,acpi=off', accelerator: 'tcg', memory: 1024 };
const DEADLINE = 3_600_000;
const ENVIRONMENT = 'export PATH=/usr/bin:/bin TMPDIR=/tmp LC_ALL=C';

const WORKS: Readonly<Record<string, Work>> = {
  processes: {
    suite: 'compilers',
    script: `#!/bin/bash
${ENVIRONMENT}
echo begin
for ((i = 0; i < 200; i++)); do x=$(echo abc$i | sed s/b/c/); done; echo $x
for ((i = 0; i < 300; i++)); do x=$(echo abc$i); done; echo $x
for ((i = 0; i < 200; i++)); do /bin/true; done
echo end; sleep 5
`,
  },
  gcc: {
    suite: 'compilers',
    script: `#!/bin/dash
${ENVIRONMENT}
rm -rf /tmp/lua; mkdir -p /tmp/lua; cd /tmp/lua; cp /suite/sources/lua5.4/src/*.c /suite/sources/lua5.4/src/*.h .; echo '#define DEB_HOST_MULTIARCH "x86_64-linux-gnu"' > lua5.4-deb-multiarch.h
echo begin
for f in *.c; do gcc -std=gnu99 -O2 -DLUA_COMPAT_5_3 -DLUA_USE_POSIX -c $f || exit 1; done
ar rc liblua.a $(ls *.o | grep -v '^luac*[.]o'); gcc -o lua lua.o liblua.a -lm -Wl,-E; gcc -o luac luac.o liblua.a -lm
md5sum *.o lua luac
echo end; sleep 5
`,
  },
  tsc: {
    suite: 'node',
    script: `#!/bin/dash
${ENVIRONMENT}
cd /suite/project; rm -rf /tmp/out
echo begin
node node_modules/typescript/lib/tsc.js -p . --noEmit false --rewriteRelativeImportExtensions --rootDir . --outDir /tmp/out || exit 1
find /tmp/out -type f -exec md5sum {} + | sort -k 2
echo end; sleep 5
`,
  },
};

interface Taken {
  readonly seconds: number;
  readonly cpu: number;
  /** A sum of what was said between "begin" and "end". */
  readonly made: string;
}

/** CPU seconds of a process and what it started; what has ended meanwhile is not in it. */
function readCpuSeconds(pid: number): number {
  const stat = (each: string): string[] => {
    try {
      return readFileSync(`/proc/${each}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    } catch {
      return []; // it ended
    }
  };
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((name) => ({ pid: Number(name), fields: stat(name) }));
  const sum = (of: number): number =>
    all.filter((each) => Number(each.fields[1]) === of).reduce((total, each) => total + sum(each.pid), 0) +
    all.filter((each) => each.pid === of).reduce((total, { fields }) => total + (Number(fields[11]) + Number(fields[12])) / 100, 0);
  return sum(pid);
}

function measure(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Taken> {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const pid = child.pid ?? 0;
    let [text, errors, begun, cpu] = ['', '', Number.NaN, 0];
    const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE);
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.stdout.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).replaceAll('\r', '');
      if (Number.isNaN(begun) && /^begin$/m.test(text)) [begun, cpu] = [performance.now(), readCpuSeconds(pid)];
      const made = /^begin\n([^]*)^end$/m.exec(text)?.[1];
      if (made === undefined) return;
      clearTimeout(timer);
      done({ seconds: (performance.now() - begun) / 1000, cpu: readCpuSeconds(pid) - cpu, made: createHash('md5').update(made).digest('hex') });
      child.kill('SIGTERM');
    });
    child.on('close', () => failed(new Error(`Cannot measure "${command}": it ended before its end: ${text.slice(-500)} ${errors.slice(-500)}`)));
  });
}

async function compare(name: string, work: Work): Promise<string[]> {
  const suite = SUITES.find((each) => each.name === work.suite);
  if (suite === undefined) throw new Error(`Cannot measure "${name}": there is no suite "${work.suite}", expected one of test/programs/suites.ts`);
  const dir = mkdtempSync(join(tmpdir(), 'hull-bench-programs-'));
  try {
    const made = await makeSuiteRoot(suite, dir);
    if ('reason' in made) throw new Error(`Cannot measure "${name}": ${made.reason}`);
    writeFileSync(join(made.root, 'work'), work.script, { mode: 0o755 });
    const kernel = findLinuxKernel();
    const initramfs = join(dir, 'initramfs');
    const entries = makeOpenedEntries(made.root, ['/work'], dir).filter(({ path }) => !path.startsWith('/tmp/'));
    writeFileSync(initramfs, makeInitramfs(entries));
    for (const left of readdirSync(join(made.root, 'tmp'))) rmSync(join(made.root, 'tmp', left), { recursive: true, force: true });
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: '', HULL_ROOT: join(dir, 'state') };
    const hull = ['run', '--machine', 'microvm', '--accel', 'tcg', '-m', `${MACHINE.memory}m`, '--rootfs', made.root, '/work'];
    const linux = linuxArguments({ ...MACHINE, kernel, initramfs });
    const runs: { hull: Taken; linux: Taken }[] = [];
    for (let run = 0; run < RUNS; run++) {
      const ours = await measure(join(process.cwd(), 'dist/hull'), hull, env);
      console.error(`${name}, run ${run + 1}: hull ${ours.seconds.toFixed(1)} s, CPU ${ours.cpu.toFixed(1)} s`);
      const theirs = await measure('qemu-system-x86_64', linux, process.env);
      console.error(`${name}, run ${run + 1}: Linux ${theirs.seconds.toFixed(1)} s, CPU ${theirs.cpu.toFixed(1)} s`);
      if (ours.made !== theirs.made) throw new Error(`Cannot compare "${name}": what was made differs, expected equal sums`);
      runs.push({ hull: ours, linux: theirs });
    }
    const pick = (system: 'hull' | 'linux', what: 'seconds' | 'cpu'): number => median(runs.map((run) => run[system][what]));
    const columns = (what: 'seconds' | 'cpu'): string[] => {
      const [ours, theirs] = [pick('hull', what), pick('linux', what)];
      return [ours.toFixed(1), theirs.toFixed(1), (theirs / ours).toFixed(2)];
    };
    return [name, ...columns('seconds'), ...columns('cpu')];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const named = process.argv.slice(2);
  const unknown = named.find((name) => !(name in WORKS));
  if (unknown !== undefined) throw new Error(`Cannot measure "${unknown}": there is no such work, expected one of ${Object.keys(WORKS).join(' ')}`);
  const rows = [[`medians of ${RUNS}`, 'hull s', 'Linux s', 'Linux/hull', 'hull CPU s', 'Linux CPU s', 'Linux/hull']];
  for (const [name, work] of Object.entries(WORKS)) if (named.length === 0 || named.includes(name)) rows.push(await compare(name, work));
  process.stdout.write(`${commonArguments(MACHINE).join(' ')}; Linux ${findLinuxKernel().version}\n${describeMachine(MACHINE.accelerator)}\n\n${renderTable(rows)}`);
}

await main();

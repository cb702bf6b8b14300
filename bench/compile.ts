/**
 * How long Debian's gcc takes for Lua's sources (33 files, one after the other, an archive, two programs) in hull and in Debian's cloud kernel, both under TCG with the
 * same flags: fork, exec and page faults all day. Run by `node tools/run.mjs bench/compile.ts`; HULL_BENCH_RUNS machines of each (default 3) in turns, a minute each; medians.
 * Seconds are the host's, between the lines that the script prints. Linux has the files that the build opens in an initramfs, hull the whole root on a disk.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeSuiteRoot, SUITES } from '../test/programs/suites.ts';
import { commonArguments, findLinuxKernel, linuxArguments, makeInitramfs } from './linux-guest.ts';
import { describeMachine, median, renderTable } from './machine.ts';
import { makeOpenedEntries } from './opened-files.ts';

const RUNS = Math.max(1, Number(process.env['HULL_BENCH_RUNS'] ?? '3'));
const MACHINE = { machine: 'microvm,acpi=off', accelerator: 'tcg', memory: 1024 };
const DEADLINE = 1_800_000;
const SCRIPT = `#!/bin/dash
export PATH=/usr/bin:/bin TMPDIR=/tmp LC_ALL=C
rm -rf /tmp/lua; mkdir -p /tmp/lua; cd /tmp/lua; cp /suite/sources/lua5.4/src/*.c /suite/sources/lua5.4/src/*.h .; echo '#define DEB_HOST_MULTIARCH "x86_64-linux-gnu"' > lua5.4-deb-multiarch.h
echo begin
for f in *.c; do gcc -std=gnu99 -O2 -DLUA_COMPAT_5_3 -DLUA_USE_POSIX -c $f || exit 1; done
ar rc liblua.a $(ls *.o | grep -v '^luac*[.]o'); gcc -o lua lua.o liblua.a -lm -Wl,-E; gcc -o luac luac.o liblua.a -lm
md5sum *.o lua luac
echo end
`;

/** Seconds from "begin" to "end", and a sum of what was said between. */
function time(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<{ seconds: number; made: string }> {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [text, errors, begun] = ['', '', Number.NaN];
    const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE);
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.stdout.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).replaceAll('\r', '');
      if (Number.isNaN(begun) && /^begin$/m.test(text)) begun = performance.now();
      const made = /^begin\n([^]*)^end$/m.exec(text)?.[1];
      if (made === undefined) return;
      clearTimeout(timer);
      done({ seconds: (performance.now() - begun) / 1000, made: createHash('md5').update(made).digest('hex') });
      child.kill('SIGTERM');
    });
    child.on('close', () => failed(new Error(`Cannot measure "${command}": it ended before its end: ${text.slice(-500)} ${errors.slice(-500)}`)));
  });
}

async function main(): Promise<void> {
  const suite = SUITES.find(({ name }) => name === 'compilers');
  if (suite === undefined) throw new Error('Cannot measure gcc: no suite "compilers"');
  const dir = mkdtempSync(join(tmpdir(), 'hull-bench-compile-'));
  try {
    const made = await makeSuiteRoot(suite, dir);
    if ('reason' in made) throw new Error(`Cannot measure gcc: ${made.reason}`);
    const init = join(made.root, 'compile');
    writeFileSync(init, SCRIPT, { mode: 0o755 });
    const kernel = findLinuxKernel();
    const initramfs = join(dir, 'initramfs');
    const entries = makeOpenedEntries(made.root, ['/compile'], dir).filter(({ path }) => !path.startsWith('/tmp/'));
    writeFileSync(initramfs, makeInitramfs(entries));
    rmSync(join(made.root, 'tmp/lua'), { recursive: true, force: true });
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: '', HULL_ROOT: join(dir, 'state') };
    const hull = ['run', '--machine', 'microvm', '--accel', 'tcg', '-m', `${MACHINE.memory}m`, '--rootfs', made.root, '/compile'];
    const linux = linuxArguments({ ...MACHINE, kernel, initramfs });
    const runs: { hull: number; linux: number }[] = [];
    for (let run = 0; run < RUNS; run++) {
      const ours = await time(join(process.cwd(), 'dist/hull'), hull, env);
      const theirs = await time('qemu-system-x86_64', linux, process.env);
      if (ours.made !== theirs.made) throw new Error('Cannot compare: what was made differs, expected equal sums');
      runs.push({ hull: ours.seconds, linux: theirs.seconds });
      console.error(`run ${run + 1}: hull ${ours.seconds.toFixed(1)} s, Linux ${theirs.seconds.toFixed(1)} s`);
    }
    const [ours, theirs] = [median(runs.map((run) => run.hull)), median(runs.map((run) => run.linux))];
    const rows = [['gcc of Lua, seconds', 'hull', 'Linux', 'Linux/hull'], [`medians of ${RUNS}`, ours.toFixed(1), theirs.toFixed(1), (theirs / ours).toFixed(2)]];
    process.stdout.write(`${commonArguments(MACHINE).join(' ')}; Linux ${kernel.version}\n${describeMachine(MACHINE.accelerator)}\n\n${renderTable(rows)}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

await main();

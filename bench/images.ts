/**
 * Images out of a registry (Debian's docker-registry on loopback): what they weigh there, and what `hull run NAME` takes the first and the second time beside the bare QEMU command.
 *
 * Run by `node tools/run.mjs bench/images.ts [NAME...]`. Rules: the bare command is the one that hull made, recorded by a script in QEMU's place, with the same boot module and disk; runs are interleaved; medians of at
 * least 10 (3 for first runs, each with a state of its own); TCG. Bytes are those that a pull transfers: manifest, config, layers.
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, copyFileSync, mkdirSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { startDockerRegistry } from '../test/images/docker-registry.ts';
import { describeMachine, formatDifference, median, renderTable } from './machine.ts';

const RUNS = Math.max(10, Number(process.env['HULL_BENCH_RUNS'] ?? '20'));
const FIRST_RUNS = 3;
const HULL = join(process.cwd(), 'dist/hull');
const ENV = { PATH: process.env['PATH'] ?? '/usr/bin:/bin' };
const folder = mkdtempSync(join(tmpdir(), 'hull-bench-images-'));
const HELLO = '#include <stdio.h>\nint main(void) { puts("Hello, world"); return 0; }\n';

const hull = (root: string, ...args: string[]): string => execFileSync(HULL, args, { encoding: 'utf8', env: { ...ENV, HULL_ROOT: join(folder, root) }, stdio: ['ignore', 'pipe', 'inherit'] });

interface Subject {
  readonly name: string;
  readonly expected: string;
  readonly dockerfile: string;
  readonly kernel?: 'layer' | 'linked';
  /** Fills the context. */
  prepare(context: string): void;
}

function copyProgram(context: string, path: string): void {
  const put = (from: string) => {
    const to = join(context, from);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(realpathSync(from), to);
  };
  put(path);
  for (const [, library] of execFileSync('ldd', [path], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)) put(library as string);
}

function compile(command: string, args: readonly string[], context: string): void {
  writeFileSync(join(folder, 'hello.c'), HELLO);
  execFileSync(command, [...args, '-Os', '-s', '-o', join(context, 'hello'), join(folder, 'hello.c')], { env: { ...ENV, HULL_ROOT: join(folder, 'maker') } });
}

const scratch = 'FROM scratch\nCOPY hello /hello\nENTRYPOINT ["/hello"]\n';
const SUBJECTS: readonly Subject[] = [
  { name: 'hello static', expected: 'Hello, world\n', dockerfile: scratch, prepare: (context) => compile('musl-gcc', ['-static'], context) },
  { name: 'hello static, kernel in a layer', expected: 'Hello, world\n', dockerfile: scratch, kernel: 'layer', prepare: (context) => compile('musl-gcc', ['-static'], context) },
  { name: 'hello linked', expected: 'Hello, world\n', dockerfile: scratch, kernel: 'linked', prepare: (context) => compile(HULL, ['cc'], context) },
  { name: 'dash, dynamic', expected: 'a b\n', dockerfile: 'FROM scratch\nCOPY root /\nCMD ["/bin/dash", "-c", "echo a b"]\n', prepare: (context) => copyProgram(join(context, 'root'), '/bin/dash') },
  { name: 'perl, dynamic', expected: 'a b\n', dockerfile: 'FROM scratch\nCOPY root /\nCMD ["/usr/bin/perl", "-e", "print qq(a b\\n)"]\n', prepare: (context) => copyProgram(join(context, 'root'), '/usr/bin/perl') },
];

interface Manifest {
  readonly config: { readonly size: number };
  readonly layers: readonly { readonly size: number }[];
}

/** Bytes of manifest, config, layers. */
function weigh(name: string): number[] {
  const text = hull('maker', 'manifest', 'inspect', name).replace(/\n$/, '');
  const { config, layers } = JSON.parse(text) as Manifest;
  return [Buffer.byteLength(text), config.size, layers.reduce((sum, { size }) => sum + size, 0)];
}

interface Recorded {
  readonly args: readonly string[];
  readonly module: string;
  readonly fds: { readonly channel: number; readonly qmp: number; readonly module: number };
}

/** What QEMU is given: a script in its place writes it down. */
function record(name: string, root: string, index: number): Recorded {
  const script = join(folder, `qemu-${index}`);
  const args = join(folder, `args-${index}`);
  const module = join(folder, `module-${index}`);
  writeFileSync(script, `#!/bin/bash\nfor a; do case $a in /proc/self/fd/*) cat "$a" > ${module}; printf '%s\\0' "$@" > ${args};; esac; done\nexec qemu-system-x86_64 "$@"\n`, { mode: 0o755 });
  hull(root, 'run', '--accel', 'tcg', '--qemu', script, name);
  const list = readFileSync(args, 'utf8').split('\0').slice(0, -1);
  const find = (pattern: RegExp) => Number(list.map((each) => pattern.exec(each)?.[1]).find((each) => each !== undefined));
  return { args: list, module, fds: { channel: find(/^socket,id=channel,fd=(\d+)/), qmp: find(/^socket,id=qmp,fd=(\d+)/), module: find(/^\/proc\/self\/fd\/(\d+)$/) } };
}

/** ms from start to end of the recorded command. */
async function runBare({ args, module, fds }: Recorded): Promise<number> {
  const file = openSync(module, 'r');
  const early = args.map((each) => /^socket,id=early,fd=(\d+)/.exec(each)?.[1]).find((each) => each !== undefined);
  const stdio: ('ignore' | 'pipe' | number)[] = Array.from({ length: Math.max(...Object.values(fds), Number(early ?? 0)) + 1 }, () => 'ignore');
  for (const fd of [fds.channel, fds.qmp, ...(early === undefined ? [] : [Number(early)])]) stdio[fd] = 'pipe';
  stdio[fds.module] = file;
  const started = performance.now();
  const child = spawn('qemu-system-x86_64', args, { stdio, env: ENV });
  closeSync(file);
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  for (const stream of child.stdio) (stream as Readable | null)?.on('error', () => undefined).resume?.();
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  if (code === null) throw new Error('Cannot measure the bare QEMU command: it did not end, expected the end of its guest');
  return performance.now() - started;
}

async function runHull(name: string, root: string, expected: string): Promise<number> {
  const started = performance.now();
  const child = spawn(HULL, ['run', '--accel', 'tcg', name], { stdio: ['ignore', 'pipe', 'ignore'], env: { ...ENV, HULL_ROOT: join(folder, root) } });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  const took = performance.now() - started;
  if (text !== expected) throw new Error(`Cannot measure "hull run ${name}": it printed ${JSON.stringify(text)}, expected ${JSON.stringify(expected)}`);
  return took;
}

async function time(action: () => unknown): Promise<number> {
  const started = performance.now();
  await action();
  return performance.now() - started;
}

async function main(): Promise<void> {
  const wanted = process.argv.slice(2);
  const subjects = SUBJECTS.filter(({ name }) => wanted.length === 0 || wanted.some((each) => name.includes(each)));
  const registry = await startDockerRegistry(folder, 'bench');
  try {
    const weights = [['image', 'manifest', 'config', 'layers', 'bytes in the registry']];
    const rows = [['image', 'pull ms', 'first run ms', 'second run ms', 'bare QEMU ms', 'over bare ms', 'least of each', 'over bare ms']];
    for (const [index, { name, dockerfile, kernel, expected, prepare }] of subjects.entries()) {
      const context = join(folder, `context-${index}`);
      mkdirSync(context);
      prepare(context);
      writeFileSync(join(context, 'Dockerfile'), dockerfile);
      const image = `${registry.host}/image-${index}`;
      hull('maker', 'build', '-q', '-t', image, ...(kernel === undefined ? [] : ['--label', `hull.kernel=${kernel}`]), context);
      hull('maker', 'push', '-q', image);
      const sizes = weigh(image);
      weights.push([name, ...sizes.map(String), String(sizes.reduce((sum, size) => sum + size, 0))]);

      const pulls: number[] = [];
      const firsts: number[] = [];
      for (let i = 0; i < FIRST_RUNS; i++) {
        const root = `state-${index}-${i}`;
        pulls.push(await time(() => hull(root, 'pull', '-q', image)));
        firsts.push(await runHull(image, root, expected));
      }
      const root = `state-${index}-0`;
      const recorded = record(image, root, index);
      const [seconds, bares]: [number[], number[]] = [[], []];
      for (let run = -1; run < RUNS; run++) {
        // Turn and turn about, and whoever comes first in one round comes second in the next.
        const isFirst = run % 2 === 0;
        let bare = isFirst ? 0 : await runBare(recorded);
        const second = await runHull(image, root, expected);
        if (isFirst) bare = await runBare(recorded);
        if (run < 0) continue; // the first round only warms caches
        seconds.push(second);
        bares.push(bare);
      }
      const [second, bare] = [median(seconds), median(bares)];
      const [leastSecond, leastBare] = [Math.min(...seconds), Math.min(...bares)]; // what other load of the machine adds is in these the least
      rows.push([name, median(pulls).toFixed(0), median(firsts).toFixed(0), second.toFixed(1), bare.toFixed(1), formatDifference(second - bare), `${leastSecond.toFixed(1)} ${leastBare.toFixed(1)}`, formatDifference(leastSecond - leastBare)]);
    }
    process.stdout.write(`${describeMachine('tcg')}\nmedians of ${RUNS} interleaved runs, of ${FIRST_RUNS} first runs; goal: a second run at most 60 ms over the bare command\n\n${renderTable(rows)}\n${renderTable(weights)}`);
    process.stdout.write('\nfirst run: files to an EROFS image, analysis and link where no kernel came along, boot; pull is apart.\n');
  } finally {
    registry.child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();

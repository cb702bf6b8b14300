/**
 * Many instances at once, and short runs, beside runc's containers: `node tools/run.mjs bench/instances.ts [INSTANCES]` (100). Prints the time until the last of them answers HTTP, the memory of the host for each
 * (PSS, smaps_rollup), `hull ps` with all of them there, and `hull run --rm` of a hello beside `runc run` of the same program, static.
 * The server is bench/guest/epoll-server.c, linked by `hull cc` (instances) and static (containers); hello is a puts. Each side starts two at a time, as there are CPUs; runc's containers share the host's network,
 * which costs them nothing, and each machine has a port of the host. runc is Debian's package, unpacked in build/runc; where it cannot run, its columns say why. `hull run` beside bare QEMU: bench/start.ts.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, copyFileSync } from 'node:fs';
import { request } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describeMachine, median, renderTable } from './machine.ts';

const COUNT = Number(process.argv[2] ?? 100);
const RUNS = Math.max(10, Number(process.env['HULL_BENCH_RUNS'] ?? '20'));
const HULL = resolve('dist/hull');
const FIRST_PORT = 21_000;
const PATIENCE_MS = 300_000;
const dir = mkdtempSync(join(tmpdir(), 'hull-bench-'));
const at = (name: string) => join(dir, name);
const env: NodeJS.ProcessEnv = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, HULL_ROOT: at('root') };

/** Ends with the command's output; rejects when it fails. */
function run(command: string, args: readonly string[], stdio: 'pipe' | 'ignore' = 'pipe'): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { env, stdio: ['ignore', stdio, stdio] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes: Buffer) => (text += bytes.toString()));
    child.on('error', fail);
    child.on('exit', (code) => (code === 0 ? done(text) : fail(new Error(`${command} ${args.slice(0, 2).join(' ')} ended with ${code}: ${text.trim()}`))));
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const asked = request({ host: '127.0.0.1', port, timeout: 2000 }, (response) => {
      response.resume();
      response.on('end', () => done(response.statusCode === 200));
    });
    asked.on('error', () => done(false));
    asked.on('timeout', () => void asked.destroy());
    asked.end();
  });
}

async function untilAnswered(port: number): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; !(await answers(port)); ) {
    if (Date.now() > deadline) throw new Error(`nothing answers on port ${port} after ${PATIENCE_MS / 1000} seconds`);
    await new Promise((next) => setTimeout(next, 20));
  }
}

/** KiB of the host that the process has for itself, shared pages by their share (proc(5), smaps_rollup). */
function readPss(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0);
}

interface Crowd {
  readonly allStarted: number;
  readonly allAnswer: number;
  /** KiB, one each. */
  readonly pss: readonly number[];
}

/** Starts COUNT, as many at a time as there are CPUs, and asks each until it answers. */
async function startCrowd(start: (i: number) => Promise<unknown>, pids: () => readonly number[]): Promise<Crowd> {
  const begin = performance.now();
  let next = 0;
  const asked: Promise<void>[] = [];
  await Promise.all(
    Array.from({ length: cpus().length }, async () => {
      for (let i = next++; i < COUNT; i = next++) {
        await start(i);
        asked.push(untilAnswered(FIRST_PORT + i));
      }
    }),
  );
  const allStarted = performance.now() - begin;
  await Promise.all(asked);
  return { allStarted, allAnswer: performance.now() - begin, pss: pids().map(readPss) };
}

const findQemus = () =>
  readdirSync(at('root/instances'))
    .filter((name) => !name.startsWith('.'))
    .map((id) => (JSON.parse(readFileSync(join(at('root/instances'), id, 'state.json'), 'utf8')) as { pid: number }).pid);

/** Debian's runc, or why it is not here. */
function findRunc(): { path: string } | { reason: string } {
  const folder = resolve('build/runc');
  const path = join(folder, 'usr/sbin/runc');
  if (existsSync(path)) return { path };
  try {
    mkdirSync(folder, { recursive: true });
    execFileSync('apt-get', ['download', 'runc'], { cwd: folder, stdio: 'pipe' });
    const [archive] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
    execFileSync('dpkg-deb', ['-x', join(folder, archive as string), folder]);
    return { path };
  } catch (error) {
    return { reason: (error as Error).message.split('\n')[0] as string };
  }
}

function makeBundle(runc: string, name: string, args: readonly string[]): string {
  const bundle = at(`bundle-${name}`);
  mkdirSync(join(bundle, 'rootfs'), { recursive: true });
  for (const program of ['server', 'hello']) copyFileSync(at(`${program}.static`), join(bundle, 'rootfs', program));
  execFileSync(runc, ['spec', '--bundle', bundle]);
  const path = join(bundle, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as { process: { terminal: boolean; args: readonly string[]; rlimits?: unknown }; linux: { namespaces: { type: string }[] } };
  config.process = { ...config.process, terminal: false, args };
  delete config.process.rlimits; // the host's stay: raising them may not be allowed
  config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'network');
  writeFileSync(path, JSON.stringify(config));
  return bundle;
}

/** Times of both, alternating. */
async function compareRuns(subjects: readonly (() => Promise<unknown>)[]): Promise<number[]> {
  const times = subjects.map((): number[] => []);
  for (let i = 0; i < RUNS; i++) {
    for (const [which, subject] of subjects.entries()) {
      const begin = performance.now();
      await subject();
      times[which]?.push(performance.now() - begin);
    }
  }
  return times.map(median);
}

const mib = (kib: number) => (kib / 1024).toFixed(2);
const describeCrowd = (name: string, { allStarted, allAnswer, pss }: Crowd) => [name, (allStarted / 1000).toFixed(2), (allAnswer / 1000).toFixed(2), mib(median(pss)), mib(Math.max(...pss)), mib(pss.reduce((sum, each) => sum + each, 0))];

try {
  writeFileSync(at('hello.c'), '#include <stdio.h>\nint main(void) { puts("Hello, world"); return 0; }\n');
  for (const [name, source] of [['server', 'bench/guest/epoll-server.c'], ['hello', at('hello.c')]] as const) {
    execFileSync(HULL, ['cc', '-Os', '-s', source, '-o', at(name)], { env, stdio: 'inherit' });
    execFileSync('musl-gcc', ['-static', '-Os', '-s', source, '-o', at(`${name}.static`)], { stdio: 'inherit' });
  }
  await run(HULL, ['run', '--rm', at('hello')]); // what is found out once

  const found = findRunc();
  let runc = 'path' in found ? found.path : undefined;
  let reason = 'reason' in found ? found.reason : '';
  if (runc !== undefined) {
    const tried = spawnSync(runc, ['--root', at('runc'), 'run', '--bundle', makeBundle(runc, 'try', ['/hello']), 'try'], { env, encoding: 'utf8' });
    if (tried.status !== 0) [runc, reason] = [undefined, tried.stderr.trim().split('\n').at(-1) ?? 'no reason'];
  }

  const rows = [[`${COUNT} HTTP servers`, 'all started, s', 'all answer, s', 'PSS each, MiB', 'most', 'sum']];
  const machines = await startCrowd((i) => run(HULL, ['run', '-d', '-m', '8m', '--name', `s${i}`, '-p', `127.0.0.1:${FIRST_PORT + i}:80`, at('server')], 'ignore'), findQemus);
  rows.push(describeCrowd('hull run -d (QEMU, TCG)', machines));
  const [ps] = await compareRuns([() => run(HULL, ['ps'])]);
  await run(HULL, ['rm', '-f', ...Array.from({ length: COUNT }, (_, i) => `s${i}`)]);
  if (runc !== undefined) {
    const path = runc;
    const bundles = Array.from({ length: COUNT }, (_, i) => makeBundle(path, `b${i}`, ['/server', String(FIRST_PORT + i)]));
    const pids = () => bundles.map((bundle) => Number(readFileSync(join(bundle, 'pid'), 'utf8')));
    const containers = await startCrowd((i) => run(path, ['--root', at('runc'), 'run', '-d', '--pid-file', join(bundles[i] as string, 'pid'), '--bundle', bundles[i] as string, `hull-bench-${i}`], 'ignore'), pids);
    rows.push(describeCrowd('runc run -d (a process)', containers));
    for (const [i] of bundles.entries()) await run(path, ['--root', at('runc'), 'delete', '-f', `hull-bench-${i}`]);
  }

  const subjects: (() => Promise<unknown>)[] = [() => run(HULL, ['run', '--rm', at('hello')])];
  if (runc !== undefined) {
    const [path, bundle] = [runc, makeBundle(runc, 'hello', ['/hello'])];
    subjects.push(() => run(path, ['--root', at('runc'), 'run', '--bundle', bundle, 'hull-bench-hello']));
  }
  const [ofHull, ofRunc] = await compareRuns(subjects);
  process.stdout.write(`${describeMachine('tcg')}\n\n${renderTable(rows)}\n`);
  process.stdout.write(`hull ps with ${COUNT} instances: ${ps?.toFixed(0)} ms (median of ${RUNS})\n`);
  process.stdout.write(`hello: hull run --rm ${ofHull?.toFixed(0)} ms, runc run ${ofRunc === undefined ? `cannot run here: ${reason}` : `${ofRunc.toFixed(0)} ms`} (medians of ${RUNS})\n`);
} finally {
  if (existsSync(at('root/instances'))) {
    const left = spawnSync(HULL, ['ps', '-aq'], { env, encoding: 'utf8' }).stdout.split('\n').filter((id) => id !== '');
    if (left.length > 0) spawnSync(HULL, ['rm', '-f', ...left], { env });
  }
  rmSync(dir, { recursive: true, force: true });
}

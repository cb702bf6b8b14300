/**
 * What the size of a root file system costs: the same program from a root of a few megabytes and from one of a gigabyte (a hundred thousand files and some large ones). Run by
 * `node tools/run.mjs bench/root-size.ts`; HULL_BENCH_RUNS machines of each (default 10) in turns, after one that makes the root's image. Columns: the image; ms from `hull run` to the program's
 * first output; the machine's free memory and page cache as /proc/meminfo has them then; QEMU's memory on the host (peak).
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeMachine, median, renderTable } from './machine.ts';

const RUNS = Math.max(1, Number(process.env['HULL_BENCH_RUNS'] ?? '10'));
const MEMORY = 64;
const HULL = join(process.cwd(), 'dist/hull');
const SOURCE = `#include <stdio.h>
#include <unistd.h>
int main(void) { char text[4096]; FILE *f = fopen("/proc/meminfo", "r"); size_t n = fread(text, 1, sizeof text, f); fwrite(text, 1, n, stdout); fflush(stdout); sleep(60); }
`;

interface Figures {
  readonly first: number;
  readonly free: number;
  readonly cached: number;
  readonly peak: number;
}

function makeRoot(root: string, program: string, files: number, largeMib: number): void {
  mkdirSync(join(root, 'data'), { recursive: true });
  for (let i = 0; i < files; i++) {
    const folder = join(root, 'data', `folder${i % 500}`);
    if (i < 500) mkdirSync(folder);
    writeFileSync(join(folder, `file${i}`), `${i}\n`.repeat(200));
  }
  for (let i = 0; i < largeMib; i += 50) writeFileSync(join(root, 'data', `large${i}`), Buffer.alloc(50 << 20, `${i} `));
  execFileSync('cp', [program, join(root, 'show')]);
}

/** Peak of the resident memory of hull's child, in kB. */
function readPeak(pid: number): number {
  const child = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0];
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1]);
}

function measure(image: string, env: NodeJS.ProcessEnv): Promise<Figures> {
  const started = performance.now();
  const child = spawn(HULL, ['run', '--machine', 'microvm', '--accel', 'tcg', '-m', `${MEMORY}m`, image, '/show'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    let text = '';
    let figures: Figures | undefined;
    const timer = setTimeout(() => child.kill('SIGKILL'), 300_000);
    child.stdout.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? Number.NaN);
      if (figures !== undefined || Number.isNaN(read('Cached'))) return;
      figures = { first: performance.now() - started, free: read('MemFree'), cached: read('Cached'), peak: readPeak(child.pid as number) };
      child.kill('SIGTERM');
    });
    child.once('close', () => {
      clearTimeout(timer);
      if (figures !== undefined) resolve(figures);
      else reject(new Error(`Cannot measure "${image}": it ended before its output: ${text}`));
    });
  });
}

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'hull-bench-root-'));
  try {
    const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HULL_ROOT: join(dir, 'state') };
    const program = join(dir, 'show');
    writeFileSync(join(dir, 'show.c'), SOURCE);
    execFileSync('musl-gcc', ['-static', '-Os', join(dir, 'show.c'), '-o', program], { stdio: 'inherit' });
    const roots = [{ name: 'small', files: 2000, largeMib: 0 }, { name: 'large', files: 100_000, largeMib: 600 }].map(({ name, files, largeMib }) => {
      const [root, archive] = [join(dir, name), join(dir, `${name}.tar`)];
      makeRoot(root, program, files, largeMib);
      execFileSync('tar', ['-C', root, '-cf', archive, '.']);
      rmSync(root, { recursive: true });
      execFileSync(HULL, ['import', archive, name], { env, stdio: ['ignore', 'ignore', 'inherit'] });
      rmSync(archive);
      return { name, figures: [] as Figures[] };
    });
    for (const { name } of roots) await measure(name, env); // makes the root's image, links
    for (let run = 0; run < RUNS; run++) for (const { name, figures } of roots) figures.push(await measure(name, env));
    const images = readdirSync(env.HULL_ROOT, { recursive: true, encoding: 'utf8' }).map((path) => join(env.HULL_ROOT, path)).filter((path) => path.endsWith('.erofs')).map((path) => statSync(path).size).sort((a, b) => a - b);
    const rows = [['root', 'image MiB', 'first output ms', 'MemFree kB', 'Cached kB', 'QEMU peak kB']];
    for (const [i, { name, figures }] of roots.entries()) {
      const pick = (of: keyof Figures) => median(figures.map((each) => each[of])).toFixed(0);
      rows.push([name, ((images[i] ?? Number.NaN) / 2 ** 20).toFixed(0), pick('first'), pick('free'), pick('cached'), pick('peak')]);
    }
    process.stdout.write(`Medians of ${RUNS} machines of each kind in turns, microvm, ${MEMORY} MiB\n${describeMachine('tcg')}\n\n${renderTable(rows)}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

await main();

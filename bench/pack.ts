/**
 * Packing a root file system of 300 MB: hull's EROFS writer (as `hull run --rootfs` uses it: scan, then write) beside mkfs.erofs without compression.
 *
 * Run by `node tools/run.mjs bench/pack.ts [DIRECTORY]`. Rules: the tree is a copy of this host's /usr until it has 300 MB, or DIRECTORY; both read it from a warm page cache and write a new file in the same folder; runs are interleaved;
 * medians of at least 5; fsck.erofs looks at what hull wrote.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, cpSync, fsyncSync, lstatSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scanDirectory, writeErofs } from '../images/index.ts';
import { describeMachine, median, renderTable } from './machine.ts';

const RUNS = Math.max(5, Number(process.env['HULL_BENCH_RUNS'] ?? '5'));
const SIZE = 300e6;
const folder = mkdtempSync(join(tmpdir(), 'hull-bench-pack-'));

/** Copies of folders of /usr until the tree is large enough. */
function makeTree(): string {
  const root = join(folder, 'root');
  let left = SIZE;
  const copy = (from: string, to: string): void => {
    mkdirSync(to, { recursive: true });
    for (const name of readdirSync(from).sort()) {
      if (left <= 0) return;
      const path = join(from, name);
      const stat = lstatSync(path);
      if (stat.isDirectory()) copy(path, join(to, name));
      else if (stat.isFile() && stat.size < 20e6) {
        cpSync(path, join(to, name));
        left -= stat.size;
      } else if (stat.isSymbolicLink()) cpSync(path, join(to, name), { verbatimSymlinks: true });
    }
  };
  for (const name of ['bin', 'lib/x86_64-linux-gnu', 'share']) copy(join('/usr', name), join(root, 'usr', name));
  return root;
}

async function main(): Promise<void> {
  try {
    const root = process.argv[2] ?? makeTree();
    const [ours, theirs] = [join(folder, 'ours.erofs'), join(folder, 'theirs.erofs')];
    const times = { scan: [] as number[], write: [] as number[], mkfs: [] as number[] };
    for (let run = -1; run < RUNS; run++) {
      rmSync(ours, { force: true });
      rmSync(theirs, { force: true });
      const started = performance.now();
      const tree = scanDirectory(root);
      const scanned = performance.now();
      const fd = openSync(ours, 'wx+');
      writeErofs(tree, fd);
      fsyncSync(fd);
      closeSync(fd);
      const written = performance.now();
      execFileSync('sh', ['-c', 'mkfs.erofs --quiet "$0" "$1" && sync -d "$0"', theirs, root], { stdio: ['ignore', 'ignore', 'inherit'] });
      const made = performance.now();
      if (run < 0) continue; // the first round only warms caches
      times.scan.push(scanned - started);
      times.write.push(written - scanned);
      times.mkfs.push(made - written);
    }
    const [scan, write, mkfs] = [median(times.scan), median(times.write), median(times.mkfs)];
    const check = spawnSync('fsck.erofs', [ours], { encoding: 'utf8' });
    const rows = [
      ['', 'ms', 'bytes', 'of mkfs.erofs'],
      ['hull: scan', scan.toFixed(0), '', ''],
      ['hull: write', write.toFixed(0), String(statSync(ours).size), ''],
      ['hull: whole', (scan + write).toFixed(0), '', ((scan + write) / mkfs).toFixed(2)],
      ['mkfs.erofs', mkfs.toFixed(0), String(statSync(theirs).size), '1.00'],
    ];
    process.stdout.write(`${describeMachine('none')}\nmedians of ${RUNS} interleaved runs; fsck.erofs of hull's image: ${check.status === 0 ? 'no errors' : check.stderr}\n\n${renderTable(rows)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();

/**
 * The table of files' costs: the same script (bench/guest/files.c and Debian's programs) on the same EROFS root image in hull and in Debian's cloud kernel, under one set of QEMU flags
 * (q35: Linux finds virtio there without a device tree). Run by `node tools/run.mjs bench/files.ts [GROUP...]`, groups as in SCRIPT's cases; HULL_BENCH_RUNS machines of each (default 3) in
 * turns; medians. Both have an overlay of tmpfs over the image as their root, a tmpfs, an ext4 volume on a disk, and a folder of the host over 9P.
 * What differs: the cloud kernel has no 9P at all, so Debian's generic kernel of the same version stands in for that group; Linux has a serial line as its console.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeErofs } from '../images/erofs/index.ts';
import { formatExt4 } from '../images/ext4/index.ts';
import { scanDirectory } from '../images/rootfs/index.ts';
import { makeDebianRoot } from '../test/debian-root.ts';
import { findLinuxKernel, type GuestMachine, GENERIC_KERNEL, linuxArguments, type LinuxKernel, makeInitramfs, runGuest } from './linux-guest.ts';
import { describeMachine, median, renderTable } from './machine.ts';

const RUNS = Math.max(1, Number(process.env['HULL_BENCH_RUNS'] ?? '3'));
const MACHINE: GuestMachine = { machine: 'q35', accelerator: 'tcg', memory: 512 };
const HULL = join(process.cwd(), 'dist/hull');
const DEADLINE = 600_000;
const PACKAGES = ['base-files', 'dash', 'busybox-static', 'python3', 'nodejs', 'git', 'sqlite3'];
const MODULES = ['virtio_pci', 'virtio_blk', 'crc32c_generic', 'erofs', 'overlay', 'ext4', '9p', '9pnet_virtio'];
const GROUPS = ['root', 'tmpfs', 'overlay', 'ext4', '9p', 'sqlite', 'git', 'programs'];
const [SMALL, MANY, MIB, INSERTS, SOURCES] = [1000, 10_000, 32, 60_000, 2000];

/** In the guest: `run GROUP...`. What is in /bench/data is the image's; the host made what is on 9P. */
const SCRIPT = `#!/bin/busybox sh
export PATH=/usr/bin:/bin HOME=/tmp
F=/bench/files
fill() { $F make $1/small ${SMALL} 1024; $F make $1/many ${MANY} 0; }
all() { $F opens open-read-close:$2 $1/small ${SMALL}; $F list list-${MANY}:$2 $1/many ${MANY}; }
for group; do case $group in
  root) all /bench/data root; $F read read-MiB:root /bench/data/big;;
  tmpfs) fill /mnt/tmpfs; all /mnt/tmpfs tmpfs; $F write write-MiB:tmpfs /mnt/tmpfs/big ${MIB}; $F read read-MiB:tmpfs /mnt/tmpfs/big; rm /mnt/tmpfs/big;;
  overlay) mkdir /var/bench; fill /var/bench; all /var/bench overlay; $F write write-MiB:overlay /var/bench/big ${MIB}; $F read read-MiB:overlay /var/bench/big; rm /var/bench/big;;
  ext4) fill /mnt/ext4; sync; all /mnt/ext4 ext4; $F write write-MiB:ext4 /mnt/ext4/big ${MIB}; $F read read-MiB:ext4 /mnt/ext4/big;;
  9p) $F opens open-read-close:9p /mnt/9p/small ${SMALL / 5}; $F list list-${MANY}:9p /mnt/9p/many ${MANY}; $F write write-MiB:9p /mnt/9p/big ${MIB}; $F read read-MiB:9p /mnt/9p/big;;
  sqlite) for at in tmpfs ext4; do $F run sqlite-${INSERTS}:$at /usr/bin/sqlite3 /mnt/$at/db '.read /bench/insert.sql'; done;;
  git) cd /bench/repository; git status > /dev/null; $F run git-status:root /usr/bin/git status --porcelain; cd /;;
  programs) $F start python3:root /usr/bin/python3 -c 'print(1)'; $F start node:root /usr/bin/node -e 'console.log(1)';;
esac; done
echo done
`;

const INIT = `#!/bin/busybox sh
b=/bin/busybox
for m in /modules/*; do $b insmod $m; done
$b mount -t devtmpfs dev /dev
$b mount -t erofs -o ro /dev/vda /lower
$b mount -t tmpfs upper /upper
$b mkdir /upper/u /upper/w
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/u,workdir=/upper/w root /root
$b mount -t proc proc /root/proc
$b mount -t devtmpfs dev /root/dev
$b mount -t tmpfs tmpfs /root/mnt/tmpfs
$b mount -t ext4 /dev/vdb /root/mnt/ext4
$b grep -q 9p /proc/filesystems /root/proc/filesystems 2> /dev/null && $b mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072 share /root/mnt/9p
exec $b chroot /root /bench/run "$@"
`;

function readFigures(output: string, what: string): Map<string, number> {
  if (!/^done$/m.test(output)) throw new Error(`Cannot measure ${what}: it ended before its end: ${output.slice(-1500)}`);
  return new Map([...output.matchAll(/^([\w:-]+) (\d+)$/gm)].map(([, name, value]) => [name as string, Number(value)]));
}

/** The root for both, and the folder for 9P. */
function makeTree(dir: string, program: string): { root: string; share: string } {
  const made = makeDebianRoot('bench-files', PACKAGES);
  if ('reason' in made) throw new Error(`Cannot measure: ${made.reason}`);
  const [root, share] = [join(dir, 'root'), join(dir, 'share')];
  cpSync(made.root, root, { recursive: true, verbatimSymlinks: true });
  const bench = join(root, 'bench');
  for (const folder of ['data', 'repository']) mkdirSync(join(bench, folder), { recursive: true });
  for (const folder of ['proc', 'dev', 'tmp', 'var', 'mnt/tmpfs', 'mnt/ext4', 'mnt/9p']) mkdirSync(join(root, folder), { recursive: true });
  mkdirSync(share);
  cpSync(program, join(bench, 'files'));
  writeFileSync(join(bench, 'run'), SCRIPT, { mode: 0o755 });
  for (const at of [join(bench, 'data'), share]) {
    execFileSync(program, ['make', join(at, 'small'), String(SMALL), '1024']);
    execFileSync(program, ['make', join(at, 'many'), String(MANY), '0']);
  }
  writeFileSync(join(bench, 'data/big'), Buffer.alloc(MIB << 20, 'hull'));
  const inserts = Array.from({ length: INSERTS }, (_, i) => `INSERT INTO t VALUES (${i}, 'row ${(i * 7919) % INSERTS}');`);
  writeFileSync(join(bench, 'insert.sql'), `CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT);\nBEGIN;\n${inserts.join('\n')}\nCOMMIT;\n`);
  const repository = join(bench, 'repository');
  for (let i = 0; i < SOURCES; i++) {
    const folder = join(repository, `folder${i % 40}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file${i}.c`), `int number_${i}(void) { return ${i}; }\n`);
  }
  const git = (...args: string[]) => execFileSync('git', ['-c', 'user.name=bench', '-c', 'user.email=bench@localhost', ...args], { cwd: repository, stdio: 'ignore' });
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'files');
  return { root, share };
}

async function main(): Promise<void> {
  const groups = process.argv.length > 2 ? process.argv.slice(2) : GROUPS;
  const unknown = groups.find((group) => !GROUPS.includes(group));
  if (unknown !== undefined) throw new Error(`Cannot measure "${unknown}": no such group, expected ${GROUPS.join(', ')}`);
  const dir = mkdtempSync(join(tmpdir(), 'hull-bench-files-'));
  try {
    const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HULL_ROOT: join(dir, 'state') };
    const program = join(dir, 'files');
    execFileSync('musl-gcc', ['-static', '-O2', 'bench/guest/files.c', '-o', program], { stdio: 'inherit' });
    const { root, share } = makeTree(dir, program);
    const image = join(dir, 'root.erofs');
    const fd = openSync(image, 'wx');
    writeErofs(scanDirectory(root), fd);
    closeSync(fd);
    const disk = join(dir, 'disk');

    const runHull = (which: readonly string[]): Map<string, number> => {
      rmSync(disk, { force: true });
      formatExt4(disk, 512 << 20);
      const mounts = ['--tmpfs', '/mnt/tmpfs', '--mount', `type=block,source=${disk},target=/mnt/ext4`, '-v', `${share}:/mnt/9p`];
      const args = ['run', '--machine', MACHINE.machine, '--accel', MACHINE.accelerator, '-m', `${MACHINE.memory}m`, '--rootfs', root, ...mounts, '/bin/busybox', 'sh', '/bench/run', ...which];
      const { stdout, stderr, status } = spawnSync(HULL, args, { env, encoding: 'utf8', timeout: DEADLINE });
      if (status !== 0) throw new Error(`Cannot measure hull: status ${status}, ${stdout.slice(-500)} ${stderr.slice(-1500)}`);
      return readFigures(stdout, 'hull');
    };
    const runLinux = async (kernel: LinuxKernel, which: readonly string[]): Promise<Map<string, number>> => {
      rmSync(disk, { force: true });
      formatExt4(disk, 512 << 20);
      const modules = kernel.findModules(MODULES).map((file, i) => ({ path: `/modules/${String(i).padStart(2, '0')}.ko`, data: readFileSync(file) }));
      const folders = ['lower', 'upper', 'root', 'proc'].map((path) => ({ path: `/${path}` }));
      const initramfs = join(dir, 'initramfs');
      writeFileSync(initramfs, makeInitramfs([{ path: '/bin/busybox', data: readFileSync(join(root, 'bin/busybox')) }, { path: '/init', data: Buffer.from(INIT) }, ...folders, ...modules]));
      const drives = [`if=none,id=root,format=raw,readonly=on,file=${image}`, `if=none,id=disk,format=raw,cache=writeback,discard=unmap,file=${disk}`];
      const extra = [
        ...drives.flatMap((drive) => ['-drive', drive]), '-device', 'virtio-blk-pci,disable-legacy=on,drive=root', '-device', 'virtio-blk-pci,disable-legacy=on,drive=disk',
        '-fsdev', `local,id=share,path=${share},security_model=none,multidevs=remap`, '-device', 'virtio-9p-pci,disable-legacy=on,fsdev=share,mount_tag=share',
      ];
      const { output } = await runGuest(linuxArguments({ ...MACHINE, kernel, initramfs, args: which, extra }), { until: /^done\r?$/m, deadline: DEADLINE });
      return readFigures(output, `Linux ${kernel.version}`);
    };
    const cloud = findLinuxKernel();
    const cloudGroups = groups.filter((group) => group !== '9p');
    const runs: { linux: Map<string, number>; hull: Map<string, number> }[] = [];
    for (let run = 0; run < RUNS; run++) {
      const linux = cloudGroups.length > 0 ? await runLinux(cloud, cloudGroups) : new Map<string, number>();
      if (groups.includes('9p')) for (const [name, value] of await runLinux(findLinuxKernel(GENERIC_KERNEL), ['9p'])) linux.set(name, value);
      runs.push({ linux, hull: runHull(groups) });
      process.stderr.write(`run ${run + 1} of ${RUNS}\n`);
    }
    const rows = [['what', 'Linux µs', 'hull µs', 'Linux/hull']];
    for (const name of runs[0]?.linux.keys() ?? []) {
      const pick = (of: 'linux' | 'hull') => median(runs.map((run) => run[of].get(name) ?? Number.NaN)) / 1000;
      const [linux, hull] = [pick('linux'), pick('hull')];
      rows.push([name, linux.toFixed(1), hull.toFixed(1), (linux / hull).toFixed(2)]);
    }
    process.stdout.write(`Medians of ${RUNS} machines of each kind in turns, ${MACHINE.machine}, ${MACHINE.memory} MiB; Linux ${cloud.version}, 9P: Debian's generic kernel\n`);
    process.stdout.write(`${describeMachine(MACHINE.accelerator)}\n\n${renderTable(rows)}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

await main();

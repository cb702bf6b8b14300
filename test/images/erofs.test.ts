/** EROFS images: what erofs-utils and the kernel make of them, that they are a function of the tree, and what is refused. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  lstatSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ErofsError, identifyTree, scanDirectory, TreeError, writeErofs } from '../../images/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-erofs-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const isRoot = process.getuid?.() === 0;
const has = (tool: string) => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0;

/** A tree with each kind of thing, sizes around every limit, and a directory of many blocks. */
function makeTree(root: string): void {
  mkdirSync(join(root, 'sizes'), { recursive: true });
  for (const size of [0, 1, 31, 2047, 2048, 2049, 4031, 4032, 4095, 4096, 4097, 6144, 8191, 8192, 12289, 1 << 20, (1 << 20) + 5]) {
    writeFileSync(join(root, 'sizes', `of-${size}`), Buffer.alloc(size, size % 251));
  }
  mkdirSync(join(root, 'many/deep/er'), { recursive: true });
  for (let i = 0; i < 1000; i++) writeFileSync(join(root, 'many', `file with a longer name ${i}`), `${i}\n`);
  for (const name of ['-dash', '!bang', '..dots', '~', 'ünïcode', 'x'.repeat(255)]) writeFileSync(join(root, name), name);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x41])]), 'not UTF-8');
  symlinkSync('sizes/of-1', join(root, 'link'));
  symlinkSync('/'.repeat(3000), join(root, 'long-link'));
  linkSync(join(root, 'sizes/of-4097'), join(root, 'many/same'));
  chmodSync(join(root, 'sizes/of-31'), 0o4711);
  chmodSync(join(root, 'many/deep'), 0o1777);
  utimesSync(join(root, 'sizes/of-1'), 1, 1234567890.125);
  utimesSync(join(root, 'sizes/of-31'), 1, -5);
  execFileSync('mkfifo', [join(root, 'fifo')]);
  if (isRoot) {
    execFileSync('mknod', [join(root, 'device'), 'c', '259', '70000']);
    execFileSync('chown', ['70000:12', join(root, 'sizes/of-2048')]);
  }
}

function write(root: string, image: string) {
  const tree = scanDirectory(root);
  const fd = openSync(image, 'w');
  try {
    return { tree, summary: writeErofs(tree, fd) };
  } finally {
    closeSync(fd);
  }
}

/** All that matters about a tree, as text. Sizes and times of directories are the file system's own matter. */
function describe(root: Buffer, at = Buffer.from('')): string[] {
  const names = readdirSync(Buffer.concat([root, at]), { encoding: 'buffer' }).sort(Buffer.compare);
  return names.flatMap((name) => {
    const path = Buffer.concat([at, Buffer.from('/'), name]);
    const full = Buffer.concat([root, path]);
    const stat = lstatSync(full, { bigint: true });
    const content = stat.isSymbolicLink() ? readlinkSync(full) : stat.isFile() ? readFileSync(full).toString('base64').slice(0, 9000) : '';
    const size = stat.isDirectory() ? '' : stat.size;
    const line = `${path.toString('latin1')} ${stat.mode} ${stat.nlink} ${stat.uid} ${stat.gid} ${size} ${stat.rdev} ${stat.mtimeNs} ${content}`;
    return stat.isDirectory() ? [line, ...describe(root, path)] : [line];
  });
}

const root = join(folder, 'tree');
const image = join(folder, 'tree.erofs');
makeTree(root);
const { tree, summary } = write(root, image);

t.test('the superblock and the size', async (t) => {
  const bytes = readFileSync(image);
  t.equal(bytes.length, summary.size);
  t.equal(bytes.length % 4096, 0);
  t.equal(bytes.readUInt32LE(1024), 0xe0f5e1e2);
  t.equal(bytes.readUInt32LE(1024 + 36) * 4096, bytes.length);
  t.equal(bytes.readBigUInt64LE(1024 + 16), BigInt(summary.inodes));
});

t.test('the same tree gives the same bytes, another tree another identity', async (t) => {
  const again = join(folder, 'again.erofs');
  write(root, again);
  t.ok(readFileSync(again).equals(readFileSync(image)));
  const before = identifyTree(scanDirectory(root));
  t.equal(before, identifyTree(tree));
  chmodSync(join(root, '~'), 0o600);
  t.not(identifyTree(scanDirectory(root)), before);
  chmodSync(join(root, '~'), statSync(join(root, '-dash')).mode & 0o777);
});

t.test('fsck.erofs finds nothing', { skip: has('fsck.erofs') ? false : 'erofs-utils are not installed' }, async (t) => {
  const { status, stdout, stderr } = spawnSync('fsck.erofs', ['--extract', image], { encoding: 'utf8' });
  t.equal(status, 0, stdout + stderr);
});

t.test('dump.erofs reads a directory', { skip: has('dump.erofs') ? false : 'erofs-utils are not installed' }, async (t) => {
  const text = execFileSync('dump.erofs', ['--ls', '--path=/many', image], { encoding: 'utf8' });
  for (const name of ['file with a longer name 999', 'deep', 'same']) t.match(text, name);
});

function mount(t: { teardown(action: () => void): void }, image: string): string | undefined {
  const point = join(folder, 'mnt');
  mkdirSync(point, { recursive: true });
  const { status } = spawnSync('mount', ['-t', 'erofs', '-o', 'loop,ro', image, point]);
  if (status !== 0) return undefined;
  t.teardown(() => void spawnSync('umount', [point]));
  return point;
}

t.test('the kernel sees the tree', { skip: isRoot ? false : 'only root may mount' }, async (t) => {
  const point = mount(t, image);
  if (point === undefined) return void t.pass('this kernel cannot mount EROFS from a loop device');
  t.same(describe(Buffer.from(point)), describe(Buffer.from(root)));
});

t.test('an unprivileged owner becomes root when asked', async (t) => {
  const { uid, gid } = statSync(join(root, '~'));
  const owned = scanDirectory(root, { own: { uid, gid } });
  const entry = owned.root.entries?.find(({ name }) => name.toString() === '~');
  t.match(entry?.inode, { uid: 0, gid: 0 });
});

t.test('what cannot be written is said', async (t) => {
  t.throws(() => scanDirectory(join(folder, 'missing')), TreeError);
  t.throws(() => scanDirectory(image), { name: 'TreeError', message: /not a directory/ });
  const changing = scanDirectory(root);
  truncateSync(join(root, 'sizes/of-1048576'), 7);
  const fd = openSync(join(folder, 'broken.erofs'), 'w');
  t.throws(() => writeErofs(changing, fd), { name: 'ErofsError', code: 'content-changed' });
  closeSync(fd);
  const full = openSync('/dev/full', 'w');
  t.throws(() => writeErofs(scanDirectory(join(root, 'many')), full), ErofsError);
  closeSync(full);
});

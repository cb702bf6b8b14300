/** Layers on top of each other: what entries and whiteouts do to what is below, EROFS images of the result, and what is refused. */
import { createHash } from 'node:crypto';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { openErofs, type Tree, type TreeInode, writeErofs } from '../../images/index.ts';
import { stackLayers, type WriteEntry, writeTar } from '../../images/layers/index.ts';
import { computeChainId } from '../../images/store/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-stack-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const has = (tool: string) => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0;
let count = 0;

const common = { mode: 0o644, uid: 0, gid: 0, mtimeNs: 1_700_000_000_000_000_000n, size: 0 };
const file = (path: string, text: string, more: Partial<WriteEntry> = {}): WriteEntry => ({ ...common, path, kind: 'file', size: Buffer.byteLength(text), content: () => [Buffer.from(text)], ...more });
const dir = (path: string, more: Partial<WriteEntry> = {}): WriteEntry => ({ ...common, path, kind: 'directory', mode: 0o755, ...more });
const link = (path: string, target: string): WriteEntry => ({ ...common, path, kind: 'symlink', target, mode: 0o777 });
const hard = (path: string, target: string): WriteEntry => ({ ...common, path, kind: 'hardlink', target });
const gone = (path: string): WriteEntry => ({ ...common, path, kind: 'whiteout' });
const opaque = (path: string): WriteEntry => ({ ...common, path, kind: 'opaque' });

async function pack(entries: readonly WriteEntry[]) {
  const parts: Buffer[] = [];
  for await (const part of writeTar(entries)) parts.push(part);
  const bytes = Buffer.concat(parts);
  return { bytes, diffId: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, size: bytes.length, open: async function* () { yield bytes; } };
}

/** Does `use` with the tree while its content is there. */
async function stack<T>(layers: readonly (readonly WriteEntry[])[], use: (tree: Tree) => T, limit?: number): Promise<T> {
  const fd = openSync(join(folder, `spool${count++}`), 'wx+');
  try {
    return use(await stackLayers(await Promise.all(layers.map(pack)), fd, limit));
  } finally {
    closeSync(fd);
  }
}

function listPaths(inode: TreeInode, at = ''): string[] {
  return (inode.entries ?? []).flatMap(({ name, inode: child }) => [`${at}${name}`, ...listPaths(child, `${at}${name}/`)]);
}
const paths = (...layers: (readonly WriteEntry[])[]) => stack(layers, ({ root }) => listPaths(root));

t.test('what a layer does to those below', async (t) => {
  const base = [dir('d'), file('d/a', '1'), file('d/b', '2'), dir('d/e'), file('d/e/f', '3'), file('g', '4')];
  const cases: Record<string, [upper: WriteEntry[], expected: string[]]> = {
    'a whiteout of a file': [[gone('d/a')], ['d', 'd/b', 'd/e', 'd/e/f', 'g']],
    'a whiteout of a directory': [[gone('d')], ['g']],
    'a whiteout of nothing': [[gone('x/y')], ['d', 'd/a', 'd/b', 'd/e', 'd/e/f', 'g']],
    'a whiteout behind what replaces it': [[file('g', 'new'), gone('g')], ['d', 'd/a', 'd/b', 'd/e', 'd/e/f', 'g']],
    'a directory made anew, whiteout first': [[gone('d'), dir('d'), file('d/n', '')], ['d', 'd/n', 'g']],
    'a directory made anew, whiteout last': [[dir('d'), file('d/n', ''), gone('d')], ['d', 'd/n', 'g']],
    'an opaque directory': [[dir('d'), opaque('d'), file('d/n', '')], ['d', 'd/n', 'g']],
    'an opaque directory, said last': [[file('d/e/n', ''), opaque('d')], ['d', 'd/e', 'd/e/n', 'g']],
    'an opaque root': [[opaque(''), file('n', '')], ['n']],
    'a file in place of a directory': [[file('d', '')], ['d', 'g']],
    'a directory in place of a file': [[dir('g'), file('g/h', '')], ['d', 'd/a', 'd/b', 'd/e', 'd/e/f', 'g', 'g/h']],
    'a directory keeps what is in it': [[dir('d', { mode: 0o700 })], ['d', 'd/a', 'd/b', 'd/e', 'd/e/f', 'g']],
    'parents that no entry names': [[file('x/y/z', '')], ['d', 'd/a', 'd/b', 'd/e', 'd/e/f', 'g', 'x', 'x/y', 'x/y/z']],
  };
  for (const [what, [upper, expected]] of Object.entries(cases)) t.same(await paths(base, upper), expected, what);
  t.same(await paths([link('lib', 'usr/lib'), dir('usr/lib')], [file('lib/x', '')], [file('usr/lib/y', ''), gone('lib/x')]), ['lib', 'usr', 'usr/lib', 'usr/lib/y'], 'through a link of a lower layer');
  t.same(await paths([link('a', '/usr')], [file('a/x', '')]), ['a', 'usr', 'usr/x'], 'an absolute link begins at the root');
  t.same(await paths([file('a', 'x')], [hard('b', 'a')], [gone('a')]), ['b'], 'a hard link to a lower layer');
});

t.test('an EROFS image of it', async (t) => {
  const image = join(folder, 'image.erofs');
  const big = 'block '.repeat(5000);
  const capability = Buffer.from('0000000200200000'.padEnd(40, '0'), 'hex'); // vfs_cap_data, version 2: cap_net_raw;
  const layers = [
    [
      dir('', { mode: 0o755 }),
      dir('etc'),
      file('etc/passwd', 'root:x:0:0\n', { uid: 70000, gid: 5, mode: 0o4755 }),
      file('big', big, { xattrs: new Map([['security.capability', capability], ['user.x', Buffer.from('y')]]) }),
      hard('big2', 'big'),
      link('way', 'etc/../etc'),
      { ...common, path: 'null', kind: 'character' as const, device: { major: 1, minor: 3 } },
      ...Array.from({ length: 600 }, (_, i) => file(`many/file-${i}`, `${i}`)),
    ],
    [file('etc/hosts', 'localhost'), gone('many/file-7')],
  ];
  const make = (path: string) =>
    stack(layers, (tree) => {
      const fd = openSync(path, 'w+');
      writeErofs(tree, fd);
      closeSync(fd);
    });
  await make(image);
  const files = openErofs(image);
  t.teardown(() => files.close());
  t.match(files.stat('/etc/passwd'), { kind: 'file', uid: 70000, gid: 5, mode: 0o4755, size: 11 });
  t.equal(files.read('/way/hosts')?.toString(), 'localhost', 'links are followed');
  t.equal(files.read('/../../etc/hosts')?.toString(), 'localhost', 'the root is its own parent');
  t.equal(files.read('/big2')?.toString(), big);
  t.equal(files.list('/many')?.length, 599);
  t.equal(files.read('/many/file-599')?.toString(), '599');
  t.equal(files.read('/many/file-7'), undefined);
  t.equal(files.read('/etc'), undefined);
  t.equal(files.list('/none'), undefined);
  t.equal(files.stat('/big/x'), undefined);
  const second = join(folder, 'second.erofs');
  await make(second);
  t.same(execFileSync('sha256sum', [image], { encoding: 'utf8' }).slice(0, 64), execFileSync('sha256sum', [second], { encoding: 'utf8' }).slice(0, 64), 'the same layers give the same bytes');
  if (has('fsck.erofs')) t.equal(spawnSync('fsck.erofs', [image]).status, 0, 'fsck.erofs finds nothing');
  else t.pass('no fsck.erofs here to ask');
  const point = join(folder, 'mnt');
  execFileSync('mkdir', [point]);
  if (spawnSync('mount', ['-t', 'erofs', '-o', 'ro,loop', image, point]).status === 0) {
    try {
      t.match(execFileSync('python3', ['-c', 'import os,sys; p=sys.argv[1]; print(*[n+"="+os.getxattr(p,n).hex() for n in sorted(os.listxattr(p))])', join(point, 'big')], { encoding: 'utf8' }), /security\.capability=0000000200200000(00){12} user\.x=79/, 'the kernel reads attributes');
    } finally {
      execFileSync('umount', [point]);
    }
  } else t.comment('skipped: this kernel does not mount EROFS images here');
});

t.test('what is refused', async (t) => {
  const refuse = (layers: readonly (readonly WriteEntry[])[], code: string, what: string) => t.rejects(paths(...layers), { name: 'LayerError', code, message: /^Cannot .*, expected / }, what);
  await refuse([[link('a', '../..'), file('a/x', '')]], 'layer-escapes', 'a link out of the root');
  await refuse([[dir('b'), link('b/a', '../../etc')], [file('b/a/x', '')]], 'layer-escapes', 'a link of a lower layer out of the root');
  await refuse([[link('a', 'b'), link('b', 'a'), file('a/x', '')]], 'layer-invalid', 'a circle of links');
  await refuse([[file('a', ''), file('a/b', '')]], 'layer-invalid', 'a file as a parent');
  await refuse([[hard('a', 'b')]], 'layer-invalid', 'a hard link to nothing');
  await refuse([[dir('d'), hard('a', 'd')]], 'layer-invalid', 'a hard link to a directory');
  await t.rejects(stack([[file('a', 'x'.repeat(5000))]], () => 0, 4096), { code: 'layer-too-large' });
  const good = await pack([file('a', 'x')]);
  const fd = openSync(join(folder, 'spool-bad'), 'wx+');
  t.teardown(() => closeSync(fd));
  await t.rejects(stackLayers([{ ...good, diffId: `sha256:${'0'.repeat(64)}` }], fd), { code: 'layer-mismatch' });
});

t.test('chain ids', (t) => {
  // Of the OCI image specification's definition, by hand.
  const [a, b] = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`];
  t.equal(computeChainId([a]), a);
  t.equal(computeChainId([a, b]), `sha256:${createHash('sha256').update(`${a} ${b}`).digest('hex')}`);
  t.end();
});

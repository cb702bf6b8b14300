/** Layers: archives of GNU tar and bsdtar-like forms are read as tar reads them, ours are read by tar, and what is refused. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { decodeName, encodeName, type LayerEntry, readLayer, type ReadOptions, type WriteEntry, writeLayer, writeTar } from '../../images/layers/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-layers-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

type Read = LayerEntry & { bytes: Buffer };

async function readAll(bytes: Uint8Array, options: ReadOptions = {}, piece = 1000): Promise<Read[]> {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
  }
  const found: Read[] = [];
  for await (const { content, ...entry } of readLayer(pieces(), options)) {
    const parts: Buffer[] = [];
    for await (const part of content()) parts.push(Buffer.from(part));
    found.push({ ...entry, bytes: Buffer.concat(parts) });
  }
  return found;
}

async function collect(entries: readonly WriteEntry[], options = {}): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of writeTar(entries, options)) parts.push(part);
  return Buffer.concat(parts);
}

const file = (path: string, text: string, more: Partial<WriteEntry> = {}): WriteEntry => {
  const bytes = Buffer.from(text);
  return { path, kind: 'file', mode: 0o644, uid: 0, gid: 0, mtimeNs: 1_700_000_000_000_000_000n, size: bytes.length, content: () => [bytes], ...more };
};

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

t.test('archives of GNU tar', async (t) => {
  const from = join(folder, 'from');
  const long = 'd'.repeat(120);
  mkdirSync(join(from, long), { recursive: true });
  writeFileSync(join(from, 'plain'), 'text\n', { mode: 0o4755 });
  writeFileSync(join(from, long, 'f'.repeat(120)), 'deep');
  writeFileSync(Buffer.concat([Buffer.from(`${from}/latin-`), Buffer.from([0xe9, 0xff])]), 'x');
  writeFileSync(join(from, 'ünï'), 'y');
  execFileSync('ln', ['-s', `/${'t'.repeat(150)}`, join(from, 'link')]);
  execFileSync('ln', [join(from, 'plain'), join(from, 'plain2')]);
  execFileSync('mkfifo', [join(from, 'pipe')]);
  const fd = openSync(join(from, 'sparse'), 'w');
  for (let i = 0; i < 30; i++) writeSync(fd, `piece ${i}`, i * 1_000_000 + 5);
  writeSync(fd, 'end', 40_000_000);
  closeSync(fd);
  const whole = sha(readFileSync(join(from, 'sparse')));
  for (const form of [['--format=gnu'], ['--format=pax'], ['--format=gnu', '--sparse'], ['--format=pax', '--sparse-version=0.0', '--sparse'], ['--format=pax', '--sparse-version=0.1', '--sparse'], ['--format=pax', '--sparse-version=1.0', '--sparse']]) {
    const archive = join(folder, 'x.tar');
    execFileSync('tar', ['-C', from, '-cf', archive, '--sort=name', '--owner=1234:5000000', '--group=7:8', ...form, '.']);
    const bytes = readFileSync(archive);
    const entries = await readAll(form.length === 2 && form[0] === '--format=gnu' ? gzipSync(bytes) : bytes, {}, 65_536);
    const find = (path: string) => entries.find((each) => each.path === path);
    t.equal(entries[0]?.path, '', 'the root itself');
    t.match(find('plain'), { kind: 'file', mode: 0o4755, uid: 5000000, gid: 8, bytes: Buffer.from('text\n') }, form.join(' '));
    t.match(find('plain2'), { kind: 'hardlink', target: 'plain', size: 0 });
    t.match(find('link'), { kind: 'symlink', target: `/${'t'.repeat(150)}` });
    t.match(find('pipe'), { kind: 'fifo' });
    t.equal(find(`${long}/${'f'.repeat(120)}`)?.bytes.toString(), 'deep');
    t.equal(find('latin-\udce9\udcff')?.bytes.toString(), 'x', 'a name that is no UTF-8');
    t.equal(find('ünï')?.bytes.toString(), 'y');
    t.equal(sha(find('sparse')?.bytes ?? Buffer.alloc(0)), whole, 'a sparse file has its holes');
  }
});

t.test('names keep their bytes', async (t) => {
  for (const bytes of [[0x61], [0xff], [0x61, 0xc3, 0xa9, 0x80], [0xed, 0xb2, 0x80], [0xf0, 0x9f, 0x98, 0x80, 0xfe], [0xef, 0xbf, 0xbd], [0xc0, 0x80]]) {
    t.same([...encodeName(decodeName(Buffer.from(bytes)))], bytes);
  }
});

t.test('what is written is read by us and by tar', async (t) => {
  const entries: WriteEntry[] = [
    { path: 'd', kind: 'directory', mode: 0o1777, uid: 70_000_000, gid: 3, mtimeNs: 123_456_789n, size: 0 },
    file('d/a', 'content', { xattrs: new Map([['security.capability', Buffer.from([1, 0, 0, 2, 0xff, 10, 0])], ['user.b', Buffer.from('b')]]) }),
    { path: 'd/h', kind: 'hardlink', target: 'd/a', mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, size: 0 },
    { path: 'd/s', kind: 'symlink', target: 'x'.repeat(300), mode: 0o777, uid: 0, gid: 0, mtimeNs: -1_500_000_000n, size: 0 },
    { path: 'd/null', kind: 'character', device: { major: 1, minor: 3 }, mode: 0o666, uid: 0, gid: 0, mtimeNs: 0n, size: 0 },
    file(`${'long/'.repeat(40)}é`, 'deep'),
    file('latin-\udcff', 'bytes'),
    { path: 'gone', kind: 'whiteout', mode: 0, uid: 0, gid: 0, mtimeNs: 0n, size: 0 },
    { path: 'd/empty', kind: 'opaque', mode: 0, uid: 0, gid: 0, mtimeNs: 0n, size: 0 },
  ];
  const bytes = await collect(entries);
  t.equal(bytes.length % 512, 0);
  const back = await readAll(bytes);
  for (const [i, { content: _, ...entry }] of entries.entries()) {
    const { bytes: got, ...read } = back[i] as Read;
    t.same(read, entry, entry.path);
    t.equal(got.length, entry.size);
  }
  const archive = join(folder, 'ours.tar');
  writeFileSync(archive, bytes);
  const listed = execFileSync('tar', ['--quoting-style=literal', '-tf', archive], { encoding: 'latin1' }).split('\n');
  t.ok(listed.includes('.wh.gone') && listed.includes('d/empty/.wh..wh..opq') && listed.includes('latin-\xff') && listed.includes('d/'));
  t.equal(execFileSync('tar', ['-xOf', archive, 'd/a'], { encoding: 'utf8' }), 'content');
  t.ok((await collect(entries)).equals(bytes), 'the same entries give the same bytes');
  t.equal((await readAll(await collect([file('a', 'x')], { epoch: 1000 })))[0]?.mtimeNs, 1_000_000_000_000n);
  const chunks: Uint8Array[] = [];
  const layer = await writeLayer(async (data) => {
    for await (const chunk of data) chunks.push(chunk);
    return { digest: '', size: 0 };
  }, entries);
  t.equal(layer.diffId, `sha256:${sha(bytes)}`);
  t.equal((await readAll(Buffer.concat(chunks))).length, entries.length);
  await t.rejects(collect([file('a', 'x', { size: 2 })]), { code: 'layer-mismatch' });
  await t.rejects(collect([file('a', 'xyz', { size: 2 })]), { code: 'layer-mismatch' });
});

t.test('zstd', { skip: spawnSync('zstd', ['--version']).status === 0 ? false : 'no zstd here to compress with' }, async (t) => {
  const bytes = await collect([file('a', 'text '.repeat(100_000)), file('b', 'more')]);
  const packed = execFileSync('zstd', ['-c'], { input: bytes });
  t.same((await readAll(packed)).map(({ path, size }) => [path, size]), [['a', 500_000], ['b', 4]]);
  const two = Buffer.concat([execFileSync('zstd', ['-c'], { input: bytes.subarray(0, 70_000) }), execFileSync('zstd', ['-c'], { input: bytes.subarray(70_000) })]);
  t.equal((await readAll(two)).length, 2, 'frames one after the other');
  await t.rejects(readAll(packed.subarray(0, packed.length - 20)), { code: 'layer-invalid' });
  const bomb = execFileSync('sh', ['-c', 'head -c 400000000 /dev/zero | zstd -19 -c'], { maxBuffer: 1 << 30 });
  await t.rejects(readAll(bomb, { limits: { bytes: 1_000_000, entries: 10 } }), { name: 'LayerError' });
});

t.test('what is refused', async (t) => {
  const good = await collect([file('a', 'text'), file('b', 'x'.repeat(3000))]);
  const limits = { bytes: 10_000, entries: 100 };
  const refused: Record<string, [bytes: Uint8Array, code: string]> = {
    'a path with ..': [await collect([file('a/../../b', 'x')]), 'layer-escapes'],
    'an absolute path': [await collect([file('/etc/x', 'x')]), 'layer-escapes'],
    'a hard link to ..': [await collect([{ ...file('h', ''), kind: 'hardlink', target: '../../etc/passwd' }]), 'layer-escapes'],
    'a hard link to an absolute path': [await collect([{ ...file('h', ''), kind: 'hardlink', target: '/etc/passwd' }]), 'layer-escapes'],
    'a whiteout of ..': [await collect([file('.wh...', '')]), 'layer-escapes'],
    'cut off': [good.subarray(0, 2500), 'layer-invalid'],
    'cut off in a header': [good.subarray(0, 700 - 512 + 100), 'layer-invalid'],
    'cut off in gzip': [gzipSync(good).subarray(0, 60), 'layer-invalid'],
    'damaged gzip': [Buffer.concat([gzipSync(good).subarray(0, 40), Buffer.alloc(100, 7)]), 'layer-invalid'],
    'a wrong checksum': [Buffer.from(good).fill(1, 3, 4), 'layer-invalid'],
    'no archive at all': [Buffer.alloc(2000, 'text'), 'layer-invalid'],
    'a bomb': [gzipSync(await collect([file('z', '\0'.repeat(2_000_000))])), 'layer-too-large'],
    'many entries': [await collect(Array.from({ length: 15 }, (_, i) => file(`f${i}`, ''))), 'layer-too-large'],
  };
  for (const [what, [bytes, code]] of Object.entries(refused)) {
    await t.rejects(readAll(bytes, { limits: what === 'many entries' ? { bytes: 1e6, entries: 10 } : limits }), { name: 'LayerError', code, message: /^Cannot .*, expected / }, what);
  }
  await t.rejects(readAll(gzipSync(await collect([file('z', '\0'.repeat(2_000_000))])), { floor: 100_000 }), { code: 'layer-too-large', message: /, or 200 times what it is compressed to/ }, 'what grows too much');
  t.equal((await readAll(gzipSync(await collect([file('z', '\0'.repeat(90_000))])), { floor: 100_000 })).length, 1, 'what is small may');
  t.equal((await readAll(await collect([file('/etc/x', 'x')]), { isPlain: true }))[0]?.path, 'etc/x', 'plain archives may be absolute');
  t.same(await readAll(Buffer.alloc(0)), [], 'nothing is an empty layer');
  t.same(await readAll(Buffer.alloc(1024)), []);
});

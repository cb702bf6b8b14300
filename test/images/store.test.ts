/** The image store: names, content, leases, removal, and what is left after sudden ends. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { writeLayer, readLayer } from '../../images/layers/index.ts';
import { checkStore, type Descriptor, formatReference, type ImageConfig, openStore, parsePlatform, parseReference, type Store, withDefaultTag } from '../../images/store/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-store-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const freshStore = () => openStore(join(folder, `s${count++}`, 'images'));

async function makeImage(store: Store, text: string, names: readonly string[], config: Partial<ImageConfig> = {}): Promise<Descriptor> {
  return store.withLease(async (lease) => {
    const bytes = Buffer.from(text);
    const layer = await writeLayer((data) => store.putBlob(lease, data), [{ path: 'a', kind: 'file', mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, size: bytes.length, content: () => [bytes] }]);
    const target = await store.putImage(lease, { config: { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [layer.diffId] }, ...config }, layers: [layer.descriptor] });
    await store.tag(target, names.map(parseReference));
    return target;
  });
}

const blobsOf = (store: Store) => readdirSync(join(store.layout, 'blobs', 'sha256'));

t.test('names are normalised as Docker does', async (t) => {
  const cases: Record<string, [canonical: string, shown: string]> = {
    web: ['docker.io/library/web:latest', 'web:latest'],
    'a/b:1': ['docker.io/a/b:1', 'a/b:1'],
    'localhost/a': ['localhost/a:latest', 'localhost/a:latest'],
    'localhost:5000/a/b:v1.2': ['localhost:5000/a/b:v1.2', 'localhost:5000/a/b:v1.2'],
    'index.docker.io/web': ['docker.io/library/web:latest', 'web:latest'],
    'Host/a': ['Host/a:latest', 'Host/a:latest'],
    '[::1]:5000/a': ['[::1]:5000/a:latest', '[::1]:5000/a:latest'],
    [`web@sha256:${'0'.repeat(64)}`]: [`docker.io/library/web@sha256:${'0'.repeat(64)}`, `web@sha256:${'0'.repeat(64)}`],
  };
  for (const [text, [canonical, shown]] of Object.entries(cases)) {
    const reference = withDefaultTag(parseReference(text));
    t.same([reference.canonical, formatReference(reference)], [canonical, shown], text);
  }
  for (const text of ['', 'Web', 'a b', 'a:b:c', 'web:', '-a', 'a//b', 'a@sha256:12', 'f'.repeat(64), `a:${'t'.repeat(129)}`, 'a__-b/../c', 'x'.repeat(300)]) {
    t.throws(() => parseReference(text), { code: 'reference-invalid' }, text);
  }
  t.same(parsePlatform('x86_64'), { os: 'linux', architecture: 'amd64' });
  t.same(parsePlatform('linux/arm/v7'), { os: 'linux', architecture: 'arm', variant: 'v7' });
  t.throws(() => parsePlatform('linux/a/b/c'), { code: 'reference-invalid' });
});

t.test('an image is found by each of its names', async (t) => {
  const store = freshStore();
  t.same(store.list(), [], 'an absent store is empty');
  const one = await makeImage(store, 'one', ['web', 'example.org/web:1']);
  const two = await makeImage(store, 'two', ['other']);
  const image = store.resolve('web');
  t.equal(image.target.digest, one.digest);
  t.same(image.tags, ['docker.io/library/web:latest', 'example.org/web:1']);
  for (const name of ['docker.io/library/web:latest', 'example.org/web:1', image.id, image.id.slice(7), image.id.slice(7, 20), `web@${one.digest}`, one.digest]) {
    t.equal(store.find(name)?.id, image.id, name);
  }
  t.equal(store.find('web:2'), undefined);
  t.equal(store.find(`other@${one.digest}`), undefined, 'a digest belongs to a repository');
  t.throws(() => store.resolve('none'), { code: 'image-missing' });
  await store.tag(two, [parseReference('web')]);
  t.equal(store.resolve('web').target.digest, two.digest, 'a name moves');
  t.same(store.resolve(image.id).tags, ['example.org/web:1']);
  t.equal(store.list().length, 2);
});

t.test('content is verified', async (t) => {
  const store = freshStore();
  await store.withLease(async (lease) => {
    await t.rejects(store.putBlob(lease, Buffer.from('x'), { digest: `sha256:${'0'.repeat(64)}` }), { code: 'blob-damaged' });
    await t.rejects(store.putBlob(lease, Buffer.from('xyz'), { size: 2 }), { code: 'blob-damaged' });
    await t.rejects(store.putBlob(lease, Buffer.from('xyz'), { size: 4 }), { code: 'blob-damaged' });
  });
  t.same(readdirSync(store.folders.temporary), [], 'nothing is left of what was refused');
  await makeImage(store, 'some text', ['web']);
  const layer = store.resolve('web').manifest.layers[0] as Descriptor;
  const entries = [];
  for await (const entry of readLayer(store.streamBlob(layer))) entries.push(entry.path);
  t.same(entries, ['a']);
  const path = store.pathOfBlob(layer.digest);
  const bytes = readFileSync(path);
  bytes[12] = (bytes[12] as number) ^ 1;
  writeFileSync(path, bytes);
  await t.rejects(async () => {
    for await (const _ of store.streamBlob(layer));
  }, { code: 'blob-damaged' });
  t.match((await checkStore(store)).problems, [{ severity: 'error', text: /web.*digest/ }]);
});

t.test('what nothing needs goes, and nothing else', async (t) => {
  const store = freshStore();
  await makeImage(store, 'same', ['a', 'b']);
  await makeImage(store, 'same', ['c'], { author: 'me' });
  const before = blobsOf(store).length;
  t.equal(before, 5, 'a layer, two configs, two manifests');
  t.same((await store.remove('a')).deleted, []);
  t.equal((await store.remove('b')).deleted.length, 2, 'the layer is c’s, too');
  t.equal(store.find('b'), undefined);
  t.equal(blobsOf(store).length, 3);
  await t.rejects(store.remove('b'), { code: 'image-missing' });
  await makeImage(store, 'other', ['c']);
  t.equal(store.list().length, 2, 'what lost its name dangles');
  t.equal((await store.prune()).deleted.length, 3);
  await store.remove('c');
  t.same(blobsOf(store), []);
  await makeImage(store, 'x', ['a', 'example.org/b']);
  await t.rejects(store.remove(store.resolve('a').id), { code: 'image-in-use' });
  await store.remove(store.resolve('a').id, { force: true });
  t.same(store.list(), []);
});

t.test('a lease protects what has no name yet', async (t) => {
  const store = freshStore();
  const lease = await store.lease();
  const blob = await store.putBlob(lease, Buffer.from('kept'));
  await store.prune();
  t.ok(store.hasBlob(blob));
  // The lease of a process that is no more: its name says so.
  const name = readdirSync(store.folders.leases)[0] as string;
  const dead = join(store.folders.leases, name.replace(/^\d+-\d+/, '999999999-1'));
  writeFileSync(dead, readFileSync(join(store.folders.leases, name)));
  writeFileSync(join(store.folders.temporary, '999999999-1-x0'), 'half');
  t.match((await checkStore(store)).problems, [{ severity: 'note' }, { severity: 'note' }]);
  lease.release();
  (await store.lease()).release();
  t.notOk(store.hasBlob(blob), 'the next writer removes what a killed one left');
  t.same((await checkStore(store)).problems, []);
});

t.test('many at once', async (t) => {
  const store = freshStore();
  await Promise.all(Array.from({ length: 12 }, (_, i) => makeImage(openStore(store.layout), `text ${i}`, [`n${i}`])));
  t.equal(store.list().length, 12);
  t.same((await checkStore(store)).problems, []);
  await Promise.all(Array.from({ length: 12 }, (_, i) => store.remove(`n${i}`)));
  t.same(blobsOf(store), []);
  t.ok(statSync(join(store.layout, 'oci-layout')).size > 0);
});

t.test('a name is never given to what another removed meanwhile', async (t) => {
  const store = freshStore();
  const target = await makeImage(store, 'text', ['a']);
  // The removal has its turn with the lock first.
  const removed = store.remove('a');
  await t.rejects(store.tag(target, [parseReference('b')]), { code: 'blob-missing' });
  await removed;
  t.same(store.entries(), []);
  t.same((await checkStore(store)).problems, []);
});

t.test('a folder that is no layout', async (t) => {
  const store = freshStore();
  mkdirSync(store.layout, { recursive: true });
  writeFileSync(join(store.layout, 'index.json'), '{');
  t.throws(() => store.list(), { code: 'store-invalid', message: /index\.json/ });
});

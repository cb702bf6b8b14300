/** What bad input gets: a full disk, layers that lead out of the root, a store that was damaged: one clear error, and a store as it was. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { openStore, parseReference } from '../../images/store/index.ts';
import { sha, startDouble } from './registry-double.ts';

const hull = resolve('dist/hull');
const folder = mkdtempSync(join(tmpdir(), 'hull-bad-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

interface Result {
  code: number;
  out: string;
  err: string;
}

function call(root: string, args: readonly string[], before: readonly string[] = []): Promise<Result> {
  return new Promise((done) => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: at('home'), HULL_ROOT: at(root) };
    const [program, ...rest] = [...before, hull, ...args];
    const child = execFile(program as string, rest, { env, timeout: 600_000 }, (error, out, err) => done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err }));
    child.stdin?.end();
  });
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

/** An image of these layers in a registry. */
function addTo(double: Awaited<ReturnType<typeof startDouble>>, name: string, layers: readonly Buffer[]): void {
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: layers.map(sha) } }));
  double.addManifest(name, 'latest', MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: double.addBlob(name, config), size: config.length },
    layers: layers.map((layer) => ({ mediaType: LAYER, digest: double.addBlob(name, layer), size: layer.length })),
  });
}

const canMount = process.geteuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;
t.test('a full disk', { skip: canMount ? false : 'not root: no file system of its own can be mounted' }, async (t) => {
  // A small file system that one mount namespace has, held by a shell that waits.
  mkdirSync(at('full'));
  const double = await startDouble();
  const shell = execFile('unshare', ['-m', '--propagation', 'private', 'sh', '-c', `mount -t tmpfs -o size=6m none ${at('full')} && echo ready && exec cat`]);
  t.teardown(() => {
    double.close();
    shell.stdin?.end();
  });
  await new Promise((done) => shell.stdout?.once('data', done));
  const inside = ['nsenter', '-m', '-t', String(shell.pid), '--'];
  const full = (...args: string[]) => call('full', args, inside);

  mkdirSync(at('context'));
  writeFileSync(at('context/small'), 'small');
  writeFileSync(at('context/Dockerfile'), 'FROM scratch\nCOPY small /\n');
  t.match(await full('build', '-q', '-t', 'small', at('context')), { code: 0 }, 'there is room for something small');
  const big = randomBytes(12_000_000);
  addTo(double, 'big', [execFileSync('tar', ['-cf', '-', '-C', at('context'), '.']), big]);
  writeFileSync(at('context/big'), big);
  writeFileSync(at('context/Dockerfile'), 'FROM small\nCOPY big /\n');
  execFileSync('tar', ['-C', at('context'), '-cf', at('big.tar'), '.']);
  // An archive with an image of that size, saved where there is room.
  t.match(await call('roomy', ['import', at('big.tar'), 'big']), { code: 0 });
  t.match(await call('roomy', ['save', '-o', at('saved.tar'), 'big']), { code: 0 });
  execFileSync('cp', [at('big.tar'), at('context')]);
  writeFileSync(at('context/archive'), 'FROM small\nADD big.tar /\n');
  writeFileSync(at('context/download'), `FROM small\nADD http://${double.host}/v2/big/blobs/${sha(big)} /big\n`);
  const list = () => full('images', '--format', '{{.ID}} {{.Repository}}:{{.Tag}}');
  const before = await list();
  for (const [what, args, code] of [
    ['pull', ['pull', '-q', `${double.host}/big`], 125],
    ['build', ['build', '-q', '-t', 'big', at('context')], 1],
    ['build with an archive', ['build', '-q', '-f', at('context/archive'), '-t', 'big', at('context')], 1],
    ['build with a download', ['build', '-q', '-f', at('context/download'), '-t', 'big', at('context')], 1],
    ['import', ['import', at('big.tar'), 'big'], 125],
    ['load', ['load', '-q', '-i', at('saved.tar')], 125],
  ] as const) {
    const { code: found, err } = await full(...args);
    t.equal(found, code, what);
    t.match(err, /^hull: Cannot write ".*": no space left on device, expected .*\n$/, `${what}: one line`);
    t.match(await full('image', 'check'), { code: 0, out: /^1 image, .*nothing wrong\n$/ }, `${what}: the store is whole`);
    t.equal((await list()).out, before.out, `${what}: and as it was`);
  }
  t.match(await full('tag', 'small', 'other'), { code: 0 }, 'it works on');
  const left = spawnSync(inside[0] as string, [...inside.slice(1), 'find', at('full/images.state/tmp'), at('full/cache/build/work'), '-mindepth', '1'], { encoding: 'utf8' });
  t.equal(left.stdout, '', 'nothing half-made is left');
});

t.test('layers that lead out of the root', async (t) => {
  const double = await startDouble();
  t.teardown(() => double.close());
  const outside = at('outside');
  mkdirSync(outside);
  const tar = (make: string, ...args: string[]): Buffer => {
    const source = mkdtempSync(at('source-'));
    execFileSync('sh', ['-c', make], { cwd: source });
    return execFileSync('tar', ['-C', source, '-cPf', '-', ...args]);
  };
  const through = Buffer.concat([tar(`ln -s ${outside} way`, 'way').subarray(0, 512), tar('mkdir way; echo evil >way/file', 'way/file')]);
  const absolute = tar('true', '--transform', `s,.*,${outside}/file,`, '/etc/hostname');
  const images: Record<string, readonly Buffer[]> = {
    up: [tar('echo evil >file', '--transform', `s,^file,../../../../../../..${outside}/file,`, 'file')],
    absolute: [absolute],
    hardlink: [tar('echo evil >file; ln file link', '--transform', `s,^file$,${outside}/../secret,;`, 'file', 'link')],
    through: [through],
    'in-two': [tar(`ln -s ${outside} way`, 'way'), tar('mkdir way; echo evil >way/file', 'way/file')],
    deep: [tar(`mkdir a; ln -s ../../../../../../../../../..${outside} a/way`, 'a/way'), tar('mkdir -p a/way; echo evil >a/way/file', 'a/way/file')],
  };
  writeFileSync(at('secret'), 'secret\n');
  mkdirSync(at('empty'));
  for (const [name, layers] of Object.entries(images)) {
    addTo(double, name, layers);
    writeFileSync(at('empty/Dockerfile'), `FROM ${double.host}/${name}\nCOPY Dockerfile /way/copied\n`);
    const pulled = await call('escape', ['pull', '-q', `${double.host}/${name}`]);
    t.equal(pulled.code, 0, `${name}: a pull does not unpack: ${pulled.err}`);
    const { code, err } = await call('escape', ['build', '-q', '-o', at(`out-${name}`), at('empty')]);
    if (['up', 'absolute', 'hardlink'].includes(name)) {
      t.equal(code, 125, `${name} is refused`);
      t.match(err, /expected/, name);
    } else t.equal(code, 0, `${name} stays within: ${err}`);
    t.same(readdirSync(outside), [], `${name}: nothing outside`);
    t.ok(existsSync(at('secret')));
  }
  const run = await call('escape', ['run', '--accel', 'tcg', `${double.host}/up`, '/file']);
  t.equal(run.code, 125);
  t.match(run.err, /^hull: Cannot .*\.\..*, expected .*\n$/);
});

t.test('a store that was damaged', async (t) => {
  mkdirSync(at('plain'));
  writeFileSync(at('plain/a'), randomBytes(100_000));
  writeFileSync(at('plain/Dockerfile'), 'FROM scratch\nCOPY a /\n');
  t.match(await call('damaged', ['build', '-q', '-t', 'x', at('plain')]), { code: 0 });
  const store = openStore(join(at('damaged'), 'images'));
  const { manifest } = store.resolve('x');
  const layer = store.pathOfBlob(manifest.layers[0]?.digest as string);
  const double = await startDouble();
  t.teardown(() => double.close());
  await store.tag(store.resolve('x').target, [parseReference(`${double.host}/x`)]);
  for (const [what, damage] of [['changed', 'printf X | dd of="$1" bs=1 seek=50 conv=notrunc 2>/dev/null'], ['cut off', 'truncate -s 100 "$1"'], ['gone', 'rm "$1"']] as const) {
    execFileSync('sh', ['-c', damage, 'sh', layer]);
    t.match(await call('damaged', ['image', 'check']), { code: 1, out: /^error: .*\n/ }, what);
    t.match(await call('damaged', ['push', '-q', `${double.host}/x`]), { code: 125, err: /^hull: Cannot read "sha256:.*": .*, expected .*\n$/ }, `${what}: not pushed`);
    t.match(await call('damaged', ['save', '-o', at('never.tar'), 'x']), { code: 125, err: /^hull: Cannot read "sha256:/ }, `${what}: not saved`);
    t.notOk(existsSync(at('never.tar')), 'nor half of it');
  }
  t.notOk(double.manifestsOf('x').has('latest'));
  t.match(await call('damaged', ['rmi', '-f', 'x', `${double.host}/x`]), { code: 0 }, 'it can be removed');
  t.match(await call('damaged', ['image', 'check']), { code: 0 });
});

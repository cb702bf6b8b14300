/** Archives of images: what save writes is loaded by us and by skopeo, docker's older form is loaded, import makes an image; `hull run` of an image. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { openStore, parseReference, type ImageConfig } from '../../images/store/index.ts';

const hull = resolve('dist/hull');
const folder = mkdtempSync(join(tmpdir(), 'hull-archive-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const has = (tool: string) => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0;

function call(root: string, args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((done) => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: folder, HULL_ROOT: join(folder, root), SOURCE_DATE_EPOCH: '1700000000' };
    const child = execFile(hull, args, { env, timeout: 600_000 }, (error, out, err) => done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err }));
    child.stdin?.end();
  });
}

/** A root file system with busybox, as a tar archive. */
function makeRoot(): string {
  const root = join(folder, 'root');
  for (const path of ['bin', 'etc', 'srv/data', 'tmp']) mkdirSync(join(root, path), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const name of ['sh', 'id', 'echo', 'pwd', 'cat']) symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\napp:x:1001:\nextra:x:1005:app\n');
  const archive = join(folder, 'root.tar');
  execFileSync('tar', ['-C', root, '--owner=0', '--group=0', '-cf', archive, '.']);
  return archive;
}

/** An image like another one, with a config of its own. */
async function configure(root: string, from: string, name: string, config: ImageConfig['config']): Promise<void> {
  const store = openStore(join(folder, root, 'images'));
  const image = store.resolve(from);
  await store.withLease(async (lease) => {
    const target = await store.putImage(lease, { config: { ...image.config, ...(config === undefined ? {} : { config }) }, layers: image.manifest.layers });
    await store.tag(target, [parseReference(name)]);
  });
}

t.test('import, run, save, load', async (t) => {
  const imported = await call('a', ['import', '-m', 'by hand', makeRoot(), 'base']);
  t.match(imported, { code: 0, out: /^sha256:[0-9a-f]{64}\n$/ });
  t.equal((await call('a2', ['import', '-m', 'by hand', join(folder, 'root.tar')])).out, imported.out, 'the same archive makes the same image');
  await configure('a', 'base', 'app', {
    Env: ['GREETING=hello', 'PATH=/usr/bin:/bin'],
    Entrypoint: ['sh', '-c'],
    Cmd: ['echo $GREETING $(pwd) $(id -u):$(id -g) $(id -G) $HOME'],
    WorkingDir: '/srv/data',
    User: 'app',
    ExposedPorts: { '80/tcp': {} },
    Labels: { a: 'b' },
  });
  t.match(await call('a', ['run', 'app']), { code: 0, out: 'hello /srv/data 1000:1001 1001 1005 /home/app\n' }, 'what the config says holds');
  const { config } = openStore(join(folder, 'a/images')).resolve('app').config;
  await configure('a', 'base', 'served', { ...config, ExposedPorts: { '80/tcp': {}, '53/udp': {} }, Volumes: { '/srv/kept': {} }, StopSignal: 'SIGQUIT', Healthcheck: { Test: ['CMD', 'check'], Interval: 9e9, Retries: 4 } });
  const created = (await call('a', ['create', '--health-interval', '5s', 'served'])).out.trim();
  const [made] = JSON.parse((await call('a', ['inspect', created])).out) as [{ Config: object; Mounts: object[] }];
  t.match(made.Config, { ExposedPorts: { '80/tcp': {}, '53/udp': {} }, StopSignal: 'SIGQUIT', Labels: { a: 'b' }, Healthcheck: { Test: ['CMD', 'check'], Interval: 5e9, Retries: 4 } }, 'an instance has what the config says');
  t.match(made.Mounts, [{ Type: 'volume', Destination: '/srv/kept' }]);
  const off = (await call('a', ['create', '--no-healthcheck', 'served'])).out.trim();
  t.match(JSON.parse((await call('a', ['inspect', off])).out), [{ Config: { Healthcheck: { Test: ['NONE'] } } }]);
  t.match(await call('a', ['rm', '-v', created, off]), { code: 0 });
  t.match(await call('a', ['run', '-u', '7:8', '-w', '/', '-e', 'GREETING=bye', 'app', 'echo $GREETING $(pwd) $(id -u):$(id -g); exit 3']), { code: 3, out: 'bye / 7:8\n' }, 'options win');
  t.match(await call('a', ['run', '--entrypoint', '/bin/cat', '-u', 'root:extra', 'app', '/etc/group']), { code: 0, out: /^root:x:0/ });
  t.match(await call('a', ['run', 'base']), { code: 125, err: /No command specified/ });
  t.match(await call('a', ['run', 'base', 'nothing']), { code: 127, err: /nothing/ });
  t.match(await call('a', ['run', '-u', 'nobody-here', 'app']), { code: 125, err: /unable to find user nobody-here: no matching entries in passwd file/ });
  t.match(await call('a', ['run', 'No Such Image']), { code: 125, err: /invalid reference format/ });
  t.match(await call('a', ['run', '127.0.0.1:1/none']), { code: 125, err: /Unable to find image '127\.0\.0\.1:1\/none:latest' locally[\s\S]*connection refused/ });

  // Instances know their image, and hold it.
  const id = (await call('a', ['inspect', '--format', '{{.Id}}', 'app'])).out;
  t.match(id, /^sha256:[0-9a-f]{64}\n$/);
  t.match(await call('a', ['create', '--name', 'one', 'app']), { code: 0 });
  t.equal((await call('a', ['inspect', '--format', '{{.Image}}', 'one'])).out, id);
  t.match(await call('a', ['rmi', 'app']), { code: 1, err: /conflict: unable to remove repository reference "app" \(must be forced\).*stopped container/ });
  t.match(await call('a', ['image', 'prune', '-a']), { code: 0, out: /untagged: docker\.io\/library\/base:latest/ }, 'what no instance needs goes');
  t.match(await call('a', ['rm', 'one']), { code: 0 });
  t.match(await call('a', ['import', '-m', 'by hand', join(folder, 'root.tar'), 'base']), { code: 0 });

  const archive = join(folder, 'saved.tar');
  t.match(await call('a', ['save', '-o', archive, 'app', 'base']), { code: 0, out: '', err: '' });
  const again = join(folder, 'again.tar');
  await call('a', ['save', '-o', again, 'app', 'base']);
  t.ok(readFileSync(archive).equals(readFileSync(again)), 'the same bytes');
  t.match(await call('b', ['load', '-i', archive]), { code: 0, out: 'Loaded image: app:latest\nLoaded image: base:latest\n' });
  const ids = (root: string) => call(root, ['images', '--no-trunc', '--format', '{{.Repository}} {{.ID}}']);
  t.same((await ids('b')).out.split('\n').sort(), (await ids('a')).out.split('\n').sort());
  t.match(await call('b', ['image', 'check']), { code: 0, out: /nothing wrong/ });
  if (has('skopeo')) {
    const one = join(folder, 'one.tar');
    await call('a', ['save', '-o', one, 'app']);
    execFileSync('skopeo', ['copy', '-q', `docker-archive:${one}`, `docker-archive:${join(folder, 'docker.tar')}:app:two`]);
    t.match(await call('b', ['load', '-i', join(folder, 'docker.tar')]), { code: 0, out: 'Loaded image: app:two\n' }, "docker's older form");
    t.match(await call('b', ['run', 'app:two']), { code: 0, out: /^hello/ });
    execFileSync('skopeo', ['copy', '-q', `oci-archive:${one}`, `oci-archive:${join(folder, 'oci.tar')}:app:three`]);
    t.match(await call('b', ['load', '-i', join(folder, 'oci.tar')]), { code: 0, out: 'Loaded image: app:three\n' });
  } else t.comment('skipped: no skopeo here');
  for (const [what, bytes] of [['no archive', Buffer.from('text')], ['one that is cut off', readFileSync(archive).subarray(0, 100_000)], ['an empty one', Buffer.alloc(1024)]] as const) {
    writeFileSync(join(folder, 'bad.tar'), bytes);
    t.match(await call('c', ['load', '-i', join(folder, 'bad.tar')]), { code: 125, err: /^hull: Cannot .*, expected .*\n$/ }, what);
  }
  t.match(await call('c', ['images', '-q']), { code: 0, out: '' }, 'a store as it was');
});

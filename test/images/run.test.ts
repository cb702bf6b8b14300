/** What an image's config asks for in a run: volumes, ports, users; in the foreground and of an instance. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';
import { waitUntil } from '../wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-image-run-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const hull = join(findCheckout(), 'dist/hull');
const envOf = (root: string): NodeJS.ProcessEnv => ({ ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, root) });
const start = (args: readonly string[], root = 'state') => execa(hull, args, { env: envOf(root), extendEnv: false, reject: false, input: '', timeout: 600_000 });
const volumes = () => (existsSync(join(folder, 'state/volumes')) ? readdirSync(join(folder, 'state/volumes')).filter((name) => !name.startsWith('.')) : []);

t.setTimeout(900_000);

t.test('an image with volumes, ports and a user', async (t) => {
  const context = join(folder, 'context');
  mkdirSync(context);
  execFileSync('cp', ['/bin/busybox', context]);
  writeFileSync(join(context, 'passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/data:/bin/sh\n');
  writeFileSync(join(context, 'index.html'), 'seed\n');
  writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY busybox /bin/\nCOPY passwd /etc/\nCOPY --chown=1000:1001 --chmod=640 index.html /data/sub/\nVOLUME /data /empty/\nEXPOSE 8080 8081/udp\nUSER app\nENTRYPOINT ["/bin/busybox"]\nCMD ["httpd", "-f", "-p", "8080", "-h", "/data/sub"]\n');
  for (const [name, ...more] of [['app'], ['app-with-kernel', '--label', 'hull.kernel=layer']]) {
    const { exitCode, stderr } = await start(['build', '-q', '-t', name as string, ...more, context]);
    t.equal(exitCode, 0, stderr);
  }

  const script = 'id -u; cat /data/sub/index.html; stat -c "%a %u:%g" /data/sub/index.html; echo x >/data/sub/new && ls /empty && grep -c "^9p /[de]" /proc/mounts';
  const plain = await start(['run', 'app', 'sh', '-c', script]);
  t.match(plain, { exitCode: 0, stdout: '1000\nseed\n640 1000:1001\n2' }, plain.stderr);
  t.strictSame(volumes(), [], 'nothing is left of the volumes of a run in the foreground');
  const named = await start(['run', '-v', 'kept:/data', '--tmpfs', '/empty', 'app', 'sh', '-c', script]);
  t.match(named, { exitCode: 0, stdout: '1000\nseed\n640 1000:1001\n1' }, 'what is mounted there by an option is there alone');
  t.strictSame(volumes(), ['kept']);

  const serving = start(['run', '-P', 'app']);
  let said = '';
  const isSaid = new Promise<void>((resolve) => void serving.stderr?.on('data', (bytes: Buffer) => { said += bytes; if (/8081\/udp -> /.test(said)) resolve(); }));
  await Promise.race([isSaid, serving]);
  const port = /8080\/tcp -> \S*:(\d+)/.exec(said)?.[1];
  t.ok(port, `-P publishes what the image names: ${said}`);
  let answer = '';
  for (let i = 0; i < 600 && answer === ''; i++) {
    answer = await fetch(`http://127.0.0.1:${port}/index.html`, { signal: AbortSignal.timeout(5000) }).then((response) => response.text(), () => '');
    if (answer === '') await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.equal(answer, 'seed\n');
  serving.kill('SIGTERM');
  await serving;
  t.strictSame(volumes(), ['kept'], 'nor of one that a signal ended');

  const bound = await start(['run', '-d', '-P', '-p', '127.0.0.1::8080', '--expose', '90-91', '--name', 'bound', 'app']);
  t.equal(bound.exitCode, 0, bound.stderr);
  await start(['create', '--name', 'other', '-u', '7:8', 'app']);
  const ports = (await start(['port', 'bound'])).stdout.split('\n').map((line) => line.replace(/ ->.*/, ''));
  t.strictSame([...new Set(ports)].sort(), ['8080/tcp', '8081/udp', '90/tcp', '91/tcp']);
  t.equal(ports.filter((port) => port === '8080/tcp').length, 1, 'a port that is bound by -p is not bound twice');
  const { stdout } = await start(['inspect', 'bound', 'other']);
  const shown = JSON.parse(stdout) as { Config: { User: string } }[];
  t.strictSame(shown.map(({ Config }) => Config.User), ['app', '7:8'], 'users as they were written');
  t.equal(volumes().length, 5);
  await start(['rm', '-f', '-v', 'bound', 'other']);
  t.strictSame(volumes(), ['kept']);

  // A program that sees no files goes without.
  const linked = join(folder, 'linked');
  mkdirSync(linked);
  writeFileSync(join(linked, 'hello.c'), '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n');
  t.equal((await start(['cc', '-Os', '-o', join(linked, 'hello'), join(linked, 'hello.c')])).exitCode, 0);
  writeFileSync(join(linked, 'Dockerfile'), 'FROM scratch\nCOPY hello /\nVOLUME /data\nLABEL hull.kernel=linked\nENTRYPOINT ["/hello"]\n');
  t.equal((await start(['build', '-q', '-t', 'linked', linked])).exitCode, 0);
  t.match(await start(['run', 'linked']), { exitCode: 0, stdout: 'hello' });
  t.match(await start(['run', '-v', 'kept:/data', 'linked']), { exitCode: 125, stderr: /its image was built without mounts/ }, 'but what was asked for is refused');

  // A machine that is killed while it fills a volume.
  const many = join(folder, 'many');
  mkdirSync(join(many, 'files'), { recursive: true });
  execFileSync('cp', ['/bin/busybox', many]);
  for (let i = 0; i < 800; i++) writeFileSync(join(many, 'files', String(i)), 'content');
  writeFileSync(join(many, 'Dockerfile'), 'FROM scratch\nCOPY busybox /bin/\nCOPY files /data/\nENTRYPOINT ["/bin/busybox", "sh", "-c", "busybox cat /data/* | busybox wc -c; busybox ls -a /data | busybox grep -c hull"]\n');
  t.equal((await start(['build', '-q', '-t', 'many', many])).exitCode, 0);
  for (const [kind, options] of [['directory', ['-v', 'half:/data']], ['file', ['-v', 'block:/data']]] as const) {
    if (kind === 'file') t.equal((await start(['volume', 'create', '-d', 'block', '-o', 'size=64m', 'block'])).exitCode, 0);
    const filling = start(['run', ...options, 'many']);
    const isEnded = filling.then(() => true);
    const data = join(folder, 'state/volumes/half/_data');
    if (kind === 'directory') while (!(existsSync(data) && readdirSync(data).length > 2) && !(await Promise.race([isEnded, new Promise<boolean>((resolve) => setTimeout(resolve, 2, false))])));
    else await Promise.race([isEnded, new Promise((resolve) => setTimeout(resolve, 1500))]);
    filling.kill('SIGKILL');
    await filling;
    await waitUntil('its machine is gone', () => !execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).includes(join(folder, 'state/volumes')));
    if (kind === 'directory') t.comment(`${readdirSync(data).length} of 800 files when it was killed`);
    const whole = await start(['run', ...options, 'many']);
    t.equal(whole.stdout, '5600\n0', `a ${kind} is whole after the next start: ${whole.stderr}`);
  }

  // A state that has never linked anything.
  const archive = join(folder, 'app.tar');
  t.equal((await start(['save', '-o', archive, 'app-with-kernel'])).exitCode, 0);
  t.equal((await start(['load', '-q', '-i', archive], 'fresh')).exitCode, 0);
  const fresh = await start(['run', '--verbose', 'app-with-kernel', 'cat', '/data/sub/index.html'], 'fresh');
  t.match(fresh, { exitCode: 0, stdout: /seed/ }, fresh.stderr);
  t.match(fresh.stderr, /image \S*layer-[0-9a-f]{64}/, 'the kernel that the image brings serves with its volumes, too');
});

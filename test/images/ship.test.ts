/** Build, push, pull into a store that has nothing, run: by way of Debian's docker-registry, plain, with TLS and with a password; and images that buildah and skopeo put there. */
import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import { openStore } from '../../images/store/index.ts';
import { findCheckout } from '../boot/guest/build.ts';
import { makeSecureSettings, startDockerRegistry } from './docker-registry.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-ship-'));
const running: ChildProcess[] = [];
t.teardown(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
const hull = join(findCheckout(), 'dist/hull');
const call = (root: string, args: readonly string[], input = '') =>
  execa(hull, args, { env: { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, root), DOCKER_CONFIG: join(folder, 'docker') }, extendEnv: false, reject: false, input, timeout: 600_000 });
const missing = (...tools: string[]) => tools.find((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
const absent = missing('docker-registry', 'openssl', 'htpasswd');
const DOCKERFILE = 'FROM scratch\nCOPY busybox /bin/\nENV GREETING="hello there"\nWORKDIR /w\nUSER 5:6\nENTRYPOINT ["/bin/busybox", "sh", "-c"]\nCMD ["echo $GREETING; pwd; busybox id -u; exit 3"]\n';
const OUTPUT = { exitCode: 3, stdout: 'hello there\n/w\n5' };

t.setTimeout(900_000);

t.test('shipped by a registry', { skip: absent === undefined ? false : `no ${absent} here` }, async (t) => {
  const { tls, authentication } = makeSecureSettings(folder, 'me', 's:ecret');
  const hosts: Record<string, string> = {};
  for (const [name, settings] of [['plain', ''], ['tls', tls], ['password', authentication], ['both', `${tls}${authentication}`]] as const) {
    const { host, child } = await startDockerRegistry(folder, name, settings);
    running.push(child);
    hosts[name] = host;
  }
  const context = join(folder, 'context');
  mkdirSync(context);
  execFileSync('cp', ['/bin/busybox', context]);
  writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
  /** Pulls into a store of its own, and runs. */
  const pullAndRun = async (t: Test, root: string, name: string) => {
    const pulled = await call(root, ['pull', '-q', name]);
    t.equal(pulled.exitCode, 0, pulled.stderr);
    const ran = await call(root, ['run', '--accel', 'tcg', name]);
    t.match(ran, OUTPUT, `${name}: ${ran.stderr}`);
    return openStore(join(folder, root, 'images')).resolve(name).target.digest;
  };

  const built = await call('maker', ['build', '-q', ...Object.values(hosts).flatMap((host) => ['-t', `${host}/app:1`]), context]);
  t.equal(built.exitCode, 0, built.stderr);
  const { digest } = openStore(join(folder, 'maker/images')).resolve(`${hosts['plain']}/app:1`).target;
  for (const [kind, host] of Object.entries(hosts)) {
    await t.test(kind, async (t) => {
      const needsPassword = kind === 'password' || kind === 'both';
      if (needsPassword) {
        t.match(await call('maker', ['push', '-q', `${host}/app:1`]), { exitCode: 125, stderr: /hull login/ });
        t.match(await call('maker', ['login', '-u', 'me', '--password-stdin', host], 's:ecret\n'), { exitCode: 0 });
      }
      const pushed = await call('maker', ['push', '-q', `${host}/app:1`]);
      t.equal(pushed.exitCode, 0, pushed.stderr);
      t.equal(await pullAndRun(t, `fresh-${kind}`, `${host}/app:1`), digest, 'the image that was pushed');
    });
  }
  const plain = hosts['plain'] as string;

  const noSkopeo = missing('skopeo');
  await t.test('skopeo: ours out, back, and to another registry; its own images', { skip: noSkopeo === undefined ? false : 'no skopeo here' }, async (t) => {
    const skopeo = (...args: string[]) => execFileSync('skopeo', ['--insecure-policy', 'copy', '-q', ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
    mkdirSync(join(folder, 'cert'));
    execFileSync('cp', [join(folder, 'ca.crt'), join(folder, 'cert')]);
    skopeo('--src-tls-verify=false', `docker://${plain}/app:1`, `oci:${join(folder, 'away')}:x`);
    skopeo('--dest-cert-dir', join(folder, 'cert'), '--dest-creds', 'me:s:ecret', `oci:${join(folder, 'away')}:x`, `docker://${hosts['both']}/returned:1`);
    t.equal((JSON.parse(readFileSync(join(folder, 'away/index.json'), 'utf8')) as { manifests: { digest: string }[] }).manifests[0]?.digest, digest, 'out of a registry unchanged');
    t.equal(await pullAndRun(t, 'fresh-returned', `${hosts['both']}/returned:1`), digest, 'and into another');
    skopeo('--dest-tls-verify=false', '--format', 'v2s2', `oci:${join(folder, 'away')}:x`, `docker://${plain}/schema2:1`);
    await pullAndRun(t, 'fresh-schema2', `${plain}/schema2:1`);
  });

  const noBuildah = missing('buildah') ?? (process.getuid?.() === 0 ? undefined : 'root');
  await t.test('an image that buildah built and pushed', { skip: noBuildah === undefined ? false : `no ${noBuildah} here` }, async (t) => {
    const storage = ['--root', join(folder, 'buildah'), '--runroot', join(folder, 'buildah-run'), '--storage-driver', 'vfs'];
    const buildah = (...args: string[]) => execFileSync('buildah', [...storage, ...args], { stdio: 'pipe', cwd: context });
    buildah('bud', '--isolation', 'chroot', '-t', 'theirs', '.');
    buildah('push', '--tls-verify=false', 'theirs', `docker://${plain}/theirs:1`);
    buildah('push', '--tls-verify=false', '--format', 'v2s2', 'theirs', `docker://${plain}/theirs:2`);
    for (const tag of ['1', '2']) await pullAndRun(t, `fresh-theirs-${tag}`, `${plain}/theirs:${tag}`);
  });
});

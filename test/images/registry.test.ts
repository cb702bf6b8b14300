/** Registries: Debian's docker-registry with and without TLS and authentication, skopeo as a second client, and a registry that misbehaves. */
import { type ChildProcess, execFile, execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { writeLayer } from '../../images/layers/index.ts';
import { makeSecureSettings, startDockerRegistry } from './docker-registry.ts';
import { killAtRandom } from './sudden-ends.ts';
import { openStore, parseReference } from '../../images/store/index.ts';

const hull = resolve('dist/hull');
const folder = mkdtempSync(join(tmpdir(), 'hull-registry-'));
const running: ChildProcess[] = [];
t.teardown(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
const has = (tool: string) => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0;

interface Result {
  code: number;
  out: string;
  err: string;
}

function call(root: string, args: readonly string[], options: { env?: Record<string, string>; input?: string } = {}): Promise<Result> {
  return new Promise((done) => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: join(folder, 'home'), HULL_ROOT: join(folder, root), ...options.env };
    const child = execFile(hull, args, { env, timeout: 600_000 }, (error, out, err) => done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err }));
    child.stdin?.end(options.input ?? '');
  });
}

const storeOf = (root: string) => openStore(join(folder, root, 'images'));

async function addImage(root: string, name: string, content: Buffer): Promise<string> {
  const store = storeOf(root);
  return store.withLease(async (lease) => {
    const layer = await writeLayer((bytes) => store.putBlob(lease, bytes), [{ path: 'data', kind: 'file', mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, size: content.length, content: () => [content] }]);
    const shared = await writeLayer((bytes) => store.putBlob(lease, bytes), [{ path: 'shared', kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, size: 0 }]);
    const target = await store.putImage(lease, { config: { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [shared.diffId, layer.diffId] } }, layers: [shared.descriptor, layer.descriptor] });
    await store.tag(target, [parseReference(name)]);
    return target.digest;
  });
}

async function startRegistry(name: string, more: string): Promise<string> {
  const { host, child } = await startDockerRegistry(folder, name, more);
  running.push(child);
  return host;
}

t.test('docker-registry', { skip: has('docker-registry') ? false : 'no docker-registry here' }, async (t) => {
  const host = await startRegistry('plain', '');
  const digest = await addImage('a', `${host}/one/app:1`, randomBytes(300_000));
  const pushed = await call('a', ['push', `${host}/one/app:1`]);
  t.match(pushed, { code: 0, out: new RegExp(`1: digest: ${digest} size: \\d+`) });
  t.match(await call('a', ['push', `${host}/one/app:1`]), { code: 0, out: /Layer already exists/ }, 'a second push sends nothing');
  await call('a', ['tag', `${host}/one/app:1`, `${host}/two/app`]);
  t.match(await call('a', ['push', `${host}/two/app`]), { code: 0, out: /Mounted/ }, 'layers of another repository are mounted');

  const pulled = await call('b', ['pull', `${host}/one/app:1`]);
  t.match(pulled, { code: 0, out: /Pull complete[\s\S]*Status: Downloaded newer image for/ });
  t.equal(storeOf('b').resolve(`${host}/one/app:1`).target.digest, digest);
  t.match(await call('b', ['pull', `${host}/one/app@${digest}`]), { code: 0, out: /Status: (Image is up to date|Downloaded newer image)/ });
  t.match(await call('b', ['image', 'check']), { code: 0, out: /nothing wrong/ });
  t.match(await call('b', ['images', '--digests', '--format', '{{.Repository}}:{{.Tag}} {{.Digest}}']), { out: `${host}/one/app:1 ${digest}\n` });
  t.match(await call('b', ['pull', `${host}/one/app:none`]), { code: 125, err: /^hull: manifest for .*none not found: .*manifest unknown/ });
  t.match(await call('b', ['pull', `${host}/one/app:1`, '--platform', 'linux/s390x']), { code: 0 }, 'one manifest without an index is what there is');
  t.match(await call('b', ['manifest', 'inspect', `${host}/one/app:1`]), { code: 0, out: /"layers"/ });

  if (has('skopeo')) {
    const away = join(folder, 'away');
    execFileSync('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${host}/one/app:1`, `oci:${away}:x`]);
    const index = JSON.parse(readFileSync(join(away, 'index.json'), 'utf8')) as { manifests: { digest: string }[] };
    t.equal(index.manifests[0]?.digest, digest, 'skopeo copies ours unchanged');
    execFileSync('skopeo', ['copy', '-q', '--dest-tls-verify=false', `oci:${join(folder, 'a', 'images')}:${host}/one/app:1`, `docker://${host}/three:s`]);
    t.match(await call('c', ['pull', `${host}/three:s`]), { code: 0, out: new RegExp(digest) }, 'and back');
    execFileSync('skopeo', ['copy', '-q', '--dest-tls-verify=false', '--format', 'v2s2', `oci:${away}:x`, `docker://${host}/four:v2s2`]);
    t.match(await call('c', ['pull', `${host}/four:v2s2`]), { code: 0 }, "Docker's schema 2");
    execFileSync('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${host}/four:v2s2`, `oci:${join(folder, 'c', 'images')}:from-skopeo:1`]);
    t.match(await call('c', ['image', 'check']), { code: 0, out: /nothing wrong/ }, 'a store into which skopeo wrote');
    t.match(await call('c', ['images', '-q', 'from-skopeo']), { code: 0, out: /^[0-9a-f]{12}\n$/ });
  } else t.comment('skipped: no skopeo here');

  // Sudden ends; 200 of them: node tools/run.mjs test/images/run-sudden-ends.ts
  const archive = join(folder, 'a.tar');
  t.match(await call('a', ['save', '-o', archive, `${host}/one/app:1`]), { code: 0 });
  t.same(await killAtRandom({ hull, root: join(folder, 'b'), home: folder, registry: host, name: `${host}/one/app:1`, archive, count: 10 }), [], 'kill -9 leaves a store that works');

  // Removal leaves what others need.
  t.match(await call('a', ['rmi', `${host}/two/app`]), { code: 0, out: /Untagged/ });
  t.match(await call('a', ['image', 'check']), { code: 0, out: /nothing wrong/ });
  t.match(await call('a', ['rmi', 'nothing']), { code: 1, err: /No such image: nothing/ });
});

t.test('TLS with a CA of its own, and basic authentication', { skip: has('docker-registry') && has('openssl') && has('htpasswd') ? false : 'no docker-registry, openssl or htpasswd here' }, async (t) => {
  const at = (name: string) => join(folder, name);
  const { tls, authentication } = makeSecureSettings(folder, 'me', 's:ecret');
  const host = await startRegistry('secure', `${tls}${authentication}`);
  const env = { DOCKER_CONFIG: at('docker') };
  await addImage('s', `${host}/app`, randomBytes(5000));
  t.match(await call('s', ['push', `${host}/app`], { env }), { code: 125, err: /denied|login/ });
  t.match(await call('s', ['login', '-u', 'me', '--password-stdin', host], { env, input: 'wrong\n' }), { code: 125, err: /incorrect username or password/ });
  t.match(await call('s', ['login', '-u', 'me', '--password-stdin', host], { env, input: 's:ecret\n' }), { code: 0, out: 'Login Succeeded\n' });
  t.match(await call('s', ['push', `${host}/app`], { env }), { code: 0, out: /digest: sha256/ });
  t.match(await call('s2', ['pull', `${host}/app`], { env }), { code: 0, out: /Status: Downloaded/ });
  t.match(await call('s', ['logout', host], { env }), { code: 0, out: /Removing login credentials/ });
  t.match(await call('s3', ['pull', `${host}/app`], { env }), { code: 125, err: /hull login/ });
  // Credential helpers: the protocol of docker-credential-*.
  mkdirSync(at('bin'));
  writeFileSync(at('bin/docker-credential-test'), `#!/bin/sh\nread server\n[ "$1" = get ] && [ "$server" = "${host}" ] && echo '{"Username":"me","Secret":"s:ecret"}' && exit 0\necho credentials not found in native keychain; exit 1\n`, { mode: 0o755 });
  mkdirSync(at('helped'));
  writeFileSync(at('helped/config.json'), JSON.stringify({ credHelpers: { [host]: 'test' } }));
  t.match(await call('s4', ['pull', `${host}/app`], { env: { DOCKER_CONFIG: at('helped'), PATH: `${at('bin')}:${process.env['PATH']}` } }), { code: 0 });
  // A host that is not loopback has to have a certificate that holds: here only certs.d says so. There is no name server in the test: the check of the chain alone is ours.
  mkdirSync(join(folder, 's5', 'certs.d', host), { recursive: true });
  writeFileSync(join(folder, 's5', 'certs.d', host, 'ca.crt'), readFileSync(at('ca.crt')));
  t.match(await call('s5', ['pull', `${host}/app`], { env: { DOCKER_CONFIG: at('helped'), PATH: `${at('bin')}:${process.env['PATH']}` } }), { code: 0 });
});

const sha = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

t.test('a registry that misbehaves', async (t) => {
  const layer = randomBytes(200_000);
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [sha(layer)] } }));
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: type, config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha(config), size: config.length }, layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha(layer), size: layer.length }] }),
  );
  type Handler = (request: IncomingMessage, response: ServerResponse) => boolean;
  let misbehave: Handler = () => false;
  const seen: string[] = [];
  const other = createServer((request, response) => {
    seen.push(String(request.headers.authorization ?? 'none'));
    response.end(layer);
  });
  const server = createServer((request, response) => {
    if (misbehave(request, response)) return;
    const url = request.url ?? '';
    if (url === '/v2/') response.end('{}');
    else if (url.includes('/manifests/')) response.writeHead(200, { 'content-type': type, 'docker-content-digest': sha(manifest) }).end(manifest);
    else if (url.endsWith(sha(config))) response.end(config);
    else if (url.endsWith(sha(layer))) {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.writeHead(from === 0 ? 200 : 206, { 'content-length': layer.length - from }).end(layer.subarray(from));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  await new Promise<void>((done) => void other.listen(0, '127.0.0.1', done));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
    other.closeAllConnections();
    other.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const isLayer = (request: IncomingMessage) => (request.url ?? '').endsWith(sha(layer));
  const env = { HULL_REGISTRY_TIMEOUT: '60' };
  const cases: Record<string, [handler: Handler, expected: RegExp]> = {
    'a layer with another digest': [(request, response) => isLayer(request) && !!response.end(randomBytes(layer.length)), /digest/],
    'a layer that is longer': [(request, response) => isLayer(request) && !!response.end(Buffer.concat([layer, layer])), /more than 200000 bytes/],
    'a layer that is shorter': [(request, response) => isLayer(request) && !!response.writeHead(200).end(layer.subarray(0, 1000)), /1000 of 200000 bytes|digest|bytes/],
    'a manifest with another digest': [
      (request, response) => (request.url ?? '').includes('/manifests/') && !!response.writeHead(200, { 'content-type': type, 'docker-content-digest': sha(layer) }).end(manifest),
      /digest/,
    ],
    'a manifest that is none': [(request, response) => (request.url ?? '').includes('/manifests/') && !!response.writeHead(200, { 'content-type': type }).end('{"schemaVersion":2}'), /descriptor/],
    'an index without our platform': [
      (request, response) =>
        (request.url ?? '').includes('/manifests/') &&
        !!response
          .writeHead(200, { 'content-type': 'application/vnd.oci.image.index.v1+json' })
          .end(JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType: type, digest: sha(manifest), size: manifest.length, platform: { os: 'linux', architecture: 's390x' } }] })),
      /no matching manifest for linux\/amd64.*linux\/s390x/,
    ],
    'an error': [(request, response) => isLayer(request) && !!response.writeHead(404).end('{"errors":[{"code":"BLOB_UNKNOWN","message":"not here"}]}'), /blob unknown: not here/],
    'a stall': [(request, response) => isLayer(request) && !!response.writeHead(200, { 'content-length': layer.length }).write(layer.subarray(0, 100)), /no progress for 2 s/],
    'redirects without an end': [(request, response) => isLayer(request) && !!response.writeHead(307, { location: request.url }).end(), /redirects/],
    'a redirect to a file': [(request, response) => isLayer(request) && !!response.writeHead(307, { location: 'file:///etc/passwd' }).end(), /HTTPS/],
  };
  for (const [what, [handler, expected]] of Object.entries(cases)) {
    misbehave = handler;
    const result = await call('bad', ['pull', `${host}/app`], { env: what === 'a stall' ? { HULL_REGISTRY_TIMEOUT: '2' } : env });
    t.equal(result.code, 125, what);
    t.match(result.err, expected, what);
    t.match(result.err, /^hull: .*, expected .*\n$/, `${what}: one line`);
    t.same(storeOf('bad').entries(), [], `${what}: no name`);
  }
  await call('bad', ['image', 'prune']);
  t.same(readdirSync(join(folder, 'bad', 'images.state', 'tmp')), [], 'nothing half-made is left');

  let breaks = 3;
  misbehave = (request, response) => {
    if (!isLayer(request) || breaks-- <= 0) return false;
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from === 0 ? 200 : 206, { 'content-length': layer.length - from });
    response.write(layer.subarray(from, from + 40_000), () => response.destroy());
    return true;
  };
  t.match(await call('good', ['pull', `${host}/app`], { env }), { code: 0 }, 'a download that breaks goes on');
  let refusals = 2;
  misbehave = (request, response) => isLayer(request) && refusals-- > 0 && !!response.writeHead(503).end();
  t.match(await call('good2', ['pull', `${host}/app`], { env }), { code: 0 }, 'a registry that is busy is asked again');

  // Credentials do not follow a redirect to somebody else.
  mkdirSync(join(folder, 'basic'));
  writeFileSync(join(folder, 'basic', 'config.json'), JSON.stringify({ auths: { [host]: { auth: Buffer.from('me:secret').toString('base64') } } }));
  misbehave = (request, response) => {
    if (request.headers.authorization === undefined) return !!response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return isLayer(request) && !!response.writeHead(307, { location: `http://127.0.0.1:${(other.address() as AddressInfo).port}/blob` }).end();
  };
  t.match(await call('good3', ['pull', `${host}/app`], { env: { ...env, DOCKER_CONFIG: join(folder, 'basic') } }), { code: 0 });
  t.same(seen, ['none'], 'the other host saw no credentials');
  t.match(await call('good3', ['pull', '127.0.0.1:1/app'], { env }), { code: 125, err: /connection refused/ });
});

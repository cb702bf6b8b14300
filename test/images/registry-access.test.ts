/** How registries are reached: tokens, proxies, certificates, mirrors; uploads that are cut or too large; referrers; search. Against registries in memory (registry-double.ts). */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import t from 'tap';
import { findProxy } from '../../images/registry/proxy.ts';
import { writeLayer } from '../../images/layers/index.ts';
import { openStore, parseReference } from '../../images/store/index.ts';
import { sha, startDouble, startProxy, startTokenServer } from './registry-double.ts';

const hull = resolve('dist/hull');
const folder = mkdtempSync(join(tmpdir(), 'hull-access-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

interface Result {
  code: number;
  out: string;
  err: string;
}

function call(root: string, args: readonly string[], env: Record<string, string> = {}, input = ''): Promise<Result> {
  return new Promise((done) => {
    const all = { PATH: process.env['PATH'] ?? '', HOME: at('home'), HULL_ROOT: at(root), HULL_REGISTRY_TIMEOUT: '60', ...env };
    const child = execFile(hull, args, { env: all, timeout: 600_000 }, (error, out, err) => done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err }));
    child.stdin?.end(input);
  });
}

const storeOf = (root: string) => openStore(join(folder, root, 'images'));

async function addImage(root: string, name: string, content: Buffer = randomBytes(1000)): Promise<{ digest: string; layer: string }> {
  const store = storeOf(root);
  return store.withLease(async (lease) => {
    const layer = await writeLayer((bytes) => store.putBlob(lease, bytes), [{ path: 'data', kind: 'file', mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, size: content.length, content: () => [content] }]);
    const target = await store.putImage(lease, { config: { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [layer.diffId] } }, layers: [layer.descriptor] });
    await store.tag(target, [parseReference(name)]);
    return { digest: target.digest, layer: layer.descriptor.digest };
  });
}

function writeConfig(name: string, value: object): Record<string, string> {
  mkdirSync(at(name), { recursive: true });
  writeFileSync(join(at(name), 'config.json'), JSON.stringify(value));
  return { DOCKER_CONFIG: at(name) };
}

const auth = (user: string, password: string) => ({ auth: Buffer.from(`${user}:${password}`).toString('base64') });

t.test('tokens', async (t) => {
  const tokens = await startTokenServer({ me: 'secret', other: 'secret' }, (user, name, action) => (name === 'repository:public/app' && action === 'pull') || (user === 'me' && name !== 'repository:closed/app') || (user === 'other' && name === 'repository:their/app'), { 'refresh-me': 'me' });
  const double = await startDouble({ tokens });
  t.teardown(() => [tokens, double].forEach((each) => void each.close()));
  const env = { DOCKER_CONFIG: at('config') };
  const { layer, digest } = await addImage('a', `${double.host}/public/app`);
  t.match(await call('a', ['push', `${double.host}/public/app`], env), { code: 125, err: /may require 'hull login'/ }, 'nobody in particular does not push');
  t.match(await call('a', ['login', '-u', 'me', '--password-stdin', double.host], env, 'wrong'), { code: 125, err: /incorrect username or password/ });
  t.match(await call('a', ['login', '-u', 'me', '--password-stdin', double.host], env, 'secret'), { code: 0, out: 'Login Succeeded\n' });
  t.match(await call('a', ['push', `${double.host}/public/app`], env), { code: 0, out: new RegExp(digest) });
  tokens.log.length = 0;
  t.match(await call('b', ['pull', `${double.host}/public/app`]), { code: 0 }, 'and pulls');
  t.same(tokens.log, ['GET  repository:public/app:pull'], 'with one token for all, and no name');

  // A mount reads in one repository and writes in another.
  await call('a', ['tag', `${double.host}/public/app`, `${double.host}/mine/app`], env);
  t.match(await call('a', ['push', `${double.host}/mine/app`], env), { code: 0, out: /Mounted/ });
  t.ok(double.log.some((line) => line.includes(`mount=${encodeURIComponent(layer)}&from=public%2Fapp`)));
  // Who may write but not read there sends it.
  const theirs = writeConfig('theirs', { auths: { [double.host]: auth('other', 'secret') } });
  await addImage('c', `${double.host}/closed/app`);
  const store = storeOf('c');
  const { target } = store.resolve(`${double.host}/closed/app`);
  await store.tag(target, [parseReference(`${double.host}/closed/app@${target.digest}`), parseReference(`${double.host}/their/app`)]);
  const sent = await call('c', ['push', `${double.host}/their/app`], theirs);
  t.equal(sent.code, 0, sent.err);
  t.notMatch(sent.out, /Mounted/, 'no mount where reading is not allowed');
  t.match(await call('c', ['push', `${double.host}/closed/app`], theirs), { code: 125, err: /access denied/ });

  const identity = writeConfig('identity', { auths: { [double.host]: { identitytoken: 'refresh-me' } } });
  tokens.log.length = 0;
  t.match(await call('d', ['pull', `${double.host}/mine/app`], identity), { code: 0 });
  t.match(tokens.log, ['POST me repository:mine/app:pull'], 'an identity token gets tokens');
  t.match(await call('d', ['logout', double.host], identity), { code: 0 });
  t.match(await call('d2', ['pull', `${double.host}/mine/app`], identity), { code: 125, err: /hull login/ });
  // Tokens that ran out are replaced in the middle of it.
  (tokens.granted as Map<string, readonly string[]>).clear();
  t.match(await call('a', ['search', `${double.host}/app`], env), { code: 0, out: new RegExp(`${double.host}/mine/app .*\n${double.host}/public/app`) });
});

t.test('proxies, certificates, mirrors', { skip: spawnSync('openssl', ['version']).status === 0 ? false : 'no openssl here' }, async (t) => {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' });
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('ca.key'), '-out', at('ca.crt'), '-subj', '/CN=test CA', '-days', '2');
  const sign = (name: string, extensions: string) => {
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', `/CN=${name}`);
    writeFileSync(at(`${name}.ext`), extensions);
    openssl('x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial', '-out', at(`${name}.crt`), '-days', '2', '-extfile', at(`${name}.ext`));
    return { key: readFileSync(at(`${name}.key`), 'utf8'), cert: readFileSync(at(`${name}.crt`), 'utf8') };
  };
  const server = sign('server', 'subjectAltName=DNS:registry.test,DNS:closed.test,DNS:registry-1.docker.io,DNS:index.docker.io');
  sign('client', 'extendedKeyUsage=clientAuth');
  const double = await startDouble({ tls: server, results: [{ name: 'box', description: 'A box\nof things', star_count: 3, is_official: true }, { name: 'some/box', star_count: 7 }] });
  const closed = await startDouble({ tls: { ...server, ca: readFileSync(at('ca.crt'), 'utf8'), requestCert: true, rejectUnauthorized: true } });
  const plain = await startDouble();
  const names = new Map([['registry.test:443', double.port], ['closed.test:443', closed.port], ['registry-1.docker.io:443', double.port], ['index.docker.io:443', double.port], ['wrong.test:443', double.port], ['plain.test:80', plain.port], ['mirror.test:80', plain.port]]);
  const proxy = await startProxy(names, 'me:pass word');
  t.teardown(() => [double, closed, plain, proxy].forEach((each) => void each.close()));
  const proxied = { HTTPS_PROXY: `http://me:pass%20word@${proxy.address}`, http_proxy: `http://me:pass%20word@${proxy.address}` };
  const trusted = { ...proxied, SSL_CERT_FILE: at('ca.crt') };

  const { digest } = await addImage('a', 'registry.test/app:1');
  t.match(await call('a', ['push', 'registry.test/app:1'], trusted), { code: 0, out: new RegExp(digest) }, 'through a tunnel');
  t.ok(proxy.log.includes('CONNECT registry.test:443'));
  t.match(await call('b', ['pull', 'registry.test/app:1'], trusted), { code: 0 });
  t.match(await call('c', ['pull', 'registry.test/app:1'], proxied), { code: 125, err: /TLS certificate or handshake does not hold .*certs\.d/ }, 'a CA that nobody trusts');
  t.match(await call('c', ['pull', 'wrong.test/app:1'], trusted), { code: 125, err: /TLS certificate or handshake does not hold/ }, "a certificate for another's name");
  t.match(await call('c', ['pull', 'registry.test/app:1'], { ...trusted, SSL_CERT_FILE: at('nothing') }), { code: 125, err: /SSL_CERT_FILE ".*nothing": no certificates/ });
  mkdirSync(at('cas'));
  writeFileSync(at('cas/own.pem'), readFileSync(at('ca.crt')));
  t.match(await call('c', ['pull', 'registry.test/app:1'], { ...proxied, SSL_CERT_DIR: at('cas') }), { code: 0 }, 'SSL_CERT_DIR');
  mkdirSync(at('d/certs.d/registry.test'), { recursive: true });
  writeFileSync(at('d/certs.d/registry.test/ca.crt'), readFileSync(at('ca.crt')));
  t.match(await call('d', ['pull', 'registry.test/app:1'], proxied), { code: 0 }, 'certs.d');
  writeFileSync(at('d/registries.json'), JSON.stringify({ 'insecure-registries': ['wrong.test', 'plain.test'] }));
  t.match(await call('d', ['pull', 'wrong.test/app:1'], proxied), { code: 0 }, 'an insecure registry needs no certificate that holds');
  await addImage('d', 'plain.test/app:1');
  t.match(await call('d', ['push', 'plain.test/app:1'], proxied), { code: 0 }, 'nor TLS');
  t.ok(proxy.log.some((line) => line.startsWith('PUT plain.test/v2/app/manifests/1')), 'and plain HTTP goes through the proxy, too');
  t.match(await call('e', ['pull', 'plain.test/app:1'], trusted), { code: 125 }, 'which others do not get');

  // Client certificates.
  t.match(await call('d', ['pull', 'closed.test/app:1'], trusted), { code: 125 });
  mkdirSync(at('d/certs.d/closed.test'));
  for (const [from, to] of [['ca.crt', 'ca.crt'], ['client.crt', 'client.cert']] as const) writeFileSync(at(`d/certs.d/closed.test/${to}`), readFileSync(at(from)));
  t.match(await call('d', ['pull', 'closed.test/app:1'], trusted), { code: 125, err: /its key "client\.key" is not beside it/ });
  writeFileSync(at('d/certs.d/closed.test/client.key'), readFileSync(at('client.key')));
  t.match(await call('d', ['pull', 'closed.test/app:1'], trusted), { code: 125, err: /manifest unknown/ }, 'it is let in');

  t.match(await call('e', ['pull', 'registry.test/app:1'], { ...trusted, HTTPS_PROXY: `http://${proxy.address}` }), { code: 125, err: /Cannot reach "registry\.test:443" through the proxy "127.*": it answers 407/ });
  t.match(await call('e', ['pull', 'absent.test/app:1'], trusted), { code: 125, err: /through the proxy .*: it answers 502/ });
  t.match(await call('e', ['pull', 'registry.test/app:1'], { ...trusted, HTTPS_PROXY: 'socks5://127.0.0.1:1' }), { code: 125, err: /Cannot use "socks5:\/\/127\.0\.0\.1:1" as a proxy/ });
  t.match(await call('e', ['pull', 'registry.invalid/app:1'], { ...trusted, NO_PROXY: 'registry.invalid' }), { code: 125, err: /no such host/ }, 'NO_PROXY: directly');
  const isDirect = (url: string, no: string) => findProxy(new URL(url), { HTTPS_PROXY: 'http://p:1', HTTP_PROXY: 'p:2', NO_PROXY: no }) === undefined;
  for (const [url, no, expected] of [
    ['https://a.b.c/', 'b.c', true], ['https://b.c/', 'b.c', true], ['https://xb.c/', 'b.c', false], ['https://b.c/', '.b.c', false], ['https://a.b.c/', '*.b.c', true], ['https://a.b.c:8/', 'b.c:9, b.c:8', true],
    ['https://a.b.c/', 'b.c:8', false], ['http://10.1.2.3/', '10.0.0.0/8', true], ['http://11.1.2.3/', '10.0.0.0/8', false], ['http://[fd00::1]/', 'fd00::/8', true], ['http://x/', '*', true], ['http://localhost:5000/', '', true], ['https://127.0.0.9/', '', true],
  ] as const) t.equal(isDirect(url, no), expected, `${url} with NO_PROXY=${no}`);
  t.equal(findProxy(new URL('http://x/'), { HTTP_PROXY: 'p:2' })?.href, 'http://p:2/', 'a proxy without a scheme');

  // Mirrors of Docker Hub: asked first, without Docker Hub's credentials; what one has not got the registry itself gives.
  const config = writeConfig('hub', { auths: { 'https://index.docker.io/v1/': auth('hubuser', 'hubsecret'), 'mirror.test': auth('mirroruser', 'x') } });
  mkdirSync(at('m'));
  writeFileSync(at('m/registries.json'), JSON.stringify({ 'registry-mirrors': ['http://mirror.test'] }));
  const official = await addImage('a', 'box:1');
  t.match(await call('a', ['push', 'box:1'], { ...trusted, ...config }), { code: 0 }, 'pushes go to Docker Hub itself');
  plain.log.length = 0;
  t.match(await call('m', ['pull', 'box:1'], { ...trusted, ...config }), { code: 0, out: new RegExp(official.digest) });
  t.ok(plain.log.some((line) => line.startsWith('GET /v2/library/box/manifests/1')), 'the mirror was asked');
  double.options.intercept = () => true; // Docker Hub hangs
  for (const [key, kept] of double.manifestsOf('library/box')) plain.manifestsOf('library/box').set(key, kept);
  for (const [, bytes] of double.blobs) plain.addBlob('library/box', bytes);
  plain.log.length = 0;
  plain.options.intercept = (request, response) => request.headers.authorization === undefined && !!response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  t.match(await call('m2', ['pull', 'box:1'], { ...trusted, ...config, HULL_ROOT: at('m') }), { code: 0 }, 'what a mirror has is its own');
  await call('m', ['rmi', 'box:1']);
  t.match(await call('m', ['pull', 'box:1'], { ...trusted, ...config }), { code: 0 }, 'whole');
  t.same([...new Set(plain.log.map((line) => line.split(' ').slice(2).join(' ')))].sort(), ['Basic mirroruser:x', 'none'], "a mirror sees its own credentials, never Docker Hub's");
  delete (double.options as { intercept?: unknown }).intercept;
  delete (plain.options as { intercept?: unknown }).intercept;

  const found = await call('a', ['search', 'box'], trusted);
  t.equal(found.out, 'NAME       DESCRIPTION       STARS   OFFICIAL\nsome/box                     7       \nbox        A box of things   3       [OK]\n');
  t.equal((await call('a', ['search', '--filter', 'is-official=true', '--format', '{{.Name}} {{.IsOfficial}}', 'box'], trusted)).out, 'box [OK]\n');
  t.equal((await call('a', ['search', '--filter', 'stars=4', '--format', '{{.Name}}', 'registry.test/box'], trusted)).out, 'registry.test/some/box\n');
  t.match(await call('a', ['search', '--filter', 'colour=red', 'box'], trusted), { code: 125, err: /invalid filter 'colour'/ });
});

t.test('uploads that do not go through at once', async (t) => {
  const double = await startDouble({ mostBody: 9 * 1024 * 1024 });
  t.teardown(() => double.close());
  const content = randomBytes(20 * 1024 * 1024);
  const { digest, layer } = await addImage('up', `${double.host}/app`, content);
  t.match(await call('up', ['push', `${double.host}/app`]), { code: 0, out: new RegExp(digest) }, 'in parts, where a registry takes no more at once');
  const patches = () => double.log.filter((line) => line.startsWith('PATCH')).length;
  t.ok(patches() >= 4, `${patches()} parts`);

  const second = await addImage('up', `${double.host}/broken`, randomBytes(5_000_000));
  double.breaks.push(1_000_000, 1_000_000);
  double.log.length = 0;
  t.match(await call('up', ['push', `${double.host}/broken`]), { code: 0 }, 'an upload that breaks goes on');
  t.equal(double.log.filter((line) => /^POST/.test(line)).length, 2, 'where it was: each blob was begun once');
  t.ok(double.blobs.has(second.layer));
  const third = await addImage('up', `${double.host}/forgotten`, randomBytes(5_000_000));
  double.breaks.push(1_000_000);
  double.state.forgets = true;
  t.match(await call('up', ['push', `${double.host}/forgotten`]), { code: 0 }, 'a registry that forgot it gets it anew');
  t.ok(double.blobs.has(third.layer));
  t.equal(double.blobs.get(layer)?.length, storeOf('up').resolve(digest).manifest.layers[0]?.size);
  double.options.intercept = (request, response) => request.method === 'PATCH' && !!response.writeHead(500).end();
  await addImage('up', `${double.host}/never`);
  t.match(await call('up', ['push', `${double.host}/never`]), { code: 125, err: /^hull: Cannot push "sha256:.*HTTP status 500.*\n$/m });
  t.notOk(double.manifestsOf('never').has('latest'), 'no name for what is not whole');
});

t.test('referrers go along', async (t) => {
  const [modern, plain] = [await startDouble({ listsReferrers: true }), await startDouble()];
  t.teardown(() => [modern, plain].forEach((each) => void each.close()));
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const empty = { mediaType: 'application/vnd.oci.empty.v1+json', digest: modern.addBlob('app', Buffer.from('{}')), size: 2 };
  const text = (bytes: Buffer) => ({ mediaType: 'text/plain', digest: modern.addBlob('app', bytes), size: bytes.length });
  await addImage('r', `${modern.host}/app:1`);
  t.match(await call('r', ['push', `${modern.host}/app:1`]), { code: 0 });
  const image = storeOf('r').resolve(`${modern.host}/app:1`).descriptor;
  const subject = { mediaType: type, digest: image.digest, size: image.size };
  const list = modern.addManifest('app', 'list', type, { schemaVersion: 2, mediaType: type, artifactType: 'application/example.list', config: empty, layers: [text(Buffer.from('bash 5.2'))], subject, annotations: { made: 'today' } });
  const signature = modern.addManifest('app', 'signature', type, { schemaVersion: 2, mediaType: type, artifactType: 'application/example.signature', config: empty, layers: [text(Buffer.from('signed'))], subject: list });

  t.match(await call('s', ['pull', `${modern.host}/app:1`]), { code: 0 });
  const store = storeOf('s');
  t.same(store.listReferrers(image.digest).map(({ digest }) => digest), [list.digest], 'what refers to it');
  t.same(store.listReferrers(list.digest).map(({ digest }) => digest), [signature.digest], 'and to that');
  t.equal((await call('s', ['images', '-aq'])).out.split('\n').length, 2, 'no images of their own');
  t.match(await call('s', ['image', 'prune']), { code: 0, out: 'Total reclaimed space: 0B\n' }, 'nor dangling');
  t.match(await call('s', ['image', 'check']), { code: 0, out: /^1 image, .*nothing wrong\n$/ });

  for (const other of [modern, plain]) {
    await call('s', ['tag', `${modern.host}/app:1`, `${other.host}/copy/app:2`]);
    t.match(await call('s', ['push', `${other.host}/copy/app:2`]), { code: 0 });
    t.ok(other.manifestsOf('copy/app').has(list.digest) && other.manifestsOf('copy/app').has(signature.digest), 'pushed');
    t.match(await call(`to-${other.host}`, ['pull', `${other.host}/copy/app:2`]), { code: 0 });
    t.same(storeOf(`to-${other.host}`).listReferrers(list.digest).map(({ digest }) => digest), [signature.digest], 'and pulled again');
  }
  const tagged = JSON.parse(plain.manifestsOf('copy/app').get(image.digest.replace(':', '-'))?.bytes.toString() ?? '{}') as { manifests?: object[] };
  t.match(tagged.manifests, [{ digest: list.digest, artifactType: 'application/example.list', annotations: { made: 'today' } }], 'the list by tag, where a registry keeps none');
  t.notOk(modern.manifestsOf('copy/app').has(image.digest.replace(':', '-')), 'and not where it does');
  // A list that names what is gone.
  plain.manifestsOf('copy/app').delete(list.digest);
  t.match(await call('stale', ['pull', `${plain.host}/copy/app:2`]), { code: 0 });

  t.match(await call('s', ['rmi', '-f', image.digest]), { code: 0 });
  t.match(await call('s', ['image', 'check']), { code: 0, out: /^0 images, 0 blobs, 0B: nothing wrong\n$/ }, 'they go with it');
});

t.test('several platforms', async (t) => {
  const double = await startDouble();
  t.teardown(() => double.close());
  const types = { index: 'application/vnd.oci.image.index.v1+json', manifest: 'application/vnd.oci.image.manifest.v1+json', config: 'application/vnd.oci.image.config.v1+json', layer: 'application/vnd.oci.image.layer.v1.tar' };
  const platforms = [{ os: 'linux', architecture: 'arm', variant: 'v7' }, { os: 'linux', architecture: 'amd64' }, { os: 'linux', architecture: 'arm64', variant: 'v8' }];
  const manifests = platforms.map((platform) => {
    const layer = execFileSync('tar', ['-cf', '-', '-C', dirname(hull), '--mtime=@0', '--transform', `s/.*/${platform.architecture}/`, 'hull']);
    const config = Buffer.from(JSON.stringify({ ...platform, rootfs: { type: 'layers', diff_ids: [sha(layer)] } }));
    const value = { schemaVersion: 2, mediaType: types.manifest, config: { mediaType: types.config, digest: double.addBlob('app', config), size: config.length }, layers: [{ mediaType: types.layer, digest: double.addBlob('app', layer), size: layer.length }] };
    return { ...double.addManifest('app', platform.architecture, types.manifest, value), platform };
  });
  double.addManifest('app', 'latest', types.index, { schemaVersion: 2, mediaType: types.index, manifests });
  const platformOf = async (root: string) => (await call(root, ['image', 'inspect', '-f', '{{.Os}}/{{.Architecture}} {{.Variant}}', `${double.host}/app`])).out.trim();
  t.match(await call('p1', ['pull', `${double.host}/app`]), { code: 0 });
  t.match(await platformOf('p1'), /^linux\/amd64/);
  t.match(await call('p2', ['pull', '--platform', 'linux/arm64', `${double.host}/app`]), { code: 0 });
  t.match(await platformOf('p2'), /^linux\/arm64/);
  t.match(await call('p3', ['pull', '--platform', 'linux/arm/v6', `${double.host}/app`]), { code: 125, err: /no matching manifest for linux\/arm\/v6 .*expected one of linux\/arm\/v7, linux\/amd64, linux\/arm64\/v8/ });
  t.match(await call('p1', ['tag', `${double.host}/app`, `${double.host}/one`]), { code: 0 });
  t.match(await call('p4', ['pull', '--all-platforms', `${double.host}/app`]), { code: 0 });
  t.match(await call('p4', ['tag', `${double.host}/app`, `${double.host}/copy`]), { code: 0 });
  t.match(await call('p4', ['push', `${double.host}/copy`]), { code: 0 }, 'an index goes as a whole');
  t.same(double.manifestsOf('copy').get('latest')?.bytes, double.manifestsOf('app').get('latest')?.bytes, 'unchanged');
  t.match(await call('p4', ['manifest', 'inspect', `${double.host}/copy`]), { code: 0, out: double.manifestsOf('app').get('latest')?.bytes.toString() });
});

/**
 * Libraries written for Docker, unchanged, against `hull engine`: what dockerode's README and docker-py's documentation show for containers, images, exec, logs, networks and volumes, with an image of
 * busybox in the place of the examples' ones; and docker-compose with a web server and redis from Debian packages.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import Docker from 'dockerode';
import { execa } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';
import { startDockerRegistry } from '../images/docker-registry.ts';
import { makeRoot } from '../programs/roots.ts';
import { lookUntil, waitUntil } from '../wait.ts';
import { makeBox, makeEngine, missing } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-clients-'));
const { socket, env, ask, start, removeAll } = makeEngine(folder);
const engine = await start();
const archive = makeBox(folder);
t.equal((await ask('POST', '/images/create?fromSrc=-&repo=box&tag=latest', readFileSync(archive))).status, 200);

t.teardown(async () => {
  await removeAll();
  await engine.end();
  rmSync(folder, { recursive: true });
});

const STAY = ['sh', '-c', 'echo stays; trap "exit 0" TERM; while :; do sleep 0.1; done'];

/** The error of what is refused. */
const refusal = (work: Promise<unknown>): Promise<unknown> => work.then(() => 'nothing was refused', (error: unknown) => error);

/** What comes until the stream's end. */
function collect(): { readonly stream: PassThrough; text(): string } {
  const stream = new PassThrough();
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  return { stream, text: () => Buffer.concat(parts).toString() };
}

t.test('dockerode', async (t) => {
  const docker = new Docker({ socketPath: socket });
  const follow = (stream: NodeJS.ReadableStream) => new Promise<readonly { stream?: string; status?: string; error?: string }[]>((resolve, reject) => docker.modem.followProgress(stream, (error, all) => (error === null ? resolve(all) : reject(error))));

  await t.test('manipulating a container', async (t) => {
    const container = await docker.createContainer({ Image: 'box', AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: true, Cmd: STAY, OpenStdin: false, StdinOnce: false });
    await container.start();
    await container.resize({ h: 24, w: 80 });
    t.match(await container.inspect(), { Id: container.id, State: { Running: true }, Config: { Tty: true, Image: 'box' } });
    await container.rename({ name: 'renamed' });
    t.match(await docker.listContainers({ filters: { name: ['renamed'] } }), [{ Id: container.id, Names: ['/renamed'], State: 'running' }]);
    t.match(await container.top(), { Titles: /./, Processes: [/./] });
    t.match(await container.stats({ stream: false }), { memory_stats: { usage: Number }, cpu_stats: { online_cpus: Number } });
    await container.pause();
    await container.unpause();
    await container.update({ RestartPolicy: { Name: 'no' } });
    const [waited] = await Promise.all([container.wait(), container.stop()]);
    t.same(waited, { StatusCode: 0 });
    t.match(await refusal(container.stop()), { statusCode: 304 });
    t.match((await container.logs({ stdout: true, stderr: true })).toString(), /^stays\r\n/);
    await container.remove();
    t.match(await refusal(container.inspect()), { statusCode: 404, reason: 'no such container' });
  });

  await t.test('stopping all containers on a host', async (t) => {
    for (let i = 0; i < 2; i++) await (await docker.createContainer({ Image: 'box', Cmd: STAY })).start();
    const all = await docker.listContainers();
    t.equal(all.length, 2);
    await Promise.all(all.map(({ Id }) => docker.getContainer(Id).stop()));
    t.same(await docker.listContainers(), []);
    t.equal((await docker.pruneContainers()).ContainersDeleted.length, 2);
  });

  await t.test('building an image', async (t) => {
    writeFileSync(join(folder, 'Dockerfile'), 'FROM box\nCOPY file1 /file1\nCMD ["cat", "/file1"]\n');
    writeFileSync(join(folder, 'file1'), 'one\n');
    const messages = await follow(await docker.buildImage({ context: folder, src: ['Dockerfile', 'file1'] }, { t: 'one' }));
    t.match(messages.map(({ stream = '' }) => stream).join(''), /Successfully tagged one:latest\n$/);
    const out = collect();
    const [{ StatusCode }, container] = (await docker.run('one', [], out.stream, { Tty: false })) as [{ StatusCode: number }, Docker.Container];
    t.equal(StatusCode, 0);
    await container.remove();
    const image = docker.getImage('one');
    t.match(await image.inspect(), { RepoTags: ['one:latest'], Config: { Cmd: ['cat', '/file1'] } });
    t.equal((await image.history()).length, 3);
    await image.tag({ repo: 'two', tag: 'x' });
    t.match(await docker.listImages({ filters: { reference: ['two'] } }), [{ RepoTags: ['two:x'] }]);
    const saved = collect();
    (await docker.getImage('two:x').get()).pipe(saved.stream);
    await finished(saved.stream);
    await docker.getImage('two:x').remove();
    t.match(await image.remove(), [{ Untagged: 'one:latest' }, { Deleted: /^sha256:/ }]);
    const failed = await docker.buildImage({ context: folder, src: ['file1'] }, { t: 'none' });
    t.match((await follow(failed).catch((error: unknown) => [{ error }])).at(-1), { error: /Dockerfile/ });
  });

  await t.test('streams', async (t) => {
    const terminal = await docker.createContainer({ Image: 'box', Cmd: ['sh', '-c', 'tty; echo hello'], Tty: true });
    const out = collect();
    (await terminal.attach({ stream: true, stdout: true, stderr: true })).pipe(out.stream);
    await terminal.start();
    await finished(out.stream);
    t.match(out.text(), /^\/dev\/(pts\/0|console|tty\w*)\r\nhello\r\n$/);
    const plain = await docker.createContainer({ Image: 'box', Cmd: ['sh', '-c', 'echo out; echo err >&2'] });
    const [stdout, stderr] = [collect(), collect()];
    const attached = await plain.attach({ stream: true, stdout: true, stderr: true });
    plain.modem.demuxStream(attached, stdout.stream, stderr.stream);
    await plain.start();
    await finished(attached);
    t.same([stdout.text(), stderr.text()], ['out\n', 'err\n']);
    for (const each of [terminal, plain]) await each.remove();
  });

  // Its options come as a JSON body in front of what is the program's input.
  for (const hijack of [true, false]) {
    await t.test(`input of a container, ${hijack ? 'with' : 'without'} hijacking`, async (t) => {
      const container = await docker.createContainer({ Image: 'box', Cmd: ['head', '-n', '2'], OpenStdin: true, StdinOnce: true });
      const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack });
      const stdout = collect();
      container.modem.demuxStream(stream, stdout.stream, stdout.stream);
      await container.start();
      stream.write('one\ntwo\n');
      await container.wait();
      await finished(stream, { writable: false }).catch(() => {});
      t.equal(stdout.text(), 'one\ntwo\n');
      stream.end();
      await container.remove();
    });
  }

  await t.test('keys to leave by', async (t) => {
    const container = await docker.createContainer({ Image: 'box', Cmd: ['cat'], Tty: true, OpenStdin: true });
    await container.start();
    const stream = await container.attach({ stream: true, stdin: true, stdout: true, hijack: true, detachKeys: 'ctrl-a,d' });
    const screen = collect();
    stream.pipe(screen.stream);
    stream.write('typed\n');
    await waitUntil('what is typed is shown', () => screen.text().includes('typed'));
    stream.write('\x01d');
    await finished(screen.stream);
    t.match(await container.inspect(), { State: { Running: true } });
    t.match(await refusal(container.attach({ stream: true, detachKeys: 'ctrl-' })), { statusCode: 400 });
    await container.remove({ force: true });
  });

  await t.test('exec', async (t) => {
    const container = await docker.createContainer({ Image: 'box', Cmd: STAY });
    await container.start();
    const bytes = Buffer.alloc(300_000, 'hull');
    const exec = await container.exec({ Cmd: ['sha256sum', '-'], AttachStdin: true, AttachStdout: true });
    const stream = await exec.start({ hijack: true, stdin: true });
    const stdout = collect();
    docker.modem.demuxStream(stream, stdout.stream, stdout.stream);
    stream.end(bytes);
    await finished(stream);
    t.equal(stdout.text(), `${createHash('sha256').update(bytes).digest('hex')}  -\n`);
    t.match(await exec.inspect(), { Running: false, ExitCode: 0, ContainerID: container.id });
    const failing = await container.exec({ Cmd: ['sh', '-c', 'exit 7'], AttachStdout: true });
    await finished((await failing.start({})).resume());
    t.match(await failing.inspect(), { ExitCode: 7 });
    const logs = (await container.logs({ follow: true, stdout: true, stderr: true })) as unknown as NodeJS.ReadableStream;
    const followed = collect();
    docker.modem.demuxStream(logs, followed.stream, followed.stream);
    await container.kill();
    await finished(logs);
    t.equal(followed.text(), 'stays\n');
    await container.remove({ v: true });
  });

  await t.test('docker.run', async (t) => {
    const [stdout, stderr] = [collect(), collect()];
    const [data, container] = (await docker.run('box', ['sh', '-c', 'echo out; echo err >&2; exit 5'], [stdout.stream, stderr.stream], { Tty: false })) as [{ StatusCode: number }, Docker.Container];
    t.same([data.StatusCode, stdout.text(), stderr.text()], [5, 'out\n', 'err\n']);
    await container.remove();
    const network = await docker.createNetwork({ Name: 'my_network' });
    const out = collect();
    const [{ StatusCode }] = (await docker.run('box', ['hostname', '-i'], out.stream, { name: 'my-container', HostConfig: { AutoRemove: true, NetworkMode: 'my_network' } })) as [{ StatusCode: number }];
    t.equal(StatusCode, 0);
    await network.remove();
  });

  await t.test('docker.run with a callback, and its events', async (t) => {
    const out = collect();
    const seen: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const run = docker.run('box', ['echo', 'hello'], out.stream, { Tty: false }, (error, data, container) => {
        if (error !== null) return reject(error);
        t.equal(data.StatusCode, 0);
        container.remove().then(resolve, reject);
      });
      for (const name of ['container', 'stream', 'data']) run.on(name, () => void seen.push(name));
    });
    t.same(seen.sort(), ['container', 'data', 'stream']);
    t.match(out.text(), /hello\n$/, 'behind the head of its frame: one stream is not taken apart');
  });

  await t.test('files in and out, changes, commit', async (t) => {
    const container = await docker.createContainer({ Image: 'box', Cmd: STAY, Labels: { events: 'yes' } });
    await container.start();
    writeFileSync(join(folder, 'sent'), 'sent\n');
    execFileSync('tar', ['cf', join(folder, 'sent.tar'), '-C', folder, 'sent']);
    await container.putArchive(join(folder, 'sent.tar'), { path: '/tmp' });
    t.ok(await container.infoArchive({ path: '/tmp/sent' }));
    const list = async (from: NodeJS.ReadableStream) => {
      const parts: Buffer[] = [];
      for await (const part of from) parts.push(part as Buffer);
      return execFileSync('tar', ['t'], { input: Buffer.concat(parts), encoding: 'utf8' });
    };
    t.equal(await list(await container.getArchive({ path: '/tmp/sent' })), 'sent\n');
    t.match(await list(await container.export()), /^tmp\/sent$/m);
    t.match(await container.changes(), [{ Path: '/tmp', Kind: 0 }, { Path: '/tmp/sent', Kind: 1 }]);
    t.match(await container.commit({ repo: 'kept', tag: '1', comment: 'why' }), { Id: /^sha256:/ });
    await container.restart({ t: 10 });
    await container.remove({ force: true });
    const out = collect();
    const [data, ran] = (await docker.run('kept:1', ['cat', '/tmp/sent'], out.stream, { Tty: false })) as [{ StatusCode: number }, Docker.Container];
    t.equal(data.StatusCode, 0);
    t.match(out.text(), /sent\n$/);
    await ran.remove();
    await docker.getImage('kept:1').remove();
    const events = collect();
    (await docker.getEvents({ since: 1, until: Math.ceil(Date.now() / 1000), filters: JSON.stringify({ label: ['events=yes'] }) })).pipe(events.stream);
    await finished(events.stream);
    const actions = events.text().trim().split('\n').map((line) => (JSON.parse(line) as { Action: string }).Action);
    t.same([actions[0], actions[1], actions.at(-1)], ['create', 'start', 'destroy']);
  });

  await t.test('archives of contexts, of images, of files', async (t) => {
    writeFileSync(join(folder, 'Dockerfile'), 'FROM box\nLABEL from=archive\n');
    execFileSync('tar', ['cf', join(folder, 'archive.tar'), '-C', folder, 'Dockerfile']);
    await follow(await docker.buildImage(join(folder, 'archive.tar'), { t: 'archived' }));
    t.match(await docker.getImage('archived').inspect(), { Config: { Labels: { from: 'archive' } } });
    const saved = collect();
    (await docker.getImage('archived').get()).pipe(saved.stream);
    const parts: Buffer[] = [];
    saved.stream.on('data', (part: Buffer) => parts.push(part));
    await finished(saved.stream);
    await docker.getImage('archived').remove();
    writeFileSync(join(folder, 'image.tar'), Buffer.concat(parts));
    t.match((await follow(await docker.loadImage(join(folder, 'image.tar'), {}))).at(-1), { stream: 'Loaded image: archived:latest\n' });
    await follow(await docker.importImage(archive, { repo: 'imported', tag: 'x' }));
    for (const name of ['archived', 'imported:x']) await docker.getImage(name).remove();
    t.match(await docker.pruneImages({ filters: { dangling: ['true'] } }), { SpaceReclaimed: Number });
    t.match(await docker.pruneBuilder(), { SpaceReclaimed: 0 });
  });

  await t.test('pull and push, also from a private registry', { skip: missing('docker-registry', '--version') || missing('htpasswd', '-nb', 'a', 'b') }, async (t) => {
    const users = join(folder, 'users');
    execFileSync('htpasswd', ['-Bbc', users, 'somebody', 'secret'], { stdio: 'ignore' });
    const registry = await startDockerRegistry(folder, 'private', `auth:\n  htpasswd:\n    realm: test\n    path: ${users}\n`);
    t.teardown(() => registry.child.kill('SIGKILL'));
    const name = `${registry.host}/some/box`;
    const authconfig = { username: 'somebody', password: 'secret', auth: '', email: 'your@email.email', serveraddress: registry.host };
    t.match(await docker.checkAuth(authconfig), { Status: 'Login Succeeded' });
    t.match(await refusal(docker.checkAuth({ ...authconfig, password: 'wrong' })), { statusCode: 401 });
    await docker.getImage('box').tag({ repo: name, tag: '1' });
    await follow(await docker.getImage(name).push({ tag: '1', authconfig }));
    await docker.getImage(`${name}:1`).remove();
    const refused = await docker.pull(`${name}:1`, {}).then(follow).catch((error: unknown) => [{ error: String(error) }]);
    t.match(refused.at(-1), { error: /unauthorized|authentication|denied|401/i });
    t.match((await follow(await docker.pull(`${name}:1`, { authconfig }))).at(-1), { status: /Downloaded newer image/ });
    await docker.getImage(`${name}:1`).remove();
    const key = Buffer.from(JSON.stringify(authconfig)).toString('base64');
    t.match((await follow(await docker.pull(`${name}:1`, { authconfig: { key } }))).at(-1), { status: /Downloaded newer image/ });
    await docker.getImage(`${name}:1`).remove();
  });

  await t.test('volumes, networks, the engine', async (t) => {
    const volume = await docker.createVolume({ Name: 'data', Labels: { a: 'b' } });
    t.match(await docker.getVolume('data').inspect(), { Name: 'data', Driver: 'local', Labels: { a: 'b' } });
    t.match(await docker.listVolumes({ filters: { label: ['a=b'] } }), { Volumes: [{ Name: 'data' }] });
    t.ok(volume);
    await docker.getVolume('data').remove();
    const network = await docker.createNetwork({ Name: 'net', Internal: true, Labels: { c: 'd' } });
    t.match(await network.inspect(), { Name: 'net', Internal: true, Labels: { c: 'd' } });
    t.match(await docker.listNetworks({ filters: { label: ['c=d'] } }), [{ Name: 'net' }]);
    const member = await docker.createContainer({ Image: 'box', Cmd: ['true'] });
    await network.connect({ Container: member.id });
    t.match(await member.inspect(), { NetworkSettings: { Networks: { net: {} } } });
    await network.disconnect({ Container: member.id });
    await member.remove();
    t.same(await docker.pruneNetworks({ filters: { label: ['c=d'] } }), { NetworksDeleted: ['net'] });
    t.match(await docker.pruneVolumes({}), { SpaceReclaimed: 0 });
    t.match(await refusal(docker.swarmInit({})), { statusCode: 501 });
    t.match(await refusal(docker.swarmInspect()), { statusCode: 503 });
    t.equal(((await docker.ping()) as Buffer).toString(), 'OK');
    t.match(await docker.version(), { ApiVersion: '1.47', Os: 'linux' });
    t.match(await docker.info(), { OSType: 'linux', Images: Number });
    t.match(await docker.df(), { Images: Array, Volumes: [] });
    t.match(await refusal(docker.listServices()), { statusCode: 503, message: /not a swarm manager/ });
    t.same(await docker.listPlugins(), []);
  });
});

// Debian's package is for Debian's interpreter.
const PYTHON = '/usr/bin/python3';

t.test('docker-py', { skip: missing(PYTHON, '-c', 'import docker') }, async (t) => {
  const registry = missing('docker-registry', '--version') === false ? await startDockerRegistry(folder, 'open') : undefined;
  t.teardown(() => registry?.child.kill('SIGKILL'));
  const { all, exitCode } = await execa(PYTHON, [join(findCheckout(), 'test/engine/docker_py.py'), ...(registry === undefined ? [] : [registry.host])], { env, extendEnv: false, reject: false, all: true, cwd: folder, timeout: 600_000 });
  t.equal(exitCode, 0, all);
  t.comment(all);
});

const COMPOSE = `
version: "3.9"
services:
  web:
    image: web
    command: sh -c "echo page > /srv/index.html && exec lighttpd -D -f /etc/lighttpd.conf"
    ports: ["127.0.0.1::80"]
    volumes: ["pages:/srv"]
    networks:
      inside: { aliases: [www] }
    depends_on:
      store: { condition: service_healthy }
  store:
    image: redis
    command: redis-server --bind 0.0.0.0 --protected-mode no --save ""
    networks: [inside]
    healthcheck: { test: ["CMD", "redis-cli", "ping"], interval: 1s, timeout: 60s, retries: 60 }
networks:
  inside: {}
volumes:
  pages: {}
`;

const LIGHTTPD = 'server.document-root = "/srv"\nserver.port = 80\nserver.modules = ()\nindex-file.names = ("index.html")\n';

const images = [
  ['web', makeRoot('web', ['base-files', 'base-passwd', 'busybox-static', 'lighttpd'])],
  ['redis', makeRoot('redis', ['base-files', 'base-passwd', 'busybox-static', 'redis-server', 'redis-tools'])],
] as const;
const lack = images.flatMap(([, made]) => ('reason' in made ? [made.reason] : []))[0] ?? false;

t.test('docker-compose: a web server, redis, a volume, a network', { skip: missing('docker-compose', 'version') || lack }, async (t) => {
  const project = join(folder, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'docker-compose.yml'), COMPOSE);
  for (const [image, made] of images) {
    if (!('root' in made)) throw new Error(made.reason);
    writeFileSync(join(folder, 'lighttpd.conf'), LIGHTTPD);
    mkdirSync(join(folder, 'srv'), { recursive: true });
    symlinkSync('busybox', join(folder, `sh-${image}`));
    const tar = join(folder, `${image}.tar`);
    execFileSync('tar', ['cf', tar, '-C', made.root, '.']);
    execFileSync('tar', ['rf', tar, '--transform', `s,^lighttpd.conf,etc/lighttpd.conf,;s,^sh-${image},bin/sh,S`, '-C', folder, 'lighttpd.conf', 'srv', `sh-${image}`]);
    t.equal((await ask('POST', `/images/create?fromSrc=-&repo=${image}&tag=latest`, readFileSync(tar))).status, 200);
  }
  const compose = async (...args: string[]) => {
    const { stdout, all, exitCode } = await execa('docker-compose', ['--ansi', 'never', ...args], { cwd: project, env: { ...env, COMPOSE_HTTP_TIMEOUT: '600' }, extendEnv: false, reject: false, all: true, timeout: 600_000 });
    t.equal(exitCode, 0, `${args[0]}: ${all}`);
    return stdout;
  };
  await compose('up', '-d');
  t.match(await compose('ps'), /project_store_1 .* Up \(healthy\).*\n(.*\n)*project_web_1 .* Up .*127\.0\.0\.1:\d+->80\/tcp/);
  // It is up when its machine is: the server in it listens a moment later.
  const page = async () => {
    const address = `http://${(await compose('port', 'web', '80')).trim()}/`;
    return lookUntil(() => fetch(address, { signal: AbortSignal.timeout(60_000) }).then((answer) => answer.text(), (error: Error) => error.message), (text) => text === 'page\n');
  };
  t.equal(await page(), 'page\n');
  t.match(await compose('logs', '--no-color', 'store'), /store_1 +\| .*Ready to accept connections/);
  t.match(await compose('exec', '-T', 'store', 'redis-cli', '-h', 'store', 'set', 'a', 'b'), /OK/);
  t.match(await compose('exec', '-T', 'store', 'busybox', 'wget', '-q', '-O', '-', 'http://www/'), /page/);
  await compose('restart', '-t', '5', 'web');
  t.equal(await page(), 'page\n', 'the volume has it still');
  await compose('stop', '-t', '5');
  await compose('start');
  await compose('down', '-v', '-t', '5');
  t.same(JSON.parse((await ask('GET', '/containers/json?all=1')).body).filter(({ Names }: { Names: string[] }) => Names[0]?.startsWith('/project')), []);
  t.same(JSON.parse((await ask('GET', '/networks?filters={"name":["project"]}')).body), []);
  t.same(JSON.parse((await ask('GET', '/volumes?filters={"name":["project"]}')).body).Volumes, []);
});

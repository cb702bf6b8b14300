/** The Docker Engine API at its socket: Docker's own client where it is installed, and requests of our own. Runs the built dist/hull; engine and guests end with the test. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { makeBox, makeEngine, missing } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-api-'));
const { hull, socket, env, ask, start, removeAll } = makeEngine(folder);
const call = (...args: string[]) => execa('docker', args, { env, extendEnv: false, reject: false, input: '', timeout: 180_000 });
const ok = async (...args: string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await call(...args);
  if (exitCode !== 0) throw new Error(`docker ${args.join(' ')} ended with ${exitCode}: ${stderr}`);
  return stdout;
};

let engine = await start();

t.teardown(async () => {
  await removeAll();
  await engine.end();
  rmSync(folder, { recursive: true });
});

t.test('versions, errors and what hull has not', async (t) => {
  t.equal(statSync(socket).mode & 0o777, 0o660);
  const ping = await ask('GET', '/_ping');
  t.equal(ping.body, 'OK');
  t.match(ping.headers, { 'api-version': '1.47', 'builder-version': '1', ostype: 'linux', swarm: 'inactive' });
  t.equal((await ask('HEAD', '/_ping')).body, '');
  t.match(JSON.parse((await ask('GET', '/v1.24/version')).body), { ApiVersion: '1.47', MinAPIVersion: '1.24' });
  const errors: readonly [string, string, number, RegExp, unknown?][] = [
    ['GET', '/v1.99/info', 400, /^client version 1\.99 is too new\. Maximum supported API version is 1\.47$/],
    ['GET', '/v1.12/info', 400, /^client version 1\.12 is too old/],
    ['GET', '/nowhere', 404, /^page not found$/],
    ['GET', '/containers/none/json', 404, /^No such container: none$/],
    ['POST', '/containers/create', 400, /invalid JSON: expected an object/, []],
    ['POST', '/containers/create', 400, /expected true or false/, { Image: 'x', Tty: 'yes' }],
    ['POST', '/containers/create', 404, /^No such image: none:latest|^No such image: none/, { Image: 'none' }],
    ['POST', '/containers/create', 400, /^invalid reference format$/, { Image: '/bin/true' }],
    ['GET', '/containers/json?filters={', 400, /^invalid filter/],
    ['GET', '/volumes/none', 404, /no such volume/],
    ['GET', '/networks/none1', 404, /^network none1 not found$/],
    ['GET', '/swarm', 503, /^This node is not a swarm manager/],
  ];
  for (const [method, path, status, message, body] of errors) {
    const answer = await ask(method, path, body);
    t.equal(answer.status, status, `${method} ${path}`);
    t.match(JSON.parse(answer.body).message, message);
  }
});

t.test('where it may listen', async (t) => {
  const run = (...args: string[]) => execa(hull, ['engine', ...args], { env, extendEnv: false, reject: false, timeout: 60_000 });
  t.match((await run('-H', 'tcp://127.0.0.1:0')).stderr, /Cannot listen on "tcp:\/\/127\.0\.0\.1:0": without --tlscacert/);
  t.match((await run('-H', `unix://${socket}`)).stderr, /another engine listens there/);
  t.match((await run('-H', 'nowhere')).stderr, /no such form, expected unix:/);
});

t.test('docker, the client', { skip: missing('docker', '--version') }, async (t) => {
  const archive = makeBox(folder);
  const imported = await ok('import', archive, 'box:1');
  t.match(imported, /^sha256:[0-9a-f]{64}$/);

  await t.test('images', async (t) => {
    t.equal(await ok('images', '--format', '{{.Repository}}:{{.Tag}}'), 'box:1');
    t.equal(await ok('inspect', '-f', '{{.Id}} {{.Os}}/{{.Architecture}}', 'box:1'), `${imported} linux/amd64`);
    await ok('tag', 'box:1', 'other/box:2');
    t.equal(await ok('images', '-q', 'other/box'), imported.slice(7, 19));
    t.equal(await ok('rmi', 'other/box:2'), 'Untagged: other/box:2');
    t.match(await ok('history', 'box:1'), /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT\n[0-9a-f]{12} /);
    t.match((await call('rmi', 'nothing')).stderr, /No such image: nothing/);
  });

  await t.test('run', async (t) => {
    t.match(await call('run', '--rm', 'box:1', 'sh', '-c', 'echo out; echo err >&2; exit 7'), { exitCode: 7, stdout: 'out', stderr: 'err' });
    t.match(await call('run', '--rm', 'box:1', 'nothing'), { exitCode: 127, stderr: /executable file not found in \$PATH/ });
    t.match(await call('run', '--rm', 'absent.invalid/none', 'true'), { exitCode: 125 });
    const piped = await execa('docker', ['run', '--rm', '-i', 'box:1', 'cat'], { env, extendEnv: false, input: 'input\n'.repeat(10_000), timeout: 180_000 });
    t.equal(piped.stdout, 'input\n'.repeat(10_000).trimEnd());
    t.equal(await ok('ps', '-aq'), '');
  });

  await t.test('a container in the background', async (t) => {
    const id = await ok('run', '-d', '--name', 'back', '--label', 'a=b', '-e', 'A=1', 'box:1', 'sh', '-c', 'echo begin $A; trap "exit 3" TERM; while :; do sleep 0.1; done');
    t.match(id, /^[0-9a-f]{64}$/);
    t.equal(await ok('ps', '-f', 'label=a=b', '--format', '{{.Names}} {{.State}}'), 'back running');
    await ok('pause', 'back');
    t.equal(await ok('inspect', '-f', '{{.State.Status}}', 'back'), 'paused');
    await ok('unpause', 'back');
    await engine.end('SIGKILL');
    engine = await start();
    t.equal(await ok('inspect', '-f', '{{.State.Running}}', 'back'), 'true', 'the engine’s end touches no machine');
    const waited = call('wait', 'back');
    const follow = execa('docker', ['logs', '-f', 'back'], { env, extendEnv: false, reject: false, timeout: 180_000 });
    await ok('stop', '-t', '60', 'back');
    t.match(await waited, { exitCode: 0, stdout: '3' });
    t.match(await follow, { stdout: 'begin 1' });
    t.match(await ok('logs', '-t', 'back'), /^20\d\d-\d\d-\d\dT[\d:]+\.\d+Z begin 1$/);
    await ok('rename', 'back', 'done');
    t.match(JSON.parse(await ok('inspect', 'done'))[0], { Name: '/done', Config: { Image: 'box:1', Labels: { a: 'b' } }, State: { ExitCode: 3 }, NetworkSettings: { Networks: { bridge: {} } } });
    t.match((await call('kill', 'done')).stderr, /is not running/);
    t.equal(await ok('rm', 'done'), 'done');
    const events = await ok('events', '--since', '10m', '--until', (Date.now() / 1000 + 1).toFixed(3), '--filter', `container=${id}`, '--format', '{{.Action}}');
    t.match(events, /^create\nstart\npause\nunpause\nkill\n(die\nstop|stop\ndie)\n(rename\n)?destroy$/);
  });

  await t.test('restart policies', async (t) => {
    await ok('run', '-d', '--name', 'again', '--restart', 'on-failure:2', 'box:1', 'sh', '-c', 'echo run; exit 4');
    const deadline = Date.now() + 120_000;
    while ((await ok('inspect', '-f', '{{.RestartCount}} {{.State.Status}}', 'again')) !== '2 exited' && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 100));
    t.equal(await ok('logs', 'again'), 'run\nrun\nrun');
    await ok('rm', 'again');
  });

  await t.test('further processes, use, archives, builds', async (t) => {
    await ok('run', '-d', '--name', 'host', 'box:1', 'sh', '-c', 'while :; do sleep 0.1; done');
    t.match(await call('exec', 'host', 'sh', '-c', 'echo out; echo err >&2; exit 5'), { exitCode: 5, stdout: 'out', stderr: 'err' });
    t.match(await call('exec', 'host', 'nothing'), { exitCode: 127, stdout: /executable file not found in \$PATH/ });
    const piped = await execa('docker', ['exec', '-i', 'host', 'cat'], { env, extendEnv: false, input: 'input\n'.repeat(10_000), timeout: 180_000 });
    t.equal(piped.stdout, 'input\n'.repeat(10_000).trimEnd());
    t.match(await ok('stats', '--no-stream', '--format', '{{.Name}} {{.MemUsage}} {{.PIDs}}', 'host'), /^host [\d.]+MiB \/ 256MiB \d+$/);
    t.match(await ok('top', 'host'), /^UID +PID .*\n.*sleep 0\.1/);
    t.match(await call('rm', 'host'), { exitCode: 1, stderr: /container is running/ });
    await ok('rm', '-f', 'host');
    const saved = join(folder, 'saved.tar');
    await ok('save', '-o', saved, 'box:1');
    t.equal(await ok('load', '-i', saved), 'Loaded image: box:1');
    const context = join(folder, 'context');
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), 'FROM box:1\nCOPY text /text\nENV B=2\nCMD ["cat", "/text"]\n');
    writeFileSync(join(context, 'text'), 'built\n');
    t.match(await ok('build', '-t', 'made', context), /Successfully built [0-9a-f]{12}\nSuccessfully tagged made:latest$/);
    t.equal(await ok('run', '--rm', 'made'), 'built');
    writeFileSync(join(context, 'Dockerfile'), 'FROM box:1\nNOTHING\n');
    t.match(await call('build', context), { exitCode: 1, stderr: /NOTHING/i });
    t.equal((await ask('POST', '/build?dockerfile=../x')).status, 400);
    t.equal((await ask('POST', '/build?dockerfile=x.yaml')).status, 400);
  });

  await t.test('volumes and networks', async (t) => {
    t.equal(await ok('volume', 'create', 'data'), 'data');
    await ok('run', '--rm', '-v', 'data:/data', 'box:1', 'sh', '-c', 'echo kept > /data/file');
    t.equal(await ok('run', '--rm', '-v', 'data:/data:ro', 'box:1', 'cat', '/data/file'), 'kept');
    t.equal(await ok('volume', 'inspect', '-f', '{{.Driver}}', 'data'), 'local');
    t.equal(await ok('volume', 'rm', 'data'), 'data');
    t.equal(await ok('volume', 'ls', '-q'), '');
    t.match(await ok('network', 'ls', '--format', '{{.Name}}'), /^bridge\nnone$/);
    await ok('network', 'create', '--label', 'x=y', 'net1');
    t.equal(await ok('network', 'inspect', '-f', '{{.Name}} {{.Labels.x}}', 'net1'), 'net1 y');
    t.equal(await ok('network', 'rm', 'net1'), 'net1');
    t.match(await ok('system', 'df'), /^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages +2 /);
  });
});

t.equal(existsSync(socket), true);

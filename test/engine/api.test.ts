/** The Docker Engine API at its socket: Docker's own client where it is installed, and requests of our own. Runs the built dist/hull; engine and guests end with the test. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { startDockerRegistry } from '../images/docker-registry.ts';
import { lookUntil, waitUntil } from '../wait.ts';
import { makeBox, makeEngine, missing } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-api-'));
const { hull, socket, env, ask, start, removeAll } = makeEngine(folder);
/** Until a container has said it. */
const said = (name: string, text: string) => waitUntil(`${name} says ${text}`, async () => (await ok('logs', name)).includes(text));
const call = (...args: string[]) => execa('docker', args, { env, extendEnv: false, reject: false, input: '', timeout: 600_000 });
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
  for (let minor = 24; minor <= 47; minor++) {
    const answer = await ask('GET', `/v1.${minor}/containers/json`);
    t.equal(answer.status, 200, `version 1.${minor}`);
    t.equal(answer.headers['api-version'], '1.47', 'what the engine speaks, not what was asked');
  }
  const errors: readonly [string, string, number, RegExp, unknown?][] = [
    ['GET', '/v1.48/info', 400, /^client version 1\.48 is too new\. Maximum supported API version is 1\.47$/],
    ['GET', '/v1.23/info', 400, /^client version 1\.23 is too old\. Minimum supported API version is 1\.24/],
    ['GET', '/v2.0/info', 400, /^client version 2\.0 is too new/],
    ['GET', '/containers/json?filters={"status":["none"]}', 400, /^invalid filter 'status=none'$/],
    ['GET', '/containers/json?filters={"colour":["red"]}', 400, /^invalid filter 'colour'$/],
    ['GET', '/containers/json?filters={"name":["("]}', 400, /^invalid filter 'name=\('$/],
    ['GET', '/v1.99/info', 400, /^client version 1\.99 is too new\. Maximum supported API version is 1\.47$/],
    ['GET', '/v1.12/info', 400, /^client version 1\.12 is too old/],
    ['GET', '/nowhere', 404, /^page not found$/],
    ['GET', '/containers/none/json', 404, /^No such container: none$/],
    ['POST', '/containers/create', 400, /invalid JSON: expected an object/, []],
    ['POST', '/containers/create', 400, /expected true or false/, { Image: 'x', Tty: 'yes' }],
    ['POST', '/containers/create', 400, /expected a list of numbers/, { Image: 'x', HostConfig: { ConsoleSize: 'large' } }],
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
  const run = (...args: string[]) => execa(hull, ['engine', ...args], { env, extendEnv: false, reject: false, timeout: 600_000 });
  t.match((await run('-H', 'tcp://127.0.0.1:0')).stderr, /Cannot listen on "tcp:\/\/127\.0\.0\.1:0": without --tlscacert/);
  t.match((await run('-H', `unix://${socket}`)).stderr, /another engine listens there/);
  t.match((await run('-H', 'nowhere')).stderr, /no such form, expected unix:/);
  const place = join(folder, 'grouped.sock');
  // Root may give it to any group, others to one of theirs.
  const group = process.getuid?.() === 0 ? 1234 : (process.getgid?.() as number);
  const grouped = await start(['--group', String(group)], place);
  t.match(statSync(place), { gid: group, uid: process.getuid?.() });
  t.equal(statSync(place).mode & 0o777, 0o660);
  await grouped.end();
  t.match((await run('-H', `unix://${place}`, '--group', 'no-such-group')).stderr, /Cannot give the socket to "no-such-group": no such group/);
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
    const piped = await execa('docker', ['run', '--rm', '-i', 'box:1', 'cat'], { env, extendEnv: false, input: 'input\n'.repeat(10_000), timeout: 600_000 });
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
    const follow = execa('docker', ['logs', '-f', 'back'], { env, extendEnv: false, reject: false, timeout: 600_000 });
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
    await waitUntil('it has been restarted twice', async () => (await ok('inspect', '-f', '{{.RestartCount}} {{.State.Status}}', 'again')) === '2 exited');
    t.equal(await ok('logs', 'again'), 'run\nrun\nrun');
    await ok('rm', 'again');
  });

  await t.test('further processes, use, archives, builds', async (t) => {
    await ok('run', '-d', '--name', 'host', 'box:1', 'sh', '-c', 'while :; do sleep 0.1; done');
    t.match(await call('exec', 'host', 'sh', '-c', 'echo out; echo err >&2; exit 5'), { exitCode: 5, stdout: 'out', stderr: 'err' });
    t.match(await call('exec', 'host', 'nothing'), { exitCode: 127, stdout: /executable file not found in \$PATH/ });
    const piped = await execa('docker', ['exec', '-i', 'host', 'cat'], { env, extendEnv: false, input: 'input\n'.repeat(10_000), timeout: 600_000 });
    t.equal(piped.stdout, 'input\n'.repeat(10_000).trimEnd());
    // The client shows zeros when no answer is there after two seconds.
    const stats = (format: string, wanted: RegExp) => lookUntil(() => ok('stats', '--no-stream', '--format', format, 'host'), (shown) => wanted.test(shown));
    const use = /^host [\d.]+MiB \/ 256MiB \d+$/;
    t.match(await stats('{{.Name}} {{.MemUsage}} {{.PIDs}}', use), use);
    t.match(await ok('top', 'host'), /^UID +PID +PPID +C +STIME +TTY +TIME +CMD\nroot +1 +0 .* sh -c while/);
    t.match(await ok('top', 'host', '-eLf'), /^UID +PID +PPID +LWP +C +NLWP +STIME +TTY +TIME +CMD\nroot +1 +0 +1 /);
    t.equal(await ok('exec', '-u', 'web', 'host', 'sh', '-c', 'id; echo $HOME'), 'uid=101(web) gid=102\n/srv');
    t.match(await call('exec', '-u', 'nobody', 'host', 'id'), { exitCode: 1, stderr: /unable to find user nobody: no matching entries in passwd file/ });
    const traffic = /^[\d.]+k?B \/ [\d.]+k?B$/;
    t.match(await stats('{{.NetIO}}', traffic), traffic);
    const shown = (...filters: string[]) => ok('ps', '--format', '{{.Names}}', ...filters.flatMap((each) => ['-f', each]));
    t.equal(await shown('name=^/host$', 'network=bridge', 'health=none', 'ancestor=box:1'), 'host');
    t.equal(await shown('health=starting'), '');
    t.equal(await shown('network=none', 'name=host'), '');
    t.equal((await execa(hull, ['ps', '-q', '-f', 'name=^/host$', '-f', 'network=user', '-f', 'ancestor=box'], { env, extendEnv: false })).stdout.length, 12, 'the same filters in hull ps');
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
    // Engine and commands at once: a name is one's, and so is a subnet.
    const racing = await Promise.all(Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? execa(hull, ['network', 'create', i < 4 ? 'race' : `race${i}`], { env, extendEnv: false, reject: false }) : call('network', 'create', i < 4 ? 'race' : `race${i}`))));
    t.equal(racing.filter(({ exitCode }) => exitCode === 0).length, 3, racing.map(({ stderr }) => stderr).join('\n'));
    t.equal(new Set((await ok('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Subnet}}', 'race', 'race4', 'race5')).split('\n')).size, 3);
    await ok('network', 'rm', 'race', 'race4', 'race5');
    await ok('network', 'create', '--label', 'x=y', 'net1');
    t.equal(await ok('network', 'inspect', '-f', '{{.Name}} {{.Labels.x}}', 'net1'), 'net1 y');
    t.equal(await ok('network', 'rm', 'net1'), 'net1');
    t.match(await ok('system', 'df'), /^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages +2 /);
  });

  await t.test('files: cp, diff, export, commit', async (t) => {
    await ok('run', '-d', '--name', 'files', 'box:1', 'sh', '-c', 'echo made > /made; rm /etc/passwd; echo there; while :; do sleep 0.1; done');
    await said('files', 'there');
    t.equal(await ok('diff', 'files'), 'C /etc\nD /etc/passwd\nA /made');
    const out = join(folder, 'out');
    mkdirSync(out);
    await ok('cp', 'files:/made', out);
    t.equal(readFileSync(join(out, 'made'), 'utf8'), 'made\n');
    mkdirSync(join(out, 'in/below'), { recursive: true });
    writeFileSync(join(out, 'in/below/file'), 'copied\n');
    await ok('cp', join(out, 'in'), 'files:/tmp');
    t.equal(await ok('exec', 'files', 'cat', '/tmp/in/below/file'), 'copied');
    t.match((await call('cp', 'files:/nothing', out)).stderr, /Could not find the file \/nothing in container files/);
    const piped = await execa('docker', ['cp', 'files:/tmp/in', '-'], { env, extendEnv: false, encoding: 'buffer', timeout: 600_000 });
    t.match(execFileSync('tar', ['t'], { input: piped.stdout, encoding: 'utf8' }), /^in\/\nin\/below\/\nin\/below\/file\n$/);
    const exported = join(folder, 'exported.tar');
    await ok('export', '-o', exported, 'files');
    t.match(execFileSync('tar', ['tf', exported], { encoding: 'utf8' }), /^made$/m);
    const id = await ok('commit', '-m', 'why', '-a', 'who', '-c', 'CMD ["cat", "/made"]', '-c', 'LABEL x=y', 'files', 'kept:1');
    t.match(id, /^sha256:[0-9a-f]{64}$/);
    t.match(JSON.parse(await ok('inspect', 'kept:1'))[0], { Id: id, Author: 'who', Config: { Cmd: ['cat', '/made'], Labels: { x: 'y' } } });
    t.equal(await ok('run', '--rm', 'kept:1'), 'made');
    await ok('rm', '-f', 'files');
    t.match(await ok('rmi', 'kept:1'), /^Untagged: kept:1\nDeleted: sha256:/);
  });

  await t.test('terminals: run -it, attach, exec -it, keys to leave by', async (t) => {
    // What is typed waits for what is on the screen.
    const type = async (command: string, ...steps: readonly (readonly [RegExp, string])[]) => {
      const child = execa('script', ['-qefc', `stty rows 31 cols 97; ${command}`, '/dev/null'], { env: { ...env, TERM: 'xterm' }, extendEnv: false, reject: false, timeout: 600_000 });
      let screen = '';
      const left = [...steps];
      child.stdout?.on('data', (bytes: Buffer) => {
        screen += bytes.toString().replaceAll('\u001b[6n', ''); // busybox asks where the cursor is
        while (left[0]?.[0].test(screen)) child.stdin?.write((left.shift() as readonly [RegExp, string])[1]);
      });
      const { exitCode } = await child;
      return { screen, exitCode };
    };
    // The client says its window's size when it creates, and once more when the machine runs: the program may have asked by then.
    const created = await ask('POST', '/containers/create', { Image: 'box:1', Cmd: ['stty', 'size'], Tty: true, OpenStdin: true, HostConfig: { ConsoleSize: [31, 97] } });
    const { Id: sized } = JSON.parse(created.body);
    await ok('start', sized);
    t.equal(await ok('wait', sized), '0');
    t.equal((await ok('logs', sized)).trim(), '31 97');
    await ok('rm', sized);
    const ran = await type('docker run -it --rm --name pty box:1 sh', [/# $/, 'stty size; tty\n'], [/\/dev\/\S+\r\n.*# $/, 'exit 6\n']);
    t.match(ran.screen, /31 97\r\n\/dev\/(pts\/0|console|tty\w*)\r\n/);
    t.equal(ran.exitCode, 6);
    const left = await type('docker run -it --name pty box:1 sh', [/# $/, 'echo one$((1))\n'], [/one1\r\n.*# $/, '\x10\x11']);
    t.match(left, { exitCode: 0, screen: /one1/ });
    t.equal(await ok('inspect', '-f', '{{.State.Status}}', 'pty'), 'running', 'leaving ends nothing');
    const inside = await type("docker exec -it --detach-keys a,b pty sh", [/# $/, 'echo two$((2))\n'], [/two2\r\n.*# $/, 'ab']);
    t.match(inside, { exitCode: 1, screen: /two2[^]*read escape sequence/ }, 'the client’s own words');
    const again = await type('docker attach pty', [/./s, ''], [/^/, '\necho three$((3))\n'], [/three3\r\n.*# $/, 'exit 7\n']);
    t.match(again, { exitCode: 7, screen: /three3/ });
    await ok('rm', 'pty');
  });

  await t.test('looking on and taking part', async (t) => {
    await ok('run', '-d', '-i', '--name', 'look', '-p', '127.0.0.1::80', '--label', 'l=1', 'box:1', 'sh', '-c', 'echo ready; cat; exit 4');
    await said('look', 'ready');
    t.match(await ok('port', 'look'), /^80\/tcp -> 127\.0\.0\.1:\d+$/);
    t.match(await ok('info', '--format', '{{.Containers}} {{.ContainersRunning}} {{.OSType}} {{.ServerVersion}}'), /^1 1 linux \d/);
    t.match(await ok('version', '--format', '{{.Server.APIVersion}} {{.Server.Os}}'), '1.47 linux');
    const attached = execa('docker', ['attach', 'look'], { env, extendEnv: false, reject: false, input: 'through\n', timeout: 600_000 });
    await said('look', 'through');
    const waiting = ok('wait', 'look');
    t.equal(await ok('kill', '-s', 'KILL', 'look'), 'look');
    t.equal(await waiting, '137');
    t.match(await attached, { stdout: 'through', exitCode: 137 }, 'the end of its input is not that of the container’s');
    t.equal(await ok('restart', '-t', '1', 'look'), 'look');
    t.equal(await ok('update', '--restart', 'no', 'look'), 'look');
    t.match(await ok('ps', '--no-trunc', '--format', '{{.Ports}} {{.Status}} {{.Networks}} {{.Size}}'), /^127\.0\.0\.1:\d+->80\/tcp Up .* bridge .*B/);
    await ok('rm', '-f', 'look');
  });

  await t.test('networks: names, connect, disconnect; what prunes leave', async (t) => {
    await ok('network', 'create', '--subnet', '172.31.9.0/24', 'front');
    await ok('run', '-d', '--name', 'server', '--network', 'front', '--network-alias', 'www', 'box:1', 'sh', '-c', 'echo page > /tmp/index.html; exec busybox httpd -f -p 80 -h /tmp');
    t.match(await ok('network', 'inspect', '-f', '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}', 'front'), /^server 172\.31\.9\.\d+\/24$/);
    await ok('create', '--name', 'client', 'box:1', 'sh', '-c', 'while ! wget -q -O - http://www/; do sleep 0.2; done');
    await ok('network', 'connect', '--alias', 'asker', 'front', 'client');
    t.equal(await ok('inspect', '-f', '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.Aliases}}{{end}}', 'client'), 'front [asker]');
    t.equal(await ok('start', '-a', 'client'), 'page');
    t.match((await call('network', 'rm', 'front')).stderr, /has active endpoints/);
    t.match((await call('network', 'disconnect', 'front', 'server')).stderr, /expected a stopped one/);
    await ok('rm', '-f', 'server');
    await ok('network', 'disconnect', 'front', 'client');
    t.equal(await ok('inspect', '-f', '{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}}', 'client'), 'none');
    t.equal(await ok('volume', 'create', 'left'), 'left');
    t.match(await ok('network', 'prune', '-f'), /^Deleted Networks:\nfront\n*$/);
    t.match(await ok('container', 'prune', '-f'), /^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: /);
    t.match(await ok('volume', 'prune', '-af'), /^Deleted Volumes:\nleft\n\nTotal reclaimed space: 0B$/);
    t.match(await ok('image', 'prune', '-f'), /Total reclaimed space: /);
    t.match(await ok('system', 'prune', '-f'), /Total reclaimed space: 0B$/);
    t.match((await call('swarm', 'init')).stderr, /Cannot begin a swarm/);
    t.match((await call('secret', 'ls')).stderr, /not a swarm manager/);
    t.equal(await ok('plugin', 'ls', '-q'), '');
  });

  await t.test('a registry, with the client’s own credentials', { skip: missing('docker-registry', '--version') || missing('htpasswd', '-nb', 'a', 'b') }, async (t) => {
    const users = join(folder, 'users');
    execFileSync('htpasswd', ['-Bbc', users, 'somebody', 'secret'], { stdio: 'ignore' });
    const registry = await startDockerRegistry(folder, 'registry', `auth:\n  htpasswd:\n    realm: test\n    path: ${users}\n`);
    t.teardown(() => registry.child.kill('SIGKILL'));
    const name = `${registry.host}/some/box:1`;
    await ok('tag', 'box:1', name);
    t.match((await call('push', name)).stderr, /unauthorized|authentication required|401|denied/i);
    t.match((await call('login', '-u', 'somebody', '-p', 'wrong', registry.host)).stderr, /unauthorized|denied|401|incorrect/i);
    t.match(await ok('login', '-u', 'somebody', '-p', 'secret', registry.host), /Login Succeeded/);
    // The client keeps them in a place of its own, and the engine has another.
    t.match(await ok('push', name), /1: digest: sha256:[0-9a-f]{64} size: \d+$/);
    await ok('rmi', name);
    t.match(await ok('pull', name), /Status: Downloaded newer image for .*\/some\/box:1/);
    await ok('rmi', name);
  });
});

t.test('numbers for Prometheus, and TCP for who has a certificate', async (t) => {
  t.equal((await ask('GET', '/metrics')).status, 404, 'only when asked for');
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  for (const name of ['authority', 'engine', 'client', 'stranger']) openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', at(`${name}-key.pem`), '-out', at(`${name}-self.pem`), '-addext', 'subjectAltName=IP:127.0.0.1');
  for (const name of ['engine', 'client']) {
    openssl('req', '-new', '-key', at(`${name}-key.pem`), '-subj', `/CN=${name}`, '-out', at(`${name}.csr`));
    writeFileSync(at('names'), 'subjectAltName=IP:127.0.0.1\n');
    openssl('x509', '-req', '-in', at(`${name}.csr`), '-CA', at('authority-self.pem'), '-CAkey', at('authority-key.pem'), '-CAcreateserial', '-days', '2', '-extfile', at('names'), '-out', at(`${name}.pem`));
  }
  const secured = await start(['-H', 'tcp://127.0.0.1:0', '--tlsverify', '--tlscacert', at('authority-self.pem'), '--tlscert', at('engine.pem'), '--tlskey', at('engine-key.pem'), '--metrics'], join(folder, 'second.sock'));
  t.teardown(() => secured.end());
  const port = Number(/tcp:\/\/127\.0\.0\.1:(\d+)/.exec(secured.said())?.[1]);
  const get = (path: string, who?: { cert: string; key: string }) =>
    new Promise<string>((resolve) => {
      const files = who === undefined ? {} : { cert: readFileSync(at(who.cert)), key: readFileSync(at(who.key)) };
      httpsRequest({ host: '127.0.0.1', port, path, ca: readFileSync(at('authority-self.pem')), ...files }, (response) => {
        let text = '';
        response.on('data', (part: Buffer) => {
          text += part.toString();
        });
        response.on('end', () => resolve(text));
      })
        .on('error', (error: NodeJS.ErrnoException) => resolve(`refused: ${error.code}`))
        .end();
    });
  t.match(await get('/_ping'), /^refused: /, 'nobody without a certificate');
  t.match(await get('/_ping', { cert: 'stranger-self.pem', key: 'stranger-key.pem' }), /^refused: /, 'nor with one of another authority');
  t.equal(await get('/_ping', { cert: 'client.pem', key: 'client-key.pem' }), 'OK');
  const metrics = await get('/metrics', { cert: 'client.pem', key: 'client-key.pem' });
  t.match(metrics, /^engine_daemon_container_states_containers\{state="running"\} 0$/m);
  t.match(metrics, /^hull_api_answers_total\{method="GET",code="200"\} \d+$/m);
  for (const line of metrics.split('\n')) t.match(line, /^(# (HELP|TYPE) .*|[a-z_]+(\{.*\})? [\d.e+-]+|)$/);
});

t.equal(existsSync(socket), true);

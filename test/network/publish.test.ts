/** What `--network`, `-p` and the options about names mean on the host: grammar, ports that are had or refused, relays, the files that a machine gets. Loopback only. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { makeGuestFiles, parseResolver } from '../../engine/networks/files.ts';
import { parsePublish } from '../../engine/networks/ports.ts';
import { startRelay } from '../../engine/networks/relay.ts';
import { holdTcp, holdUdp } from '../../engine/networks/reserve.ts';
import { findPort, hasIpv6 } from '../ports.ts';
import { lookUntil, waitUntil } from '../wait.ts';

const hull = resolve('dist/hull');
const scratch = mkdtempSync(join(tmpdir(), 'hull-publish-'));
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(scratch, 'state') };
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

function run(command: string, args: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(command, args, { env, timeout: 600_000 }, (error, stdout, stderr) => done({ status: error ? Number(error.code ?? 255) : 0, stdout, stderr }));
  });
}

t.test('ports as Docker reads them', async (t) => {
  const read = (text: string) => parsePublish(text).map(({ protocol, address, host, guest }) => `${protocol} ${address} ${host.join('-')} ${guest}`);
  for (const [text, ...wanted] of [
    ['80', 'tcp  0-0 80'],
    ['8080:80', 'tcp  8080-8080 80'],
    ['8080:80/UDP', 'udp  8080-8080 80'],
    ['127.0.0.1:8080:80', 'tcp 127.0.0.1 8080-8080 80'],
    ['127.0.0.1::80', 'tcp 127.0.0.1 0-0 80'],
    ['[::1]:8080:80', 'tcp ::1 8080-8080 80'],
    ['[::]::80/udp', 'udp :: 0-0 80'],
    ['::1:8080:80', 'tcp ::1 8080-8080 80'],
    ['8000-8001:80-81', 'tcp  8000-8000 80', 'tcp  8001-8001 81'],
    ['80-81', 'tcp  0-0 80', 'tcp  0-0 81'],
    ['8000-9000:80', 'tcp  8000-9000 80'],
    ['0:80', 'tcp  0-0 80'],
  ] as const) {
    t.strictSame(read(text), wanted, text);
  }
  for (const [text, message] of [
    ['abc', 'invalid containerPort: abc'],
    ['0', 'invalid containerPort: 0'],
    ['8080:', 'no port specified: 8080:<empty>'],
    ['x:80', 'invalid hostPort: x'],
    ['65536:80', 'invalid hostPort: 65536'],
    ['80:65536', 'invalid containerPort: 65536'],
    ['9-8:80', 'invalid hostPort: 9-8'],
    ['1.2.3:80:80', 'invalid IP address: 1.2.3'],
    ['[::g]:80:80', 'invalid IP address: ::g'],
    ['80/foo', 'invalid proto: foo'],
    ['8000-8001:80-85', 'invalid ranges specified for container and host Ports: 80-85 and 8000-8001'],
  ] as const) {
    t.throws(() => parsePublish(text), { message, code: 'option-invalid' }, text);
  }
});

t.test('the files of a machine', async (t) => {
  const names = { dns: [], dnsSearch: ['.'], dnsOptions: ['ndots:2'], addHosts: ['db:10.0.0.7', 'six=[fd00::1]', 'host:host-gateway'] };
  const network = { servers: ['10.0.2.3'], gateway: '10.0.2.2', addresses: ['10.0.2.15', 'fec0::15'] };
  const files = Object.fromEntries(makeGuestFiles('web.example.org', names, network).map(({ path, content }) => [path, content]));
  t.equal(files['/etc/hostname'], 'web.example.org\n');
  t.equal(files['/etc/resolv.conf'], 'nameserver 10.0.2.3\noptions ndots:2\n');
  const hosts = files['/etc/hosts'] as string;
  for (const line of ['127.0.0.1\tlocalhost', '10.0.0.7\tdb', 'fd00::1\tsix', '10.0.2.2\thost', '10.0.2.15\tweb.example.org web', 'fec0::15\tweb.example.org web']) {
    t.ok(hosts.split('\n').includes(line), line);
  }
  t.strictSame(parseResolver('# c\nnameserver 1.1.1.1\nsearch a b\ndomain c ; d\nnameserver ::1\noptions x y\noptions z\nnameserver'), {
    servers: ['1.1.1.1', '::1'],
    search: ['a', 'b'],
    options: ['x', 'y', 'z'],
  });
});

t.test('a relay passes bytes, ends and datagrams', async (t) => {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const target = { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const port = await findPort();
  const end = await startRelay({ protocol: 'tcp', address: '127.0.0.1', port, target });
  const client = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  client.on('data', (chunk) => chunks.push(chunk));
  const sent = Buffer.alloc(3_000_000, 'relay');
  client.end(sent); // half closed: the answer still comes
  await once(client, 'end');
  t.ok(Buffer.concat(chunks).equals(sent));
  const idle: Socket = connect(port, '127.0.0.1');
  await once(idle, 'connect');
  end();
  await once(idle, 'close');
  t.equal((await once(connect(port, '127.0.0.1'), 'error'))[0].code, 'ECONNREFUSED');
  server.close();

  const echo = createSocket('udp4');
  echo.on('message', (bytes, from) => echo.send(bytes, from.port, from.address));
  await new Promise<void>((done) => void echo.bind(0, '127.0.0.1', done));
  const endUdp = await startRelay({ protocol: 'udp', address: '127.0.0.1', port, target: { address: '127.0.0.1', port: echo.address().port } });
  const peers = [createSocket('udp4'), createSocket('udp4')];
  const answers = await Promise.all(
    peers.map(async (peer, i) => {
      peer.send(`datagram ${i}`, port, '127.0.0.1');
      return String((await once(peer, 'message'))[0]);
    }),
  );
  t.strictSame(answers, ['datagram 0', 'datagram 1']);
  endUdp();
  for (const peer of [...peers, echo]) peer.close();
});

t.test('ports are had before the machine starts, refused with their holder, and free when it ends', async (t) => {
  const image = join(scratch, 'busybox');
  t.equal((await run(hull, ['build', '--add', 'virtio-net', '-o', image, '/bin/busybox'])).status, 0);
  // What this host accelerates with is told once, and not below.
  t.equal((await run(hull, ['run', '--entrypoint', 'true', image])).status, 0);
  const port = await findPort();
  const holder = createServer().listen(port, '127.0.0.1');
  await once(holder, 'listening');
  const refused = await run(hull, ['run', '-p', `127.0.0.1:${port}:80`, '--entrypoint', 'true', image]);
  t.equal(refused.status, 125);
  t.equal(refused.stderr, `hull: Bind for 127.0.0.1:${port} failed: port is already allocated, held by node (process ${process.pid})\n`);
  await new Promise((done) => holder.close(done));

  const ports = ['-p', `127.0.0.1:${port}:80`, '-p', `127.0.0.1:${port}:80/udp`, '-p', '127.0.0.1::81-83', ...(hasIpv6 ? ['-p', `[::1]:${port}:80`] : [])];
  const machine = spawn(hull, ['run', '--verbose', '--name', 'holder', ...ports, '--entrypoint', 'sleep', image, '600'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  machine.stderr.on('data', (chunk) => (said += String(chunk)));
  const isOpen = async (address: string) => {
    const socket = connect(port, address);
    const result = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false);
    socket.destroy();
    return result;
  };
  // Not by connecting: while hull makes sure of the ports it listens on them itself.
  await waitUntil('the machine is up, or has ended', () => machine.exitCode !== null || said.includes('the guest reads its channel'));
  if (hasIpv6) t.ok(await isOpen('::1'), `IPv6 as well; hull said: ${said}`);
  // The guest has no server yet: whoever comes waits in the host's queue, which has to hold more than one.
  // Where the queue is too short, somebody's second try comes after a second, however often one asks; a busy host is slow now and then.
  const comeAtOnce = async () => {
    const crowd = Array.from({ length: 40 }, () => connect(port, '127.0.0.1'));
    const begun = performance.now();
    await Promise.all(crowd.map((socket) => once(socket, 'connect')));
    for (const socket of crowd) socket.destroy();
    return performance.now() - begun;
  };
  const times: number[] = [];
  while (times.length < 20 && !times.some((time) => time < 900)) times.push(await comeAtOnce());
  t.ok(Math.min(...times) < 900, `forty at once: nobody tries a second time, after a second; ${times.map(Math.round).join(', ')} ms`);
  t.equal(said.match(/^hull: 8[123]\/tcp -> 127\.0\.0\.1:\d+$/gm)?.length, 3, 'what was chosen is told');
  const second = await run(hull, ['run', '-p', `${port}:80`, '--entrypoint', 'true', image]);
  t.match(second.stderr, new RegExp(`^hull: Bind for 0\\.0\\.0\\.0:${port} failed: port is already allocated, held by hull run holder \\(process \\d+\\)\n$`));
  t.ok(await isOpen('127.0.0.1'), 'the first keeps running');
  machine.kill('SIGKILL');
  await once(machine, 'exit');
  for (const address of ['127.0.0.1', ...(hasIpv6 ? ['::1'] : [])]) t.notOk(await lookUntil(() => isOpen(address), (found) => !found), `free soon, however it ends: ${address}`);

  const files = await run(hull, ['run', '--hostname', 'box', '--dns', '9.9.9.9', '--add-host', 'x:1.2.3.4', '--entrypoint', 'cat', image, '/etc/hostname', '/etc/resolv.conf', '/etc/hosts']);
  t.match(files.stdout, /^box\nnameserver 9\.9\.9\.9\n[\s\S]*1\.2\.3\.4\tx\n10\.0\.2\.15\tbox\n/);
  t.match((await run(hull, ['run', '-p', '80', '--network', 'none', '--entrypoint', 'true', image])).stderr, /^hull: Cannot publish a port of /);
  t.match((await run(hull, ['run', '-p', '0:80', '/bin/true'])).stderr, /^hull: Cannot /);
});

t.test('six ports at once, TCP and UDP; the same one twice; free at once after Ctrl-C', async (t) => {
  const program = join(scratch, 'ports');
  t.equal((await run('musl-gcc', ['-static', '-O2', 'test/network/guest/ports.c', '-o', program])).status, 0);
  const first = await findPort();
  const six = hasIpv6 ? '::1' : '127.0.0.1';
  const published = [
    { protocol: 'tcp', address: '127.0.0.1', port: first, guest: 81 },
    { protocol: 'udp', address: '127.0.0.1', port: first, guest: 81 }, // the same number
    { protocol: 'tcp', address: '127.0.0.1', port: await findPort(), guest: 82 },
    { protocol: 'tcp', address: six, port: await findPort(), guest: 83 },
    { protocol: 'udp', address: '127.0.0.1', port: await findPort(), guest: 84 },
    { protocol: 'udp', address: six, port: await findPort(), guest: 85 },
  ] as const;
  const options = published.flatMap(({ protocol, address, port, guest }) => ['-p', `${address.includes(':') ? `[${address}]` : address}:${port}:${guest}/${protocol}`]);
  const machine = spawn(hull, ['run', '--name', 'six', ...options, program], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  machine.stdout.on('data', (chunk) => (said += String(chunk)));
  await waitUntil('the machine is ready, or has ended', () => machine.exitCode !== null || said.includes('ready\n'));
  const ask = async ({ protocol, address, port }: (typeof published)[number]) => {
    if (protocol === 'tcp') {
      const socket = connect(port, address);
      socket.write('hello');
      return String((await once(socket, 'data'))[0]);
    }
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    // A datagram may be lost, and is sent again.
    const sending = setInterval(() => socket.send('hello', port, address), 5000);
    socket.send('hello', port, address);
    const [answer] = await once(socket, 'message');
    clearInterval(sending);
    socket.close();
    return String(answer);
  };
  const wanted = published.map(({ protocol, guest }) => `${protocol} ${guest} hello`);
  t.same(await Promise.all(published.map(ask)), wanted, 'each leads to its own');
  for (const { protocol, port } of published.slice(0, 2)) {
    const second = await run(hull, ['run', '-p', `127.0.0.1:${port}:81/${protocol}`, program]);
    t.equal(second.status, 125);
    t.match(second.stderr, new RegExp(`^hull: Bind for 127\\.0\\.0\\.1:${port} failed: port is already allocated, held by hull run six \\(process \\d+\\)\n$`));
  }
  t.same(await Promise.all(published.map(ask)), wanted, 'the first keeps running');
  const ended = once(machine, 'exit');
  machine.kill('SIGINT');
  const left = performance.now();
  await ended;
  const held = await Promise.all(published.map(({ protocol, address, port }) => (protocol === 'tcp' ? holdTcp : holdUdp)(address, port)));
  t.comment(`free after ${(performance.now() - left).toFixed(0)} ms`);
  t.equal(held.length, 6, 'all free as soon as hull has ended');
  await Promise.all(held.map((port) => port.release()));
});

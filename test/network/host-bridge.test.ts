/**
 * Networks on a bridge of the host (`hull network create --driver bridge`): names, published ports by DNAT, NAT, no other way in, and what is left behind when everything is killed. As root only: two network
 * namespaces of the test's own, hull in the first, a host that knows no way to the bridge in the second.
 */
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { formatRules } from '../../engine/networks/host-bridge.ts';
import { parseSubnet } from '../../engine/networks/subnets.ts';
import { askServers } from '../../engine/networks/switch/lookup.ts';
import { refuseLink } from './impaired.ts';

t.setTimeout(300_000);
const hasNft = spawnSync('nft', ['--version'], { stdio: 'ignore' }).status === 0;
const skip = refuseLink() ?? (hasNft ? false : 'this host has no nft command');
const [INSIDE, OUTSIDE] = ['192.0.2.2', '192.0.2.1'];
const BYTES = '300000';
const PATIENCE = 60_000;

/** 0 and -1 would be more than one process. */
function requirePid(pid: number | undefined): number {
  if (pid === undefined || !(pid > 1)) throw new Error(`${pid} is no process`);
  return pid;
}

t.test('the rules as text', async (t) => {
  const subnet = parseSubnet('172.18.0.0/16');
  if (subnet === undefined) throw new Error('a subnet');
  const network = { name: 'web', id: 'd6347841c75dc650', subnet, isInternal: false };
  const target = { address: '172.18.0.2', port: 80 };
  const text = formatRules(network, [
    { protocol: 'tcp', address: '0.0.0.0', port: 8080, target },
    { protocol: 'udp', address: '192.0.2.2', port: 53, target },
    { protocol: 'tcp', address: '::1', port: 8081, target },
  ]);
  t.match(text, 'iifname != "hulld6347841c7" fib daddr type local tcp dport 8080 dnat to 172.18.0.2:80\n');
  t.match(text, 'iifname != "hulld6347841c7" ip daddr 192.0.2.2 udp dport 53 dnat to 172.18.0.2:80\n');
  t.notMatch(text, '8081', 'IPv6 is relayed');
  t.match(text, 'ip saddr 172.18.0.0/16 oifname != "hulld6347841c7" masquerade\n');
  const internal = formatRules({ ...network, isInternal: true }, []);
  t.notMatch(internal, 'masquerade');
  t.match(internal, 'iifname "hulld6347841c7" drop\n');
});

t.test('a name server that there is no way to', async (t) => {
  t.equal(await askServers(['255.255.255.255'], Buffer.alloc(12)), undefined, 'a socket may not send to everybody unless it says so: as without a route');
});

t.test('a network on a bridge', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hull-host-bridge-'));
  const [host, beyond] = ['host', 'beyond'].map((side) => `hull-nat-${process.pid}-${side}`) as [string, string];
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state'), TMPDIR: folder, XDG_RUNTIME_DIR: '' };
  const hull = resolve('dist/hull');
  const bulk = join(folder, 'bulk');
  const names = resolve('build/guest/musl/names');
  const ip = (...args: string[]) => void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const within = (namespace: string, command: string, ...args: string[]) =>
    new Promise<string>((done, fail) => {
      execFile('ip', ['netns', 'exec', namespace, command, ...args], { env, timeout: PATIENCE }, (error, stdout, stderr) => (error === null ? done(stdout) : fail(new Error(`${error.message}${stdout}${stderr}`))));
    });
  const run = (...args: string[]) => within(host, hull, ...args);
  /** Until there is an answer. */
  const retry = async <T>(attempt: () => Promise<T>): Promise<T> => {
    for (const limit = Date.now() + PATIENCE; ; ) {
      try {
        return await attempt();
      } catch (error) {
        if (Date.now() > limit) throw error;
        await new Promise((done) => setTimeout(done, 100));
      }
    }
  };
  const rules = () => within(host, 'nft', 'list', 'ruleset');
  const retryUntilGone = (what: RegExp) => retry(async () => what.test(await rules()) && Promise.reject(new Error(`${what} is still there`)));
  let server: ChildProcess | undefined;
  t.teardown(async () => {
    if (server !== undefined && server.exitCode === null) {
      server.kill('SIGKILL');
      await once(server, 'exit');
    }
    await run('rm', '-f', 'first', 'second').catch(() => {});
    for (const name of [host, beyond]) spawnSync('ip', ['netns', 'del', name]);
    rmSync(folder, { recursive: true, force: true });
  });

  execFileSync('musl-gcc', ['-static', '-O2', 'test/network/guest/bulk.c', '-o', bulk], { stdio: 'inherit' });
  for (const name of [host, beyond]) ip('netns', 'add', name);
  for (const name of [host, beyond]) ip('-n', name, 'link', 'set', 'lo', 'up');
  ip('-n', host, 'link', 'add', 'way', 'type', 'veth', 'peer', 'name', 'way', 'netns', beyond);
  for (const [name, address] of [[host, INSIDE], [beyond, OUTSIDE]] as const) {
    ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'way');
    ip('-n', name, 'link', 'set', 'way', 'up');
  }
  const before = await within(host, 'ip', '-o', 'link');

  await run('network', 'create', '--driver', 'bridge', 'web');
  t.match(await run('network', 'ls'), /web +bridge +local/);
  t.match(await run('network', 'inspect', 'web'), '"Driver": "bridge"');
  await t.rejects(run('network', 'create', '--driver', 'overlay', 'other'), /could not find plugin overlay/);
  await t.rejects(run('network', 'create', '--driver', 'bridge', '--subnet', '192.0.2.0/24', 'other'), /Pool overlaps with other one on this address space: 192\.0\.2\.0\/24 and network "interface way"/);

  await run('run', '-d', '--name', 'first', '--network', 'web', '-m', '32m', '-p', '9000:9000', bulk, 'serve');
  t.equal(await run('port', 'first'), '9000/tcp -> 0.0.0.0:9000\n');
  const address = /"IPv4Address": "([0-9.]+)/.exec(await run('network', 'inspect', 'web'))?.[1] ?? '';
  t.match(await retry(() => within(beyond, bulk, 'get', INSIDE, BYTES)), /^ok /, 'from elsewhere, by the published port');
  t.match(await within(host, bulk, 'put', '127.0.0.1', BYTES), /^ok /, 'from this host');
  t.match(await within(host, bulk, 'put', address, BYTES), /^ok /, 'from this host, by its address');
  ip('-n', beyond, 'route', 'add', address, 'via', INSIDE);
  await t.rejects(within(beyond, 'timeout', '1', bulk, 'get', address, '10'), 'not from elsewhere by its address, even where the way is known');
  t.match(await run('run', '--rm', '--network', 'web', '-m', '32m', names, 'get', 'first', 'absent').catch((error: Error) => error.message), /^(?!no such name).*\nno such name$/m, 'by its name');
  t.match(await run('run', '--rm', '--network', 'web', '-m', '32m', bulk, 'get', address, BYTES), /^ok /, 'from another machine');
  server = spawn('ip', ['netns', 'exec', beyond, bulk, 'serve'], { stdio: 'ignore' });
  t.match(await retry(() => run('run', '--rm', '--network', 'web', '-m', '32m', bulk, 'get', OUTSIDE, BYTES)), /^ok /, 'through NAT, to a host that knows no way back');
  await t.rejects(run('run', '--rm', '--network', 'web', '-p', '9000:9000', bulk, 'serve'), /Bind for 0\.0\.0\.0:9000 failed: port is already allocated, held by a machine on network web/);
  await t.rejects(run('network', 'rm', 'web'), /has active endpoints: first/);

  const { State } = (JSON.parse(await run('inspect', 'first')) as { State: { Pid: number } }[])[0] ?? {};
  process.kill(requirePid(State?.Pid), 'SIGKILL');
  await retryUntilGone(/dport 9000/);
  t.pass('no rule stays behind of a machine that was killed');

  await run('run', '-d', '--name', 'second', '--network', 'web', '-m', '32m', '-p', '9001:9000', bulk, 'serve');
  const holder = /pid=(\d+)/.exec(await within(host, 'ss', '-Hltnp', 'sport = :9001'))?.[1];
  process.kill(requirePid(Number(holder)), 'SIGKILL');
  await run('rm', '-f', 'second');
  t.match(await rules(), /dport 9001/, 'of a switch that was killed the rules stay');
  t.match(await run('run', '--rm', '--network', 'web', '-m', '32m', bulk, 'get', OUTSIDE, '10'), /^ok /);
  t.notMatch(await rules(), /dport 9001/, 'until the next one starts');

  await retry(() => run('network', 'rm', 'web'));
  t.equal(await rules(), '', 'no table is left');
  t.equal(await within(host, 'ip', '-o', 'link'), before, 'nor a bridge');
});

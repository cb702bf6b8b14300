/**
 * Machines on a bridge (`--network bridge:NAME`): they reach each other, others reach them by address and by a published port, and they reach what lies behind the host by NAT
 * of nftables, in the administrator's three lines (engine/networks/README.md). As root only: two network namespaces of the test's own, hull and the bridge in the first, a host
 * that knows no way to the bridge's network in the second.
 */
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { refuseLink } from './impaired.ts';

t.setTimeout(840_000);
const hasNft = spawnSync('nft', ['--version'], { stdio: 'ignore' }).status === 0;
const skip = refuseLink() ?? (hasNft ? false : 'this host has no nft command');
if (skip !== false) console.error(`bridge.test: bridges are not tried: ${skip}`);

const BRIDGE = 'hullbr0';
const GATEWAY = '10.77.0.1';
const [FIRST, SECOND] = ['10.77.0.5', '10.77.0.6'];
const [INSIDE, OUTSIDE] = ['192.0.2.2', '192.0.2.1'];
const NAT = `add table ip hull
add chain ip hull out { type nat hook postrouting priority srcnat; }
add rule ip hull out ip saddr 10.77.0.0/24 oifname != "${BRIDGE}" masquerade
`;
const BYTES = '300000';
const PATIENCE = 240_000;

t.test('machines on a bridge', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hull-bridge-'));
  const [host, beyond] = ['host', 'beyond'].map((side) => `hull-bridge-${process.pid}-${side}`) as [string, string];
  const ip = (...args: string[]) => void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const within = (namespace: string, command: string, ...args: string[]) =>
    new Promise<string>((done, fail) => {
      execFile('ip', ['netns', 'exec', namespace, command, ...args], { env, timeout: PATIENCE }, (error, stdout, stderr) => (error === null ? done(stdout) : fail(new Error(`${error.message}${stdout}${stderr}`))));
    });
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state') };
  const bulk = join(folder, 'bulk');
  const children: ChildProcess[] = [];
  const start = (namespace: string, ...command: string[]) => {
    const child = spawn('ip', ['netns', 'exec', namespace, ...command], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    children.push(child);
    return child;
  };
  const hullOn = (address: string, ...rest: string[]) => [resolve('dist/hull'), 'run', '-m', '32m', '--network', `bridge:${BRIDGE}`, '--ip', address, ...rest];
  t.teardown(async () => {
    for (const child of children) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
    for (const name of [host, beyond]) spawnSync('ip', ['netns', 'del', name]);
    rmSync(folder, { recursive: true, force: true });
  });

  execFileSync('musl-gcc', ['-static', '-O2', 'test/network/guest/bulk.c', '-o', bulk], { stdio: 'inherit' });
  for (const name of [host, beyond]) ip('netns', 'add', name);
  ip('-n', host, 'link', 'set', 'lo', 'up');
  ip('-n', host, 'link', 'add', BRIDGE, 'type', 'bridge');
  ip('-n', host, 'addr', 'add', `${GATEWAY}/24`, 'dev', BRIDGE);
  ip('-n', host, 'link', 'set', BRIDGE, 'up');
  ip('-n', host, 'link', 'add', 'way', 'type', 'veth', 'peer', 'name', 'way', 'netns', beyond);
  for (const [name, address] of [[host, INSIDE], [beyond, OUTSIDE]] as const) {
    ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'way');
    ip('-n', name, 'link', 'set', 'way', 'up');
  }
  await within(host, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  execFileSync('ip', ['netns', 'exec', host, 'nft', '-f', '-'], { input: NAT, stdio: ['pipe', 'inherit', 'inherit'] });
  await t.rejects(within(beyond, 'ip', 'route', 'get', FIRST), 'the other host knows no way to the bridge');

  const server = start(host, ...hullOn(FIRST, '-p', '9000:9000', bulk, 'serve'));
  start(beyond, bulk, 'serve');
  for (const limit = Date.now() + PATIENCE; ; ) {
    const answered = await within(host, bulk, 'get', FIRST, '1000').catch((error: Error) => error);
    if (typeof answered === 'string') break;
    if (Date.now() > limit || server.exitCode !== null) throw answered;
    await new Promise((done) => setTimeout(done, 200));
  }
  t.match(await within(host, bulk, 'put', FIRST, BYTES), /^ok /, 'from the host, by its address');
  t.match(await within(beyond, bulk, 'get', INSIDE, BYTES), /^ok /, 'from elsewhere, by the published port');
  t.match(await within(host, ...(hullOn(SECOND, bulk, 'get', FIRST, BYTES) as [string, ...string[]])), /^ok /, 'from another machine on the bridge');
  t.match(await within(host, ...(hullOn(SECOND, bulk, 'get', OUTSIDE, BYTES) as [string, ...string[]])), /^ok /, 'through NAT, to a host that knows no way back');
  t.equal(await within(host, 'sh', '-c', `ls /sys/class/net/${BRIDGE}/brif | wc -l`), '1\n', 'the card of the machine that has ended is gone');
  server.kill('SIGTERM');
  await once(server, 'exit');
  t.equal(await within(host, 'sh', '-c', `ls /sys/class/net/${BRIDGE}/brif | wc -l`), '0\n');
});

/** Named networks: the switch's codecs and rules on bytes, hostile ones too; then machines that find each other by name, and those that must not. Needs neither root nor a network. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { parseSubnet, pickSubnet } from '../../engine/networks/subnets.ts';
import { createSwitch } from '../../engine/networks/switch/core.ts';
import { answerDhcp } from '../../engine/networks/switch/dhcp.ts';
import { decodeQuestion, encodeAnswer } from '../../engine/networks/switch/dns.ts';
import { lookUntil } from '../wait.ts';
import { decodeIpv4, decodeUdp, encodeUdp, parseMacText } from '../../engine/networks/switch/frames.ts';

const hull = resolve('dist/hull');
const scratch = mkdtempSync(join(tmpdir(), 'hull-nets-'));
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(scratch, 'state'), XDG_RUNTIME_DIR: scratch };
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
t.setTimeout(840_000);

function run(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(hull, args, { env, timeout: 600_000 }, (error, stdout, stderr) => done({ status: error ? Number(error.code ?? 255) : 0, stdout, stderr }));
  });
}

const SUBNET = { base: 0xac120000, prefix: 16 };
const query = (name: string, type = 1) =>
  Buffer.concat([Buffer.from([7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), ...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])), Buffer.from([0, 0, type, 0, 1])]);

/** A switch with two members and what each was sent. */
function makeSwitch() {
  const forwarded: Buffer[] = [];
  const core = createSwitch({
    name: 'front',
    subnet: SUBNET,
    async forward(message) {
      forwarded.push(Buffer.from(message));
      return undefined;
    },
  });
  const members = ['web', 'cli'].map((name) => {
    const member = core.join([name, `${name}-alias`]);
    if (member === undefined) throw new Error('no address');
    const got: Buffer[] = [];
    core.connect(member, (frame) => got.push(Buffer.from(frame)));
    return { member, got, mac: parseMacText(member.mac) };
  });
  return { core, forwarded, web: members[0]!, cli: members[1]! };
}

t.test('subnets', async (t) => {
  t.same(parseSubnet('172.18.0.0/16'), SUBNET);
  for (const text of ['172.18.0.1/16', '1.2.3.4', '1.2.3.0/30', '10.0.0.0/7', 'x/16', '10.0.0.0/16/3x', '']) t.equal(parseSubnet(text), undefined, text);
  t.same(pickSubnet([SUBNET]), { base: 0xac130000, prefix: 16 });
  t.same(pickSubnet([{ base: 0xac000000, prefix: 8 }]), { base: 0xc0a80000, prefix: 20 }, 'no overlap with a larger one');
});

t.test('frames go to whom they are for', async (t) => {
  const { core, web, cli } = makeSwitch();
  const third = core.join(['third'])!;
  const heard: Buffer[] = [];
  core.connect(third, (frame) => heard.push(frame));
  const frame = (to: Buffer, from: Buffer) => Buffer.concat([to, from, Buffer.from([0x88, 0xb5]), Buffer.alloc(50, 1)]);
  core.receive(web.member, frame(cli.mac, web.mac));
  t.same([cli.got.length, heard.length, web.got.length], [1, 0, 0], 'to one');
  core.receive(web.member, frame(Buffer.alloc(6, 255), web.mac));
  t.same([cli.got.length, heard.length, web.got.length], [2, 1, 0], 'to all others');
  core.receive(web.member, frame(cli.mac, cli.mac));
  core.receive(web.member, Buffer.alloc(5));
  t.equal(cli.got.length, 2, 'nobody speaks for another');
  core.leave(cli.member);
  core.receive(web.member, frame(cli.mac, web.mac));
  t.equal(cli.got.length, 2, 'nothing after the end');
  t.equal(core.join(['again'])?.address, cli.member.address, 'its address is free');
  t.equal(core.join(['taken'], web.member.address), undefined);
  t.equal(core.join(['gateway'], SUBNET.base + 1), undefined);
});

t.test('names', async (t) => {
  const { core, forwarded, web, cli } = makeSwitch();
  const gateway = parseMacText('02:42:ac:12:00:01');
  const ask = async (payload: Buffer) => {
    cli.got.length = 0;
    core.receive(cli.member, encodeUdp(gateway, cli.mac, { source: cli.member.address, sourcePort: 4000, destination: SUBNET.base + 1, port: 53, payload }));
    await new Promise((done) => setImmediate(done));
    return cli.got[0] === undefined ? undefined : decodeUdp(decodeIpv4(cli.got[0])!)!.payload;
  };
  for (const name of ['web', 'WEB', 'web-alias', 'web.front']) t.equal((await ask(query(name)))?.subarray(-4).toString('hex'), 'ac120002', name);
  const six = await ask(query('web', 28));
  t.same([six?.readUInt16BE(2), six?.readUInt16BE(6)], [0x8180, 0], 'there, without an IPv6 address');
  t.match((await ask(query('2.0.18.172.in-addr.arpa', 12)))?.toString('latin1'), '\x03web\x05front\x00');
  t.equal((await ask(query('9.9.18.172.in-addr.arpa', 12)))?.readUInt16BE(2), 0x8183, 'nobody has it');
  t.equal(forwarded.length, 0);
  t.equal((await ask(query('example.test')))?.readUInt16BE(2), 0x8182, 'the host has no answer');
  t.equal(forwarded.length, 1);
  t.equal(await ask(Buffer.from('nonsense')), undefined);
  core.leave(web.member);
  t.equal((await ask(query('web')))?.readUInt16BE(2), 0x8182);
});

t.test('DHCP', async (t) => {
  const lease = { address: 0xac120002, prefix: 16, server: 0xac120001 };
  const message = (type: number, ...options: number[]) => {
    const bytes = Buffer.alloc(240);
    bytes.writeUInt32BE(0x01010600, 0);
    bytes.writeUInt32BE(0xfeedbeef, 4);
    bytes.writeUInt32BE(0x63825363, 236);
    return Buffer.concat([bytes, Buffer.from([53, 1, type, ...options, 255])]);
  };
  const offer = answerDhcp(message(1), lease)!;
  t.same([offer.readUInt32BE(4), offer.readUInt32BE(16), offer[242]], [0xfeedbeef, lease.address, 2]);
  t.ok(offer.includes(Buffer.from([1, 4, 255, 255, 0, 0])), 'mask');
  t.equal(answerDhcp(message(3, 50, 4, 172, 18, 0, 2), lease)?.[242], 5);
  t.equal(answerDhcp(message(3, 50, 4, 172, 18, 0, 9), lease)?.[242], 6, 'another address is refused');
  t.equal(answerDhcp(message(3, 54, 4, 172, 18, 0, 9), lease), undefined, 'another server is meant');
  t.equal(answerDhcp(message(4), lease), undefined);
  t.equal(answerDhcp(message(1).subarray(0, 242), lease), undefined);
});

t.test('hostile frames', async (t) => {
  const { core, web, cli } = makeSwitch();
  let state = 12345;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const gateway = parseMacText('02:42:ac:12:00:01');
  const datagram = (port: number, payload: Buffer) => encodeUdp(gateway, web.mac, { source: web.member.address, sourcePort: 68, destination: SUBNET.base + 1, port, payload });
  const seeds = [datagram(53, query('web')), datagram(53, query('a.b.c.d.example')), datagram(67, Buffer.concat([Buffer.alloc(240), Buffer.from([53, 1, 1, 255])])), Buffer.concat([Buffer.alloc(6, 255), web.mac, Buffer.from('0806000108000604000102', 'hex'), Buffer.alloc(20)])];
  for (let i = 0; i < 30_000; i++) {
    const frame = Buffer.from(seeds[i % seeds.length]!);
    for (let n = random(4); n > 0; n--) frame[12 + random(frame.length - 12)] = random(256);
    const cut = random(5) === 0 ? frame.subarray(0, random(frame.length + 1)) : frame;
    core.receive(web.member, cut);
    // The codecs behind the checksums, too.
    const payload = cut.subarray(42);
    const question = decodeQuestion(payload);
    if (question !== undefined) encodeAnswer(question, 0);
    answerDhcp(payload, { address: 1, prefix: 16, server: 2 });
  }
  const before = cli.got.length;
  core.receive(web.member, Buffer.concat([cli.mac, web.mac, Buffer.alloc(50)]));
  t.equal(cli.got.length, before + 1, 'it still works');
});

t.test('the verbs', async (t) => {
  const made = await run('network', 'create', '--label', 'a=b', '--subnet', '10.77.0.0/24', 'verbs');
  t.match(made.stdout, /^[0-9a-f]{64}\n$/);
  const id = made.stdout.trim();
  t.match((await run('network', 'ls')).stdout, new RegExp(`^${id.slice(0, 12)} +verbs +switch +local$`, 'm'));
  t.equal((await run('network', 'ls', '-q', '--filter', 'label=a=b')).stdout, `${id.slice(0, 12)}\n`);
  t.equal((await run('network', 'ls', '-q', '--filter', 'name=other')).stdout, '');
  t.match(JSON.parse((await run('network', 'inspect', id.slice(0, 5))).stdout), [{ Name: 'verbs', Id: id, IPAM: { Config: [{ Subnet: '10.77.0.0/24' }] }, Labels: { a: 'b' }, Containers: {} }]);
  for (const [args, message] of [
    [['create', 'verbs'], /network with name verbs already exists/],
    [['create', 'host'], /operation is not permitted on predefined host network/],
    [['create', 'a/b'], /invalid network name "a\/b"/],
    [['create', '--subnet', '10.77.0.128/25', 'second'], /Pool overlaps with other one on this address space: 10\.77\.0\.128\/25 and network "verbs"/],
    [['create', '--subnet', '10.77.1.1/24', 'second'], /invalid argument "10\.77\.1\.1\/24" for "--subnet" flag/],
    [['rm', 'absent'], /network absent not found/],
  ] as const) {
    const failed = await run('network', ...args);
    t.match(failed.stderr, message);
    t.not(failed.status, 0);
  }
  const absent = await run('run', '--network', 'absent', '/bin/busybox', 'ip', 'addr');
  t.equal(absent.status, 125);
  t.match(absent.stderr, /^hull: network absent not found$/m);
  t.equal((await run('network', 'rm', 'verbs')).stdout, 'verbs\n');
  t.equal((await run('network', 'ls', '-q')).stdout, '');
});

const names = resolve('build/guest/musl/names');

/** A machine that says its name to whoever connects; resolves when it listens. */
async function serve(name: string, ...args: string[]): Promise<ChildProcess> {
  const child = spawn(hull, ['run', '--name', name, ...args, names, 'serve', `this is ${name}`], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  for await (const chunk of child.stdout!) if ((said += String(chunk)).includes('ready\n')) break;
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

t.test('machines that find each other', async (t) => {
  await run('network', 'create', 'front');
  await run('network', 'create', '--internal', 'back');
  // What does not run is put on a network, taken off and put there again.
  t.equal((await run('create', '--name', 'later', names, 'get', 'web', 'www')).status, 0);
  t.same([(await run('network', 'connect', '--alias', 'afterwards', 'front', 'later')).status, (await run('network', 'connect', 'back', 'later')).stderr], [0, 'hull: Cannot connect container later to network back: a machine has one network, and it has front, expected it to be disconnected first\n']);
  t.equal((await run('network', 'disconnect', 'front', 'later')).status, 0);
  t.match((await run('network', 'disconnect', 'front', 'later')).stderr, /^hull: container [0-9a-f]{64} is not connected to the network front\n$/);
  t.equal((await run('network', 'connect', '--ip', '172.18.3.3', 'front', 'later')).status, 0);
  const web = await serve('web', '--network', 'front', '--network-alias', 'www', '--hostname', 'web-host');
  const store = await serve('store', '--network', 'back');
  const get = (network: readonly string[], ...hosts: string[]) => run('run', ...network, names, 'get', ...hosts);
  try {
    const near = await get(['--network', 'front'], 'web', 'www', 'web-host', 'web.front', '172.18.0.2', 'store');
    t.equal(near.stdout, `${'this is web\n'.repeat(5)}no such name\n`, near.stderr);
    t.equal((await get(['--network', 'back'], 'store', 'web', '172.18.0.2')).stdout, 'this is store\nno such name\nno answer\n');
    t.equal((await get([], 'web', 'store')).stdout, 'no such name\nno such name\n', 'outside of every network');
    t.match(JSON.parse((await run('network', 'inspect', 'front')).stdout), [{ Containers: { web: { IPv4Address: '172.18.0.2/16' } } }]);
    t.equal((await run('start', '-a', 'later')).stdout, 'this is web\nthis is web\n');
    const busy = await run('network', 'rm', 'front');
    t.match(busy.stderr, /network front id [0-9a-f]{64} has active endpoints: web\n/);
    const taken = await run('run', '--network', 'front', '--ip', '172.18.0.2', '/bin/busybox', 'ip', 'addr');
    t.same([taken.status, /Address already in use/.test(taken.stderr)], [125, true], taken.stderr);
    const chosen = await run('run', '--network', 'front', '--ip', '172.18.7.7', '/bin/busybox', 'ip', 'addr');
    t.match(chosen.stdout, /inet 172\.18\.7\.7\/16/);
    const refused = await run('run', '--network', 'back', '-p', '0:80', '/bin/busybox', 'ip', 'addr');
    t.match(refused.stderr, /Cannot publish ports on "back": the network is internal/);
  } finally {
    await Promise.all([web, store].map(end));
  }
  // The switch ends with its last member, whose VMM was killed, and leaves nothing.
  const sockets = join(scratch, 'hull');
  t.same(await lookUntil(() => readdirSync(sockets), ({ length }) => length === 0), []);
  t.equal((await run('network', 'rm', 'front', 'back')).stdout, 'front\nback\n');
});

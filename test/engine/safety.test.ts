/** What a machine and its clients cannot do to the host: QEMU's sandbox, machines that lie on their channel, machines that answer the control channel with anything at all. Runs the built dist/hull. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import { encodeRecord, FEATURE, RECORD } from '../../boot/index.ts';
import { type ExecEvents, execInInstance, findInstanceUser, type Instance, listProcesses } from '../../engine/instances/index.ts';
import { identifyProcess } from '../../engine/state/index.ts';
import { findCheckout } from '../boot/guest/build.ts';
import { makeInstancesRoot } from '../cli/instances-root.ts';

const { folder, hull, env, call, ok, inspect } = makeInstancesRoot('safety');
const liar = join(folder, 'liar');
execFileSync(hull, ['cc', '-O1', join(findCheckout(), 'test/engine/liar.c'), '-o', liar], { env });

const readField = (pid: number, name: string) => new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
/** What holds for QEMU, however it was started. */
const checkProcess = (t: Test, pid: number) => {
  t.equal(readField(pid, 'Seccomp'), '2', 'a filter of system calls');
  t.equal(readField(pid, 'NSsid'), String(pid), 'a session of its own');
  const hasHugePages = readField(pid, 'THP_enabled');
  t.ok(hasHugePages === undefined || hasHugePages === '0', 'a small machine takes no huge pages');
};

t.test('QEMU is confined', async (t) => {
  await ok('run', '-d', '-m', '16m', '--name', 'kept', liar, '1', '0', 'stay');
  const { State, Id } = await inspect('kept');
  checkProcess(t, State.Pid);
  const own = join(env['HULL_ROOT'] as string, 'instances', Id);
  t.equal(statSync(own).mode & 0o777, 0o700);
  for (const name of readdirSync(own)) {
    const found = statSync(join(own, name));
    if (found.isFile()) t.equal(found.mode & 0o077, 0, `${name} is its owner's alone`);
  }
  await ok('rm', '-f', 'kept');
  const run = execa(hull, ['run', '-m', '16m', liar, '1', '0', 'stay'], { env, extendEnv: false, reject: false, timeout: 600_000 });
  await new Promise<void>((resolve) => void run.stdout?.once('data', () => resolve()));
  const [qemu] = readFileSync(`/proc/${run.pid}/task/${run.pid}/children`, 'latin1').trim().split(' ').map(Number);
  checkProcess(t, qemu as number);
  run.kill('SIGKILL');
  await run;
});

t.test('a machine that lies on its channel', async (t) => {
  const isSound = (text: string) => !/(Type|Range|Reference|Syntax)Error|\n\s+at |node:internal/.test(text);
  const seeds = [1, 2, 3, 4].map((each) => (Number(process.env['HULL_TEST_SEED'] ?? Date.now()) % 100_000) * 10 + each);
  await Promise.all(seeds.map(async (seed) => {
    const run = await execa(hull, ['run', '-m', '16m', liar, String(seed), '60000', 'end'], { env, extendEnv: false, reject: false, encoding: 'latin1', timeout: 600_000 });
    t.notOk(run.timedOut, `ends, with seed ${seed}`);
    t.ok(isSound(run.stderr), `says no nonsense of its own: ${run.stderr.slice(-300)}`);
    t.match(run.stdout, /^honest/);
    await ok('run', '-d', '-m', '16m', '--name', `lies${seed}`, liar, String(seed), '60000', 'end');
    t.match(await ok('wait', `lies${seed}`), /^\d+$/);
    const { stderr, exitCode } = await execa(hull, ['logs', '-t', `lies${seed}`], { env, extendEnv: false, reject: false, encoding: 'latin1', timeout: 600_000 });
    t.equal(exitCode, 0);
    t.ok(isSound(stderr), 'its log can be read');
    t.match((await inspect(`lies${seed}`)).State, { Status: 'exited', Running: false });
    t.equal((await call('rm', `lies${seed}`)).exitCode, 0);
  }));
});

/** An instance whose machine is `behave`: it gets each connection to a port of the console, with the first request. */
async function makeFake(t: Test, name: string, behave: (socket: Socket) => void): Promise<Instance> {
  const own = join(folder, name);
  mkdirSync(own);
  const servers = await Promise.all(Array.from({ length: 8 }, (_, i) => new Promise<Server>((resolve) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      // A machine greets as it should, and lies from the first request on.
      socket.once('data', (hello) => {
        socket.write(encodeRecord(RECORD.DONE, (hello as Buffer).subarray(16, 20)));
        socket.once('data', (request) => {
          behave(socket);
          socket.unshift(request);
        });
      });
    });
    server.listen(join(own, `c${i}`), () => resolve(server));
  })));
  t.teardown(() => {
    for (const server of servers) server.close();
  });
  const state = { status: 'running', pid: process.pid, identity: identifyProcess(process.pid), features: FEATURE.CONTROL | FEATURE.CALLS | FEATURE.VIRTIO_CONSOLE | FEATURE.SIGNALS, startedAt: new Date().toISOString() };
  return { id: 'f'.repeat(64), folder: own, config: { name, request: { env: [] } }, state } as unknown as Instance;
}

const number = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};
const REQUEST = { args: ['x'], env: [], tty: false, stdin: true };
const SILENT: ExecEvents = { output: () => {} };

t.test('a machine that answers a start of a process with anything', async (t) => {
  const garbage = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i * 31 + (i >> 3)) & 0xff));
  const answers: readonly [string, readonly Buffer[], RegExp][] = [
    ['garbage', [garbage], /does not answer/],
    ['an error that is none', [encodeRecord(RECORD.STARTED, number(0x7fff_fff0))], /error 2147483632/],
    ['a return of a call', [encodeRecord(RECORD.RETURN, garbage.subarray(0, 5)), encodeRecord(RECORD.EXIT, number(0))], /does not answer/],
  ];
  for (const [what, pieces, why] of answers) {
    const instance = await makeFake(t, what.replaceAll(' ', '-'), (socket) => {
      for (const piece of pieces) socket.write(piece);
      socket.end();
    });
    await t.rejects(execInInstance(instance, REQUEST, SILENT), { message: why }, what);
  }
  const half = encodeRecord(RECORD.STDOUT, Buffer.alloc(60_000)).subarray(0, 1000);
  const cut = await makeFake(t, 'cut', (socket) => void socket.end(Buffer.concat([encodeRecord(RECORD.STARTED, number(0)), encodeRecord(RECORD.STARTED, number(5)), half])));
  const session = await execInInstance(cut, REQUEST, SILENT);
  t.equal(await session.wait(), 137, 'an end amid a record is that of the machine');
});

t.test('a machine that does not greet', async (t) => {
  const own = join(folder, 'rude');
  const rude = await makeFake(t, 'rude', () => {});
  for (const name of readdirSync(own)) unlinkSync(join(own, name));
  const servers = await Promise.all(Array.from({ length: 8 }, (_, i) => new Promise<Server>((resolve) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end(Buffer.concat([encodeRecord(RECORD.DONE, number(7)), encodeRecord(RECORD.STARTED, number(0)), Buffer.alloc(5000, 0xb5)]));
    });
    server.listen(join(own, `c${i}`), () => resolve(server));
  })));
  await t.rejects(execInInstance(rude, REQUEST, SILENT), { message: /does not answer/ });
  for (const server of servers) server.close();
});

t.test('a machine that grants more than it takes', async (t) => {
  const greedy = await makeFake(t, 'greedy', (socket) => {
    socket.write(Buffer.concat([encodeRecord(RECORD.STARTED, number(0)), ...Array.from({ length: 16 }, () => encodeRecord(RECORD.CREDIT, number(0xffff_ffff)))]));
    socket.pause();
    setTimeout(() => socket.destroy(), 1500).unref();
  });
  const session = await execInInstance(greedy, REQUEST, SILENT);
  let taken = 0;
  const piece = Buffer.alloc(1 << 20);
  const feed = (async () => {
    for (; taken < 256; taken++) await session.write(piece);
  })();
  await t.rejects(feed, { message: /the machine is gone/ });
  t.ok(taken < 16, `${taken} MiB wait for it`);
});

t.test('a machine that answers calls on files with anything', async (t) => {
  const answer = (id: number, result: bigint, bytes: Buffer) => {
    const payload = Buffer.alloc(16 + bytes.length);
    payload.writeUInt32LE(id, 0);
    payload.writeBigInt64LE(result, 8);
    bytes.copy(payload, 16);
    return encodeRecord(RECORD.RETURN, payload);
  };
  const answering = (name: string, reply: (id: number, i: number) => Buffer) => {
    let i = 0;
    return makeFake(t, name, (socket) => {
      let held = Buffer.alloc(0);
      socket.on('data', (chunk) => {
        held = Buffer.concat([held, chunk as Buffer]);
        while (held.length >= 16 && held.length >= 16 + held.readUInt16LE(2)) {
          const size = 16 + held.readUInt16LE(2);
          socket.write(reply(held.readUInt32LE(16), i++));
          held = held.subarray(size);
        }
      });
    });
  };
  // More than there is, of files and directories alike: no end to either.
  const entry = Buffer.alloc(24);
  entry.writeUInt16LE(24, 16);
  entry.write('12345', 19);
  const endless = await answering('endless', (id) => answer(id, 1_000_000_000n, entry));
  await t.rejects(findInstanceUser(endless, 'nobody'), { message: /unable to find user nobody/ });
  const strange = await answering('strange', (id, i) => Buffer.concat([answer(id ^ 1, 0n, entry), answer(id, BigInt(i % 3 === 0 ? 2 ** 62 : i % 5) , Buffer.alloc(i % 7))]));
  await t.rejects(listProcesses(strange, false), /\/proc/, 'an empty list, as of one that has none');
  const refusing = await answering('refusing', (id) => answer(id, -(2n ** 62n), Buffer.alloc(0)));
  await t.rejects(findInstanceUser(refusing, 'nobody'), { message: /unable to find user nobody/ });
});

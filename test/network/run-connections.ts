/**
 * nginx in 128 MiB with very many connections: --idle N (default 5000) keep-alive connections that stay open, through a published port, while others are served and then each of them
 * once more; then --requests N (default 1000000) requests over 50 connections. The memory that the machine uses is sampled all along: it has to stay flat. Run by
 * `node tools/run.mjs test/network/run-connections.ts [--idle N] [--requests N]`: half an hour and more. The exit status is 1 where a request fails or memory grows.
 */
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { findPort } from '../ports.ts';
import { download, env, hull, PAGE, retry, root, skip, tool } from './serving.ts';

const NAME = `connections-${process.pid}`;
const SETTINGS = 'worker_processes 2; error_log stderr crit; pid /tmp/nginx.pid; worker_rlimit_nofile 16384; events { worker_connections 8192; } '
  + 'http { access_log off; keepalive_timeout 7200s; keepalive_requests 1000000000; server { listen 80 backlog=4096; root /var/www/html; } }';
const BATCH = 50;
/** What a sample may be over the first one: what allocators round and keep. */
const SLACK_KIB = 2048;
const QUESTION = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** KiB that the machine uses, without the cache of files. */
function readUsed(): Promise<number> {
  return new Promise((done, fail) => {
    execFile(hull, ['exec', NAME, '/bin/cat', '/proc/meminfo'], { env, timeout: 120_000 }, (error, stdout, stderr) => {
      const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(stdout)?.[1]);
      const used = read('MemTotal') - read('MemFree') - read('Cached');
      if (error !== null || Number.isNaN(used)) fail(new Error(`Cannot read the machine's memory: ${stderr || stdout}`));
      else done(used);
    });
  });
}

/** One request on a connection that stays. */
async function ask(socket: Socket): Promise<void> {
  let text = '';
  const read = (chunk: Buffer) => (text += chunk.toString('latin1'));
  socket.on('data', read);
  socket.write(QUESTION);
  const deadline = AbortSignal.timeout(60_000);
  while (!text.endsWith(PAGE)) {
    if (socket.destroyed) throw new Error('an idle connection was closed');
    await once(socket, 'data', { signal: deadline });
  }
  socket.off('data', read);
  if (!text.startsWith('HTTP/1.1 200 OK\r\n')) throw new Error(text.slice(0, 200));
}

async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += BATCH) await Promise.all(items.slice(at, at + BATCH).map(work));
}

async function openIdle(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  await inBatches(Array.from({ length: count }), async () => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', () => socket.destroy());
    await ask(socket);
    sockets.push(socket);
  });
  return sockets;
}

async function soak(port: number, requests: number): Promise<number[]> {
  const parts = 10;
  const used: number[] = [];
  for (let part = 0; part < parts; part++) {
    const count = Math.max(50, Math.floor(requests / parts));
    const { stdout } = await tool('usr/bin/ab', ['-q', '-k', '-n', String(count), '-c', '50', '-s', '120', `http://127.0.0.1:${port}/`], 7_200_000);
    if (!new RegExp(`Complete requests:\\s+${count}\nFailed requests:\\s+0\n`).test(stdout)) throw new Error(`requests failed: ${stdout}`);
    used.push(await readUsed());
    process.stderr.write(`${(part + 1) * count} requests, ${used.at(-1)} KiB used\n`);
  }
  return used;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { idle: { type: 'string', default: '5000' }, requests: { type: 'string', default: '1000000' }, memory: { type: 'string', default: '128m' } } });
  if (skip !== false) throw new Error(`Cannot run nginx: ${skip}, expected Debian's packages`);
  const write = `printf '%s' '${SETTINGS}' > /tmp/nginx.conf; exec nginx -c /tmp/nginx.conf -g 'daemon off;'`;
  const port = await findPort();
  execFileSync(hull, ['run', '-d', '--name', NAME, '-m', values.memory, '--rootfs', root, '-p', `127.0.0.1:${port}:80`, '/bin/sh', '-c', write], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  let idle: Socket[] = [];
  try {
    await retry({ said: () => 'nothing', hasEnded: () => false }, () => download(port, '/'), 300_000);
    const before = await readUsed();
    const begun = performance.now();
    idle = await openIdle(port, Number(values.idle));
    const held = await readUsed();
    const each = ((held - before) * 1024) / Math.max(1, idle.length);
    process.stdout.write(`${idle.length} idle connections after ${((performance.now() - begun) / 1000).toFixed(0)} s; ${before} KiB used before, ${held} with them: ${each.toFixed(0)} bytes each\n`);
    for (let i = 0; i < 20; i++) if ((await download(port, '/')) !== PAGE) throw new Error('another client was not served');
    await inBatches(idle, ask);
    process.stdout.write('others are served, and each idle one once more\n');
    for (const socket of idle) socket.destroy();
    const used = await soak(port, Number(values.requests));
    const [first, last] = [used[1] as number, Math.max(...used.slice(1))];
    process.stdout.write(`${values.requests} requests; ${first} KiB used after a fifth of them, at most ${last} later\n`);
    return last > first + SLACK_KIB ? 1 : 0;
  } finally {
    for (const socket of idle) socket.destroy();
    execFileSync(hull, ['rm', '-f', NAME], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  }
}

process.exitCode = await main();

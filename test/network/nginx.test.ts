/**
 * Debian's nginx with a master and two workers before a directory of 1000 files: every byte of each, ranges, keep-alive, compression, TLS, HTTP/2, IPv4 and IPv6, many connections. Then redis,
 * whose data outlive its machine. Clients are this host's Node.js and the root's own curl, ab and redis-benchmark.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { findPort, hasIpv6 } from '../ports.ts';
import { exchange, retry, serve, skip, tool } from './serving.ts';

t.setTimeout(840_000);

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
}

/** One request; `hash` leaves the body's SHA-256 in its place. */
function fetchPath(port: number, path: string, options: { agent?: Agent; host?: string; headers?: Record<string, string>; hash?: boolean } = {}): Promise<Answer> {
  return new Promise((done, fail) => {
    const request = get({ host: options.host ?? '127.0.0.1', port, path, agent: options.agent ?? false, timeout: 60_000, headers: options.headers ?? {} }, (response) => {
      const hash = createHash('sha256');
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => (options.hash ? hash.update(chunk) : chunks.push(chunk)));
      response.on('error', fail);
      response.on('end', () => done({ status: response.statusCode ?? 0, headers: response.headers, body: options.hash ? hash.digest() : Buffer.concat(chunks) }));
    });
    request.on('timeout', () => request.destroy(new Error(`no answer for ${path}`)));
    request.on('error', fail);
  });
}

/** 1000 files from nothing to 50 MB, and the SHA-256 of each by its name. */
async function makeFiles(folder: string): Promise<Map<string, string>> {
  const sums = new Map<string, string>();
  for (let i = 0; i < 1000; i++) {
    const size = i === 999 ? 50_000_000 : i === 998 ? 5_000_000 : i === 0 ? 0 : Math.floor(1.0096 ** i * 10) + (i % 7);
    const name = `d${i % 10}/file-${i}.bin`;
    mkdirSync(join(folder, `d${i % 10}`), { recursive: true });
    const hash = createHash('sha256');
    const file = createWriteStream(join(folder, name));
    for (let left = size; left > 0; left -= 1_000_000) {
      const piece = randomBytes(Math.min(left, 1_000_000));
      hash.update(piece);
      file.write(piece);
    }
    file.end();
    await finished(file);
    sums.set(`/${name}`, hash.digest('hex'));
  }
  return sums;
}

const SETTINGS = `user www-data;
worker_processes 2;
pid /run/nginx.pid;
events { worker_connections 768; }
http {
  include /etc/nginx/mime.types;
  sendfile on;
  gzip on;
  gzip_types text/plain;
  access_log off;
  server {
    listen 80;
    listen [::]:80;
    listen 443 ssl http2;
    ssl_certificate /srv/keys/certificate;
    ssl_certificate_key /srv/keys/key;
    root /srv/files;
  }
}
`;

t.test('nginx: 1000 files', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hull-nginx-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const files = join(folder, 'files');
  const keys = join(folder, 'keys');
  for (const path of [files, keys]) mkdirSync(path, { mode: 0o755 });
  const sums = await makeFiles(files);
  const text = 'the same words again and again\n'.repeat(4000);
  writeFileSync(join(files, 'text.txt'), text);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', join(keys, 'key'), '-out', join(keys, 'certificate'), '-days', '2', '-subj', '/CN=localhost'], { stdio: 'ignore' });
  writeFileSync(join(folder, 'nginx.conf'), SETTINGS);
  const tls = await findPort();
  const six = await findPort();
  const options = ['-v', `${files}:/srv/files:ro`, '-v', `${keys}:/srv/keys:ro`, '-v', `${join(folder, 'nginx.conf')}:/etc/nginx/nginx.conf:ro`, '-p', `127.0.0.1:${tls}:443`, ...(hasIpv6 ? ['-p', `[::1]:${six}:80`] : [])];
  const nginx = await serve('80', '/usr/sbin/nginx', ['-g', 'daemon off;'], options);
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  try {
    await retry(nginx, () => fetchPath(nginx.port, '/d0/file-0.bin'));

    const wrong: string[] = [];
    await Promise.all([...sums].map(async ([path, sum]) => {
      const { status, body } = await fetchPath(nginx.port, path, { agent, hash: true });
      if (status !== 200 || body.toString('hex') !== sum) wrong.push(`${path}: ${status}`);
    }));
    t.same(wrong, [], 'each of 1000 files, byte for byte, over 16 connections that stay');
    t.equal((await fetchPath(nginx.port, '/absent', { agent })).status, 404);

    const whole = await fetchPath(nginx.port, '/d8/file-998.bin', { agent });
    const part = await fetchPath(nginx.port, '/d8/file-998.bin', { agent, headers: { Range: 'bytes=1234567-2345678' } });
    t.equal(part.status, 206);
    t.ok(part.body.equals(whole.body.subarray(1234567, 2345679)), 'a range');
    const zipped = await fetchPath(nginx.port, '/text.txt', { agent, headers: { 'Accept-Encoding': 'gzip' } });
    t.equal(zipped.headers['content-encoding'], 'gzip');
    t.equal(gunzipSync(zipped.body).toString(), text, 'compressed');
    if (hasIpv6) t.ok((await fetchPath(six, '/d8/file-998.bin', { host: '::1' })).body.equals(whole.body), 'IPv6');

    for (const version of ['--http1.1', '--http2']) {
      const { stdout, status } = await tool('usr/bin/curl', ['-sSk', version, '-o', join(folder, 'got'), '-w', '%{http_version} %{http_code} %{size_download}', `https://127.0.0.1:${tls}/d9/file-999.bin`]);
      t.equal(status, 0, stdout);
      t.equal(stdout, `${version === '--http2' ? '2' : '1.1'} 200 50000000`);
      t.equal(execFileSync('sha256sum', [join(folder, 'got')], { encoding: 'utf8' }).split(' ')[0], sums.get('/d9/file-999.bin'), `50 MB over TLS, ${version}`);
    }

    for (const args of [['-k'], []]) {
      const many = await tool('usr/bin/ab', ['-q', ...args, '-n', '10000', '-c', '100', `http://127.0.0.1:${nginx.port}/d3/file-3.bin`]);
      t.match(many.stdout, /Complete requests:\s+10000\nFailed requests:\s+0\n/, `10000 requests over 100 connections at a time ${args}`);
    }
    t.equal(await nginx.end(), 0, nginx.said());
  } finally {
    agent.destroy();
    await nginx.stop();
  }
});

t.test('redis: its benchmark, and data that outlive the machine', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hull-redis-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const start = () => serve('6379', '/usr/bin/redis-server', ['--protected-mode', 'no', '--bind', '0.0.0.0', '--dir', '/data'], ['-v', `${folder}:/data`]);
  const first = await start();
  try {
    t.equal(await retry(first, () => exchange(first.port, 'SET a hello\r\nSAVE\r\n', /OK\r\n.*OK\r\n$/s)), '+OK\r\n+OK\r\n');
    const bench = await tool('usr/bin/redis-benchmark', ['-p', String(first.port), '-q', '-n', '1000', '-c', '50']);
    t.equal(bench.status, 0, bench.stdout);
    t.equal(bench.stdout.match(/requests per second/g)?.length, 20, `all of redis-benchmark's tests: ${bench.stdout}`);
    await first.stop(); // the VMM is killed: what SAVE has written stays
  } finally {
    await first.stop();
  }
  const second = await start();
  try {
    t.equal(await retry(second, () => exchange(second.port, 'GET a\r\n', /hello\r\n$/)), '$5\r\nhello\r\n');
    t.equal(await exchange(second.port, 'SET b later\r\n', /OK\r\n$/), '+OK\r\n');
    t.equal(await second.end(), 0, second.said());
  } finally {
    await second.stop();
  }
  const third = await start();
  try {
    t.equal(await retry(third, () => exchange(third.port, 'GET b\r\n', /later\r\n$/)), '$5\r\nlater\r\n', 'SIGTERM saves');
  } finally {
    await third.stop();
  }
});

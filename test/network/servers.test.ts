/**
 * Debian's unmodified servers as unikernels with their own configuration and command, asked by clients on this host through a published port. The root file system is
 * downloaded once; without a network these tests are skipped and say why.
 */
import { execFile, execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { SERVERS } from './servers.ts';
import { findPort } from '../ports.ts';
import { download, env, exchange, hull, PAGE, retry, root, serve, skip, startBehind, tool } from './serving.ts';

t.setTimeout(840_000);

t.test('nginx with its master and workers', { skip }, async (t) => {
  // Debian's configuration but for the number of workers, which is that of the CPUs.
  const edit = 'while IFS= read -r l; do case $l in worker_processes*) echo "worker_processes 2;";; *) printf "%s\\n" "$l";; esac; done < /etc/nginx/nginx.conf > /etc/nginx/two.conf';
  const nginx = await serve('80', '/bin/sh', ['-c', `${edit}; exec nginx -c /etc/nginx/two.conf -g 'daemon off;'`]);
  try {
    t.equal(await retry(nginx, () => download(nginx.port, '/')), PAGE);
    t.match(await exchange(nginx.port, 'GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=10-19\r\nConnection: close\r\n\r\n', /\r\n\r\nx{10}$/), /206 Partial Content/);
    // The same ends again while the last connection is in TIME_WAIT, as hosts do it that make many connections.
    const localPort = await findPort();
    for (let i = 0; i < 3; i++) t.match(await exchange(nginx.port, 'GET / HTTP/1.0\r\n\r\n', /\r\n\r\nx{612}$/, localPort), /200 OK/);
    const many = await tool('usr/bin/ab', ['-q', '-k', '-n', '1000', '-c', '20', `http://127.0.0.1:${nginx.port}/`]);
    t.match(many.stdout, /Complete requests:\s+1000\nFailed requests:\s+0\n/);
  } finally {
    await nginx.stop();
  }
});

/** nginx and redis: above, and in nginx.test.ts. */
for (const server of SERVERS.filter(({ name }) => name !== 'nginx' && name !== 'redis')) {
  t.test(`${server.name}: ${server.works}`, { skip }, async (t) => {
    const behind = await startBehind();
    const [program, ...args] = server.command;
    const running = await serve(server.port, program, args, ['-v', `${resolve('test/network/guest')}:/srv:ro`, '-e', `BEHIND=${behind.port}`, ...(server.options ?? [])]);
    try {
      await t.resolves(retry(running, () => server.check(running)));
      // A datagram may be lost, and its question is asked again.
      await t.resolves(server.port.endsWith('/udp') ? retry(running, () => server.check(running)) : server.check(running), 'and again');
    } finally {
      await running.stop();
      behind.close();
    }
  });
}

/** All clients in one machine; each line of its answer is one of them. */
t.test('clients in the machine: curl, wget, python over TLS, by name and by address', { skip }, async (t) => {
  const body = randomBytes(100_000_000);
  const part = body.subarray(0, 10_000_000);
  const [sum, partSum] = [body, part].map((bytes) => createHash('sha256').update(bytes).digest('hex'));
  let uploaded = '';
  const listener: RequestListener = (request, response) => {
    if (request.method !== 'PUT') return void response.end(request.url === '/big' ? body : request.url === '/part' ? part : 'small');
    const hash = createHash('sha256');
    request.on('data', (chunk: Buffer) => hash.update(chunk));
    request.on('end', () => {
      uploaded = hash.digest('hex');
      response.end('taken');
    });
  };
  const folder = mkdtempSync(join(tmpdir(), 'hull-tls-'));
  const key = join(folder, 'key');
  const certificate = join(folder, 'certificate');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=host.test', '-addext', 'subjectAltName=DNS:host.test'], { stdio: 'ignore' });
  const plain = createHttpServer(listener).listen(0, '127.0.0.1');
  const secure = createHttpsServer({ key: readFileSync(key), cert: readFileSync(certificate) }, listener).listen(0, '127.0.0.1');
  await Promise.all([once(plain, 'listening'), once(secure, 'listening')]);
  const [port, securePort] = [plain, secure].map((server) => (server.address() as AddressInfo).port);
  const script = [
    `curl -sS http://10.0.2.2:${port}/`, 'echo',
    `curl -sS http://host.test:${port}/big > /tmp/big`, 'sha256sum < /tmp/big',
    `curl -sS -T /tmp/big http://10.0.2.2:${port}/put`, 'echo',
    `wget -qO- http://host.test:${port}/`, 'echo',
    `wget -qO- http://10.0.2.2:${port}/`, 'echo',
    'printf "%s" "$PEM" > /tmp/ca',
    `python3 -c 'import ssl, urllib.request; print(urllib.request.urlopen("https://host.test:${securePort}/", context=ssl.create_default_context(cafile="/tmp/ca")).read().decode())'`,
    `curl -sS --cacert /tmp/ca https://host.test:${securePort}/part | sha256sum`,
    'curl -s http://10.0.2.2:9/; echo $?',
  ].join('\n');
  try {
    const args = ['run', '-m', '512m', '--rootfs', root, '--add-host', 'host.test:host-gateway', '-e', `PEM=${readFileSync(certificate, 'utf8')}`, '/bin/bash', '-c', script];
    const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((done) => {
      execFile(hull, args, { env, timeout: 600_000 }, (_, out, error) => done({ stdout: out, stderr: error }));
    });
    t.strictSame(stdout.trim().split('\n'), ['small', `${sum}  -`, 'taken', 'small', 'small', 'small', `${partSum}  -`, '7'], stderr);
    t.equal(uploaded, sum);
  } finally {
    plain.close();
    secure.close();
    rmSync(folder, { recursive: true });
  }
});

/**
 * Debian's unmodified servers as unikernels with their own configuration and command, asked by clients on this host through a published port. The root file system is
 * downloaded once; without a network these tests are skipped and say why.
 */
import { execFile, execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { download, env, exchange, findPort, hull, PAGE, retry, root, serve, skip, tool } from './serving.ts';

t.setTimeout(280_000);


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

t.test('redis', { skip }, async (t) => {
  const redis = await serve('6379', '/usr/bin/redis-server', ['--protected-mode', 'no', '--bind', '0.0.0.0', '--dir', '/tmp']);
  try {
    t.equal(await retry(redis, () => exchange(redis.port, 'SET a hello\r\nGET a\r\nSAVE\r\n', /OK\r\n$/)), '+OK\r\n$5\r\nhello\r\n+OK\r\n');
    const bench = await tool('usr/bin/redis-benchmark', ['-p', String(redis.port), '-q', '-n', '300', '-c', '10', '-P', '4', '-t', 'set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset']);
    t.equal(bench.status, 0, bench.stdout);
    t.equal(bench.stdout.match(/requests per second/g)?.length, 11, bench.stdout);
  } finally {
    await redis.stop();
  }
});

t.test('memcached', { skip }, async (t) => {
  const memcached = await serve('11211', '/usr/bin/memcached', ['-u', 'root', '-l', '0.0.0.0']);
  try {
    t.equal(await retry(memcached, () => exchange(memcached.port, 'set a 0 0 5\r\nhello\r\nget a\r\nincr b 1\r\n', /NOT_FOUND\r\n$/)), 'STORED\r\nVALUE a 0 5\r\nhello\r\nEND\r\nNOT_FOUND\r\n');
  } finally {
    await memcached.stop();
  }
});

t.test('lighttpd', { skip }, async (t) => {
  const lighttpd = await serve('80', '/usr/sbin/lighttpd', ['-D', '-f', '/etc/lighttpd/lighttpd.conf']);
  try {
    t.equal(await retry(lighttpd, () => download(lighttpd.port, '/index.html')), PAGE);
  } finally {
    await lighttpd.stop();
  }
});

t.test('python: http.server and an asyncio echo server', { skip }, async (t) => {
  const http = await serve('8000', '/usr/bin/python3', ['-m', 'http.server', '-d', '/var/www/html', '8000']);
  const source = 'import asyncio\nasync def echo(r, w):\n while d := await r.read(65536):\n  w.write(d)\n  await w.drain()\n w.close()\n'
    + 'async def main():\n s = await asyncio.start_server(echo, "0.0.0.0", 7)\n await s.serve_forever()\nasyncio.run(main())';
  const echo = await serve('7', '/usr/bin/python3', ['-c', source]);
  try {
    t.equal(await retry(http, () => download(http.port, '/index.html')), PAGE);
    await retry(echo, () => exchange(echo.port, 'ready?', /^ready\?$/));
    const sent = randomBytes(3_000_000);
    const hash = createHash('sha256');
    const socket = connect(echo.port, '127.0.0.1');
    socket.end(sent);
    for await (const chunk of socket) hash.update(chunk as Buffer);
    t.equal(hash.digest('hex'), createHash('sha256').update(sent).digest('hex'), '3 MB both ways');
  } finally {
    await http.stop();
    await echo.stop();
  }
});

t.test('haproxy before a server of this host; mosquitto', { skip }, async (t) => {
  const behind = createServer((socket) => socket.end('HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nbehind')).listen(0, '127.0.0.1');
  await once(behind, 'listening');
  const { port } = behind.address() as AddressInfo;
  // The configuration is written in the machine: its root's files stay as Debian has them.
  const settings = `defaults\n mode http\n timeout connect 5s\n timeout client 9s\n timeout server 9s\nlisten web\n bind :80\n server one 10.0.2.2:${port}\n`;
  const haproxy = await serve('80', '/bin/sh', ['-c', `printf '${settings.replaceAll('\n', '\\n')}' > /tmp/ha.cfg; exec haproxy -db -f /tmp/ha.cfg`]);
  const mosquitto = await serve('1883', '/bin/sh', ['-c', "printf 'listener 1883\\nallow_anonymous true\\n' > /tmp/m.conf; exec mosquitto -c /tmp/m.conf"]);
  try {
    t.equal(await retry(haproxy, async () => {
      const text = await download(haproxy.port, '/');
      if (text !== 'behind') throw new Error(text);
      return text;
    }), 'behind');
    const connack = await retry(mosquitto, () => exchange(mosquitto.port, '\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a', /^ [^]{3}$/));
    t.equal(Buffer.from(connack, 'latin1').toString('hex'), '20020000');
  } finally {
    await haproxy.stop();
    await mosquitto.stop();
    behind.close();
  }
});

/** Answers datagrams with themselves, in capitals. */
const UDP_ECHO = 'import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(("", 5353))\nwhile True:\n d, a = s.recvfrom(65536)\n s.sendto(d.upper(), a)';

t.test('UDP', { skip }, async (t) => {
  const echo = await serve('5353/udp', '/usr/bin/python3', ['-c', UDP_ECHO]);
  const socket = createSocket('udp4');
  const ask = async (question: Buffer) => {
    socket.send(question, echo.port, '127.0.0.1');
    return ((await once(socket, 'message', { signal: AbortSignal.timeout(2000) })) as [Buffer])[0];
  };
  try {
    await retry(echo, () => ask(Buffer.from('ready?')));
    await new Promise((done) => setTimeout(done, 300)); // answers to further tries
    socket.removeAllListeners('message');
    for (const size of [1, 1400, 1472, 9000]) {
      const answer = await ask(Buffer.alloc(size, 'abcdefg'));
      t.ok(answer.equals(Buffer.alloc(size, 'ABCDEFG')), `${size} bytes`);
    }
  } finally {
    socket.close();
    await echo.stop();
  }
});

/** All clients in one machine; each line of its answer is one of them. */
t.test('clients in the machine: curl, wget, python over TLS, by name and by address', { skip }, async (t) => {
  const body = randomBytes(20_000_000);
  const sum = createHash('sha256').update(body).digest('hex');
  let uploaded = '';
  const listener: RequestListener = (request, response) => {
    if (request.method !== 'PUT') return void response.end(request.url === '/big' ? body : 'small');
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
    'printf "%s" "$PEM" > /tmp/ca',
    `python3 -c 'import ssl, urllib.request; print(urllib.request.urlopen("https://host.test:${securePort}/", context=ssl.create_default_context(cafile="/tmp/ca")).read().decode())'`,
    `curl -sS --cacert /tmp/ca https://host.test:${securePort}/big | sha256sum`,
    'curl -s http://10.0.2.2:9/; echo $?',
  ].join('\n');
  try {
    const args = ['run', '--rootfs', root, '--add-host', 'host.test:host-gateway', '-e', `PEM=${readFileSync(certificate, 'utf8')}`, '/bin/bash', '-c', script];
    const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((done) => {
      execFile(hull, args, { env, timeout: 200_000 }, (_, out, error) => done({ stdout: out, stderr: error }));
    });
    t.strictSame(stdout.trim().split('\n'), ['small', `${sum}  -`, 'taken', 'small', 'small', `${sum}  -`, '7'], stderr);
    t.equal(uploaded, sum);
  } finally {
    plain.close();
    secure.close();
    rmSync(folder, { recursive: true });
  }
});

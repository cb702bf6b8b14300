/**
 * Servers as Debian has them: each one's package, exact command, and what a client on this host makes sure of through a published port. Owns: the list that
 * servers.test.ts and run-servers.ts go through, and docs/programs.md shows. Rules: a check throws where an answer is not what it should be, and can be made twice; settings are
 * written in the machine, since the root's files stay as Debian has them.
 */
import { strictEqual } from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { promises as dns } from 'node:dns';
import { once } from 'node:events';
import { connect } from 'node:net';
import { download, exchange, PAGE, post, type Running, tool } from './serving.ts';

export interface ServerCase {
  readonly name: string;
  readonly package: string;
  /** As `-p` has it. */
  readonly port: string;
  readonly command: readonly [string, ...string[]];
  /** Further options of `hull run`. */
  readonly options?: readonly string[];
  /** What `check` makes sure of. */
  readonly works: string;
  check(running: Running): Promise<void>;
}

const sum = (data: Buffer) => createHash('sha256').update(data).digest('hex');

/** Settings in a file of the machine, then the server itself in the shell's place. */
const withSettings = (path: string, settings: string, command: string): [string, ...string[]] => ['/bin/sh', '-c', `printf '${settings.replaceAll('\n', '\\n')}' > ${path}; exec ${command}`];

const HAPROXY = 'defaults\n mode http\n timeout connect 5s\n timeout client 9s\n timeout server 9s\nlisten web\n bind :80\n server one 10.0.2.2:\'$BEHIND\'\n';
const UNBOUND = 'server:\n interface: 0.0.0.0\n access-control: 0.0.0.0/0 allow\n chroot: ""\n use-syslog: no\n local-data: "hull.test A 10.1.2.3"\n local-data: "hull.test TXT text"\n';

/** One datagram there and back. */
async function ask(port: number, question: Buffer): Promise<Buffer> {
  const socket = createSocket('udp4');
  try {
    socket.send(question, port, '127.0.0.1');
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(2000) })) as [Buffer];
    return answer;
  } finally {
    socket.close();
  }
}

function resolver(port: number): dns.Resolver {
  const made = new dns.Resolver({ timeout: 2000, tries: 1 });
  made.setServers([`127.0.0.1:${port}`]);
  return made;
}

/** An HTTP server that answers with the method, the path and the body's SHA-256. */
async function checkSums(port: number): Promise<void> {
  strictEqual(await download(port, '/a?b=c'), `GET /a?b=c ${sum(Buffer.alloc(0))}\n`);
  const body = randomBytes(1_000_000);
  strictEqual(await post(port, '/b', body), `POST /b ${sum(body)}\n`);
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => download(port, `/${i}`)));
  for (const [i, answer] of answers.entries()) strictEqual(answer, `GET /${i} ${sum(Buffer.alloc(0))}\n`);
}

/** Those of the root with Debian's servers (root.ts). */
export const SERVERS: readonly ServerCase[] = [
  {
    name: 'nginx',
    package: 'nginx 1.22',
    port: '80',
    command: ['/usr/sbin/nginx', '-g', 'daemon off;'],
    works: 'master and a worker a CPU, Debian\'s configuration: files, ranges; all else in `nginx.test.ts`',
    async check({ port }) {
      strictEqual(await download(port, '/'), PAGE);
    },
  },
  {
    name: 'redis',
    package: 'redis-server 7.0',
    port: '6379',
    command: ['/usr/bin/redis-server', '--protected-mode', 'no', '--bind', '0.0.0.0', '--dir', '/tmp'],
    works: 'SET, GET, SAVE; redis-benchmark in `nginx.test.ts`',
    async check({ port }) {
      strictEqual(await exchange(port, 'SET a hello\r\nGET a\r\nSAVE\r\n', /(OK\r\n[^]*){2}$/), '+OK\r\n$5\r\nhello\r\n+OK\r\n');
    },
  },
  {
    name: 'memcached',
    package: 'memcached 1.6',
    port: '11211',
    command: ['/usr/bin/memcached', '-u', 'root', '-l', '0.0.0.0'],
    works: 'set, get, incr, a value of 500 kB',
    async check({ port }) {
      strictEqual(await exchange(port, 'set a 0 0 5\r\nhello\r\nget a\r\nincr b 1\r\n', /NOT_FOUND\r\n$/), 'STORED\r\nVALUE a 0 5\r\nhello\r\nEND\r\nNOT_FOUND\r\n');
      const value = 'v'.repeat(500_000);
      strictEqual(await exchange(port, `set big 0 0 500000\r\n${value}\r\nget big\r\n`, /END\r\n$/), `STORED\r\nVALUE big 0 500000\r\n${value}\r\nEND\r\n`);
    },
  },
  {
    name: 'lighttpd',
    package: 'lighttpd 1.4',
    port: '80',
    command: ['/usr/sbin/lighttpd', '-D', '-f', '/etc/lighttpd/lighttpd.conf'],
    works: 'files, ranges',
    async check({ port }) {
      strictEqual(await download(port, '/index.html'), PAGE);
      await exchange(port, 'GET /index.html HTTP/1.1\r\nHost: a\r\nRange: bytes=10-19\r\nConnection: close\r\n\r\n', / 206 [^]*\r\n\r\nx{10}$/);
    },
  },
  {
    name: 'haproxy',
    package: 'haproxy 2.6',
    port: '80',
    command: withSettings('/tmp/ha.cfg', HAPROXY, 'haproxy -db -f /tmp/ha.cfg'),
    works: 'HTTP before a server of the host',
    async check({ port }) {
      strictEqual(await download(port, '/'), 'behind');
    },
  },
  {
    name: 'mosquitto',
    package: 'mosquitto 2.0',
    port: '1883',
    command: withSettings('/tmp/m.conf', 'listener 1883\nallow_anonymous true\n', 'mosquitto -c /tmp/m.conf'),
    works: 'a retained message, QoS 1, from mosquitto_pub to mosquitto_sub',
    async check({ port }) {
      const at = ['-h', '127.0.0.1', '-p', String(port), '-t', 'rooms/1', '-q', '1'];
      strictEqual((await tool('usr/bin/mosquitto_pub', [...at, '-r', '-m', 'warm'])).status, 0);
      strictEqual((await tool('usr/bin/mosquitto_sub', [...at, '-C', '1', '-W', '60'])).stdout, 'warm\n');
    },
  },
  {
    name: 'dnsmasq',
    package: 'dnsmasq 2.90',
    port: '53/udp',
    command: ['/usr/sbin/dnsmasq', '-k', '--log-facility=-', '--address=/hull.test/10.1.2.3'],
    works: 'UDP: answers of its own',
    async check({ port }) {
      strictEqual((await resolver(port).resolve4('a.hull.test')).join(), '10.1.2.3');
    },
  },
  {
    name: 'unbound',
    package: 'unbound 1.17',
    port: '53/udp',
    command: withSettings('/etc/unbound/unbound.conf', UNBOUND, '/usr/sbin/unbound -d -p'),
    works: 'UDP: local data',
    async check({ port }) {
      strictEqual((await resolver(port).resolve4('hull.test')).join(), '10.1.2.3');
      strictEqual((await resolver(port).resolveTxt('hull.test')).join(), 'text');
    },
  },
  {
    name: 'python http.server',
    package: 'python3 3.11',
    port: '8000',
    command: ['/usr/bin/python3', '-m', 'http.server', '-d', '/var/www/html', '8000'],
    works: 'files',
    async check({ port }) {
      strictEqual(await download(port, '/index.html'), PAGE);
    },
  },
  {
    name: 'python asyncio',
    package: 'python3 3.11',
    port: '7',
    command: ['/usr/bin/python3', '/srv/echo.py'],
    works: '3 MB both ways',
    async check({ port }) {
      await exchange(port, 'ready?', /^ready\?$/);
      const sent = randomBytes(3_000_000);
      const hash = createHash('sha256');
      const socket = connect(port, '127.0.0.1');
      socket.end(sent);
      for await (const chunk of socket) hash.update(chunk as Buffer);
      strictEqual(hash.digest('hex'), sum(sent));
    },
  },
  {
    name: 'python UDP',
    package: 'python3 3.11',
    port: '5353/udp',
    command: ['/usr/bin/python3', '/srv/capitals.py'],
    works: 'datagrams to 9000 bytes',
    async check({ port }) {
      for (const size of [1, 1400, 1472, 9000]) strictEqual(String(await ask(port, Buffer.alloc(size, 'abcdefg'))), String(Buffer.alloc(size, 'ABCDEFG')));
    },
  },
  {
    name: 'python sqlite3',
    package: 'python3 3.11, libsqlite3 3.40',
    port: '8000',
    command: ['/usr/bin/python3', '/srv/rows.py', '/tmp/rows.db'],
    works: 'SQLite in WAL mode over http.server with threads: 20 writers at once',
    async check({ port }) {
      const before = (await download(port, '/')).split('\n').length - 1;
      const mark = randomBytes(4).toString('hex');
      await Promise.all(Array.from({ length: 20 }, async (_, i) => strictEqual(await post(port, '/', Buffer.from(`${mark}-${i}`)), 'added\n')));
      const rows = (await download(port, '/')).trimEnd().split('\n');
      strictEqual(rows.length, before + 20);
      strictEqual(rows.filter((row) => row.startsWith(mark)).length, 20);
    },
  },
];

export const NODE: ServerCase = {
  name: 'Node.js',
  package: 'nodejs 18',
  port: '8080',
  command: ['/usr/bin/node', '/srv/server.js'],
  works: 'node:http: GET, a megabyte by POST, 40 requests at once',
  check: ({ port }) => checkSums(port),
};

/** The executable is the caller's: it builds it from guest/server.go. */
export const GO: Omit<ServerCase, 'command'> = {
  name: 'Go',
  package: 'golang-go 1.19',
  port: '8080',
  works: 'net/http, static, built by `go build` without a network: GET, a megabyte by POST, 40 requests at once',
  check: ({ port }) => checkSums(port),
};

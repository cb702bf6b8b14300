// Debian's unmodified arm64 packages in machines of AArch64: what they say is what the same packages for amd64 say.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { useArm64Packages } from '../arm64-packages.ts';
import { makeDebianRoot } from '../debian-root.ts';
import { makeGo } from '../programs/go.ts';

const HULL = resolve('dist/hull');
const PACKAGES = ['busybox-static', 'python3', 'lua5.4', 'sqlite3', 'redis-server', 'nginx-light'];
const scratch = mkdtempSync(join(tmpdir(), 'hull-arm64-programs-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

/** What maintainer scripts would have made. */
function finish(root: string): void {
  for (const name of ['tmp', 'root', 'run', 'var/log/nginx', 'var/lib/nginx', 'var/www/html']) mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n');
  writeFileSync(join(root, 'var/www/html/index.html'), 'a page\n');
  for (const shown of ['var/www/html/index.html', 'etc/passwd']) utimesSync(join(root, shown), 1e9, 1e9);
  if (!existsSync(join(root, 'bin/sh'))) symlinkSync('busybox', join(root, 'bin/sh'));
  writeFileSync(join(root, 'etc/nginx/test.conf'), 'events {}\nhttp { access_log off; server { listen 80; root /var/www/html; } }\n');
}

const go = makeGo();
const amd64 = makeDebianRoot('programs', PACKAGES, finish);
const absent = spawnSync('qemu-system-aarch64', ['--version']).status === 0 ? useArm64Packages() : 'no qemu-system-aarch64 here (Debian: qemu-system-arm)';
const arm64 = absent === undefined ? makeDebianRoot('arm64-programs', PACKAGES, finish) : { reason: absent };
const reason = [arm64, amd64, go].map((each) => ('reason' in each ? each.reason : undefined)).find((each) => each !== undefined) ?? false;
const roots = { amd64: 'root' in amd64 ? amd64.root : '', arm64: 'root' in arm64 ? arm64.root : '' };
const env = { ...process.env, HULL_ROOT: join(scratch, 'state'), NODE_EXTRA_CA_CERTS: '', APT_CONFIG: '' };
const hull = (...args: string[]) => spawnSync(HULL, args, { cwd: scratch, env, encoding: 'utf8', timeout: 240_000 });

const PYTHON = `
import threading, select, socket, signal, os, subprocess, mmap
r = []
ts = [threading.Thread(target=lambda i=i: r.append(i * i)) for i in range(20)]
[x.start() for x in ts]; [x.join() for x in ts]; print(sorted(r)[-3:])
a, b = socket.socketpair()
e = select.epoll(); e.register(a, select.EPOLLIN); e.register(b, select.EPOLLOUT)
print(sorted((f == b.fileno(), m) for f, m in e.poll()))
b.send(b"x"); print(sorted((f == b.fileno(), m) for f, m in e.poll()))
s = os.stat("/etc/passwd"); print(s.st_size, s.st_nlink, s.st_mode, s.st_uid, s.st_blksize, os.statvfs("/").f_namemax)
for flag in os.O_DIRECTORY, os.O_NOFOLLOW:
    try: os.symlink("/etc/passwd", "/tmp/l")
    except OSError: pass
    try: os.close(os.open("/tmp/l", flag)); print("opened")
    except OSError as x: print(x)
print(subprocess.run(["busybox", "echo", "sub"], capture_output=True).stdout)
signal.signal(signal.SIGUSR1, lambda s, f: print("signal", s)); os.kill(os.getpid(), signal.SIGUSR1)
signal.signal(signal.SIGALRM, lambda s, f: print("signal", s)); signal.setitimer(signal.ITIMER_REAL, 0.05); signal.pause()
p = os.fork()
if p == 0: os._exit(7)
print(os.waitpid(p, 0)[1] >> 8)
m = mmap.mmap(-1, 4096); m[0:2] = b"hi"; print(m[0:2])
print(0.1 + 0.2, 2 ** 0.5, sum(i * i for i in range(100000)), hash(1.5))
raise SystemExit(3)
`;

const COMMANDS: readonly (readonly string[])[] = [
  ['busybox', 'sh', '-c', 'seq 1000 | sort -rn | head -3; busybox ls -l /etc/passwd; (exit 3)'],
  ['busybox', 'sh', '-c', 'echo a > /tmp/a; ln -s a /tmp/b; busybox stat -c "%s %a %F %h" /tmp/a /tmp/b; busybox md5sum /etc/nginx/test.conf; kill -9 $$'],
  ['lua5.4', '-e', 'print(2^53, _VERSION, string.format("%.17g %a", 0.1, 1/3)); local t = {} for i = 1, 1e5 do t[i] = i end table.sort(t, function(a, b) return a > b end) print(t[1], #t)'],
  ['sqlite3', '/tmp/db', 'pragma journal_mode=wal; create table t(a); insert into t values(1),(2),(3.5); select sum(a), avg(a), sqlite_version() from t; pragma integrity_check;'],
  ['python3', '-c', PYTHON],
  ['/go/goroutines'],
];

/** The programs of Go, in a folder by architecture: 5000 goroutines, GC, faults that become panics, signals, a child, timers, sockets; and an HTTP server. */
function makeGoPrograms(arch: 'amd64' | 'arm64'): string {
  const folder = join(scratch, `built-${arch}`);
  for (const source of ['test/programs/languages/goroutines.go', 'test/network/guest/server.go']) if ('build' in go) go.build(resolve(source), join(folder, basename(source, '.go')), arch, join(scratch, 'go'));
  return folder;
}
const programs = reason === false ? { amd64: makeGoPrograms('amd64'), arm64: makeGoPrograms('arm64') } : { amd64: '', arm64: '' };
const optionsOf = (arch: 'amd64' | 'arm64') => ['--accel', 'tcg', '--platform', `linux/${arch}`, '-v', `${programs[arch]}:/go:ro`, '--rootfs', roots[arch]];

t.test('programs', { skip: reason }, (t) => {
  for (const [i, command] of COMMANDS.entries()) {
    const [here, there] = [hull('run', ...optionsOf('amd64'), ...command), hull('run', ...optionsOf('arm64'), ...command)];
    t.equal(there.stdout, here.stdout, `${command[0]} ${i}: output`);
    t.equal(there.status, here.status, `${command[0]} ${i}: status ${there.stderr}`);
    t.ok(here.stdout.length > 0, `${command[0]} ${i}: says something`);
  }
  const machine = hull('run', '--rootfs', roots.arm64, 'busybox', 'uname', '-m');
  t.match(machine, { status: 0, stdout: 'aarch64\n', stderr: 'hull: using TCG: the image is for linux/arm64\n' });
  t.match(hull('run', '--platform', 'linux/amd64', '--rootfs', roots.arm64, 'busybox'), { status: 125, stderr: /it is for linux\/arm64/ });
  t.match(hull('run', '--accel', 'tcg', join(roots.arm64, 'bin/busybox'), 'echo', 'static'), { status: 0, stdout: 'static\n' }, 'a static program alone');

  for (const machine of ['virt', 'virt-pci']) {
    const folder = join(scratch, machine);
    mkdirSync(folder);
    writeFileSync(join(folder, 'in'), 'shared\n');
    const shared = hull('run', '--accel', 'tcg', '--machine', machine, '-v', `${folder}:/v`, '--rootfs', roots.arm64, 'busybox', 'sh', '-c', 'cat /v/in; mkdir /v/made; echo back > /v/made/out; busybox ls /v');
    t.match(shared, { status: 0, stdout: 'shared\nin\nmade\n' }, `a directory of the host, ${machine}`);
    t.equal(readFileSync(join(folder, 'made/out'), 'utf8'), 'back\n');
  }
  t.end();
});

async function findPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise<void>((done) => void server.close(() => done()));
  return port;
}

/** What a server says to `text`; asked again until it is there. */
async function ask(port: number, text: string): Promise<string> {
  for (const until = Date.now() + 120_000; Date.now() < until; await new Promise((done) => setTimeout(done, 300))) {
    const answer = await new Promise<string>((done) => {
      const socket = connect(port, '127.0.0.1');
      let got = '';
      socket.on('data', (chunk) => (got += chunk.toString()));
      socket.on('error', () => {});
      socket.on('close', () => done(got));
      socket.setTimeout(60_000, () => socket.destroy());
      socket.write(text);
    });
    if (answer !== '') return answer;
  }
  return '';
}

const REDIS = `SET a 5
INCR a
GET a
LPUSH l z y x
SORT l ALPHA
OBJECT ENCODING l
HSET h one 1 two 2
HGETALL h
ZADD z 1.5 a 2.25 b 0.1 c
ZRANGE z 0 -1 WITHSCORES
ZINCRBY z 0.2 c
SETBIT bits 100 1
BITCOUNT bits
PFADD p a b c d e
PFCOUNT p
GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
GEODIST g Palermo Catania
EVAL "return {1, redis.call('GET', KEYS[1]), string.format('%.17g', 0.1), redis.sha1hex('a')}" 1 a
XADD s 1-1 field value
XRANGE s - +
DUMP a
NOSUCH
LPUSH a 1
QUIT
`.replaceAll('\n', '\r\n');

const NGINX = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'HEAD /index.html HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /index.html HTTP/1.1\r\nHost: a\r\nRange: bytes=2-3\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\n\r\n',
  'GET /absent HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx',
  'GET /%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
].join('');

const GO = `POST /path?q=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;

interface Server {
  readonly name: string;
  readonly port: number;
  readonly text: string;
  /** What shows that it is an answer at all. */
  readonly answer: RegExp;
  readonly command: readonly string[];
}
const SERVERS: readonly Server[] = [
  { name: 'redis', port: 6379, text: REDIS, answer: /^\+OK\r\n:6\r\n\$1\r\n6\r\n:3\r\n[\s\S]*-WRONGTYPE [\s\S]*\+OK\r\n$/, command: ['redis-server', '--protected-mode', 'no', '--save', ''] },
  { name: 'nginx', port: 80, text: NGINX, answer: /^HTTP\/1.1 200 OK\r\n[\s\S]*\r\n\r\na page\n[\s\S]* 206 [\s\S]* 304 [\s\S]* 404 [\s\S]* 405 [\s\S]* 400 /, command: ['nginx', '-c', '/etc/nginx/test.conf', '-g', 'daemon off;'] },
  { name: 'go', port: 8080, text: GO, answer: /^HTTP\/1.1 200 OK\r\n[\s\S]*POST \/path\?q=1 84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882\n[\s\S]*GET \/last /, command: ['/go/server'] },
];

/** A server in a machine, up to its first answer. */
async function startServer(t: Test, server: Server, name: string, options: readonly string[]): Promise<string> {
  const port = await findPort();
  const started = hull('run', '-d', '--name', name, '-p', `127.0.0.1:${port}:${server.port}`, ...options, ...server.command);
  t.equal(started.status, 0, started.stderr);
  return started.status === 0 ? (await ask(port, server.text)).replaceAll(/^Date: .*\r\n/gm, '') : '';
}

/** Its exit status after it was asked to end. */
function stopServer(t: Test, name: string): string {
  t.equal(hull('stop', name).status, 0);
  const code = hull('inspect', '-f', '{{.State.ExitCode}}', name).stdout;
  hull('rm', '-f', name);
  return code;
}

t.test('servers', { skip: reason }, async (t) => {
  for (const server of SERVERS) {
    const here = await startServer(t, server, `${server.name}-amd64`, optionsOf('amd64'));
    const code = stopServer(t, `${server.name}-amd64`);
    t.match(here, server.answer, `${server.name} answers`);
    for (const machine of server.name === 'nginx' ? ['virt', 'virt-pci'] : ['virt']) {
      const name = `${server.name}-${machine}`;
      t.equal(await startServer(t, server, name, ['--machine', machine, ...optionsOf('arm64')]), here, `${name} says the same`);
      t.match(hull('exec', name, 'busybox', 'uname', '-m'), { status: 0, stdout: 'aarch64\n' }, 'a further process in the machine');
      const copied = spawnSync(HULL, ['cp', `${name}:/etc/passwd`, '-'], { env, timeout: 120_000 });
      t.equal(spawnSync('tar', ['-tf', '-'], { input: copied.stdout, encoding: 'utf8' }).stdout, 'passwd\n', 'cp takes a file out of it');
      t.equal(stopServer(t, name), code, `${name} ends as there when it is asked to`);
    }
  }
});

// Debian's unmodified arm64 packages in machines of AArch64: what they say is what the same packages for amd64 say.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { useArm64Packages } from '../arm64-packages.ts';
import { makeDebianRoot } from '../debian-root.ts';

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
  writeFileSync(join(root, 'etc/nginx/test.conf'), 'events {}\nhttp { access_log off; server { listen 80; root /var/www/html; } }\n');
}

const amd64 = makeDebianRoot('programs', PACKAGES, finish);
const absent = spawnSync('qemu-system-aarch64', ['--version']).status === 0 ? useArm64Packages() : 'no qemu-system-aarch64 here (Debian: qemu-system-arm)';
const arm64 = absent === undefined ? makeDebianRoot('arm64-programs', PACKAGES, finish) : { reason: absent };
const reason = 'reason' in arm64 ? arm64.reason : 'reason' in amd64 ? amd64.reason : false;
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
];

t.test('programs', { skip: reason }, (t) => {
  for (const [i, command] of COMMANDS.entries()) {
    const [here, there] = [hull('run', '--rootfs', roots.amd64, ...command), hull('run', '--accel', 'tcg', '--rootfs', roots.arm64, ...command)];
    t.equal(there.stdout, here.stdout, `${command[0]} ${i}: output`);
    t.equal(there.status, here.status, `${command[0]} ${i}: status ${there.stderr}`);
    t.ok(here.stdout.length > 0, `${command[0]} ${i}: says something`);
  }
  const machine = hull('run', '--rootfs', roots.arm64, 'busybox', 'uname', '-m');
  t.match(machine, { status: 0, stdout: 'aarch64\n', stderr: 'hull: using TCG: the image is for linux/arm64\n' });
  t.match(hull('run', '--platform', 'linux/amd64', '--rootfs', roots.arm64, 'busybox'), { status: 125, stderr: /it is for linux\/arm64/ });
  t.match(hull('run', '--accel', 'tcg', join(roots.arm64, 'bin/busybox'), 'echo', 'static'), { status: 0, stdout: 'static\n' }, 'a static program alone');

  const folder = join(scratch, 'shared');
  mkdirSync(folder);
  writeFileSync(join(folder, 'in'), 'shared\n');
  const shared = hull('run', '--accel', 'tcg', '-v', `${folder}:/v`, '--rootfs', roots.arm64, 'busybox', 'sh', '-c', 'cat /v/in; mkdir /v/made; echo back > /v/made/out; busybox ls /v');
  t.match(shared, { status: 0, stdout: 'shared\nin\nmade\n' }, 'a directory of the host');
  t.equal(readFileSync(join(folder, 'made/out'), 'utf8'), 'back\n');
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

t.test('servers', { skip: reason }, async (t) => {
  const servers: readonly (readonly [name: string, guestPort: number, text: string, answer: RegExp, command: readonly string[]])[] = [
    ['redis', 6379, 'SET a 5\r\nINCR a\r\nGET a\r\nQUIT\r\n', /^\+OK\r\n:6\r\n\$1\r\n6\r\n\+OK\r\n$/, ['redis-server', '--protected-mode', 'no', '--save', '']],
    ['nginx', 80, 'GET / HTTP/1.0\r\n\r\n', /^HTTP\/1.1 200 OK\r\n[\s\S]*\r\n\r\na page\n$/, ['nginx', '-c', '/etc/nginx/test.conf', '-g', 'daemon off;']],
  ];
  for (const [name, guestPort, text, answer, command] of servers) {
    const port = await findPort();
    const started = hull('run', '-d', '--accel', 'tcg', '--name', name, '-p', `127.0.0.1:${port}:${guestPort}`, '--rootfs', roots.arm64, ...command);
    t.equal(started.status, 0, started.stderr);
    t.match(await ask(port, text), answer, `${name} answers`);
    t.match(hull('exec', name, 'busybox', 'uname', '-m'), { status: 0, stdout: 'aarch64\n' }, 'a further process in the machine');
    const tar = spawn('tar', ['-tf', '-'], { stdio: ['pipe', 'pipe', 'ignore'] });
    const copied = spawnSync(HULL, ['cp', `${name}:/etc/passwd`, '-'], { env, timeout: 120_000 });
    tar.stdin.end(copied.stdout);
    t.equal((await tar.stdout.toArray()).join(''), 'passwd\n', 'cp takes a file out of it');
    t.equal(hull('stop', name).status, 0);
    t.equal(hull('inspect', '-f', '{{.State.ExitCode}}', name).stdout, '0\n', `${name} ends when it is asked to`);
    hull('rm', '-f', name);
  }
});

/**
 * What processes share: System V IPC, locks on files, the files themselves, over tmpfs and over an overlay. The programs of this folder, natively and as unikernels; same output, same status.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { compareRuns, createRunner, hull } from './outcome.ts';

const run = createRunner(600_000);

/** What each variant of the C library is worth trying for. */
const programs: Record<string, string[]> = {
  musl: ['ipc', 'locks', 'files', 'watch', 'transfer', 'owners', 'queues', 'others', 'requeue', 'interrupted', 'setid', 'capabilities', 'listed'],
  glibc: ['ipc', 'locks', 'files', 'watch', 'transfer', 'owners', 'queues', 'others', 'requeue', 'interrupted', 'setid', 'capabilities', 'listed'],
};

/** What they leave natively goes with the test. */
const TMPDIR = mkdtempSync(join(tmpdir(), 'hull-ipc-'));
t.teardown(() => rmSync(TMPDIR, { recursive: true, force: true }));

for (const [variant, names] of Object.entries(programs)) {
  t.test(variant, async (t) => {
    for (const name of names) {
      const file = resolve(`build/guest/${variant}/${name}`);
      await compareRuns(t, name, '', () => run(file, [], { TMPDIR }), () => run(hull, ['run', '-m', '64', file]));
    }
  });
}

t.test('over an overlay, with directories of the layer below', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hull-files-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'lower/sub'), { recursive: true });
  mkdirSync(join(folder, 'tmp'), { mode: 0o1777 });
  writeFileSync(join(folder, 'lower/one'), '1');
  writeFileSync(join(folder, 'lower/sub/two'), '2');
  const root = join(folder, 'root');
  mkdirSync(root);
  for (const name of ['lower', 'tmp']) cpSync(join(folder, name), join(root, name), { recursive: true });
  cpSync(resolve('build/guest/glibc/files'), join(root, 'files'));
  const found = await run(hull, ['run', '-m', '64', '--rootfs', root, '/files', '/']);
  const expected = await run(resolve('build/guest/glibc/files'), [folder], { TMPDIR });
  t.equal(found.stdout, expected.stdout, 'output');
  t.equal(found.status, expected.status, `status ${found.stderr}`);
});

const hasPlainNamespace = spawnSync('unshare', ['--net', 'true'], { stdio: 'ignore' }).status === 0;
t.test('ports that only root may bind', { skip: hasPlainNamespace ? false : 'no network namespace can be made here' }, async (t) => {
  for (const variant of ['musl', 'glibc']) {
    const program = resolve(`build/guest/${variant}/low_ports`);
    const expected = await run('unshare', ['--net', program]);
    const found = await run(hull, ['run', '-m', '64', program]);
    t.match(expected.stdout, /IPv4 stream 80: Permission denied/);
    t.equal(found.stdout, expected.stdout, `${variant}: output`);
    t.equal(found.status, expected.status, `${variant}: status ${found.stderr}`);
  }
  const before = await run(hull, ['run', '-m', '64', resolve('build/guest/musl/low_ports'), 'as-it-is']);
  t.match(before.stdout, /: 0\nuser 1000\nIPv4 stream 1: bound\n/, 'none, unless it is set, as in containers');
  t.equal(before.stdout.match(/: bound\n/g)?.length, 24, before.stdout);
});

/** What the native run needs. */
const hasNamespace = spawnSync('unshare', ['--net', 'sh', '-c', 'ip link set lo up && echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range && ip -6 addr show dev lo | grep -q ::1'], { stdio: 'ignore' }).status === 0;
t.test('raw sockets and ping sockets', { skip: hasNamespace ? false : 'no network namespace with IPv6 can be made here' }, async (t) => {
  for (const variant of ['musl', 'glibc']) {
    const program = resolve(`build/guest/${variant}/raw_sockets`);
    const image = join(TMPDIR, `${variant}.img`);
    const built = await run(hull, ['build', '--add', 'raw-socket', '-o', image, program]);
    t.equal(built.status, 0, built.stderr);
    const expected = await run('unshare', ['--net', 'sh', '-c', 'ip link set lo up; echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range; exec "$0"', program]);
    const found = await run(hull, ['run', '-m', '64', image]);
    t.match(expected.stdout, /answer over IPv6: type 129/);
    t.equal(found.stdout, expected.stdout, `${variant}: output`);
    t.equal(found.status, expected.status, `${variant}: status ${found.stderr}`);
  }
  const without = await run(hull, ['run', '-m', '64', resolve('build/guest/musl/raw_sockets')]);
  t.match(without.stderr, /raw sockets are not in this image, expected the component raw-socket \(--add raw-socket\)/);
});

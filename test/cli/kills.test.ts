/**
 * Machines that are killed in the middle of SQLite's transactions (test/programs/run-kills.ts does many): what was acknowledged is there, the data base is whole, and the block
 * volume's file system is consistent. Two processes on one data base in WAL mode, which share its index by a mapping.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';
import { isWhole, killOnce } from '../programs/kills.ts';
import { makeRoot } from '../programs/roots.ts';

const made = makeRoot('sqlite', ['sqlite3', 'busybox-static']);
const folder = mkdtempSync(join(tmpdir(), 'hull-kills-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const hull = join(findCheckout(), 'dist/hull');
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state') };
const call = (args: string[]) => execa(hull, args, { env, extendEnv: false, reject: false, input: '', timeout: 600_000 });

t.test('a killed machine loses nothing that SQLite acknowledged', { skip: 'root' in made ? false : made.reason }, async (t) => {
  const root = 'root' in made ? made.root : '';
  await call(['volume', 'create', '-d', 'block', '-o', 'size=64m', 'data']);
  const image = (JSON.parse((await call(['volume', 'inspect', 'data'])).stdout) as { Mountpoint: string }[])[0]?.Mountpoint ?? '';
  for (const [name, mount] of [['block', ['-v', 'data:/data']], ['9p', ['-v', `${join(folder, 'shared')}:/data`]]] as const) {
    for (const after of [5, 60, 130].slice(0, name === 'block' ? 3 : 1)) {
      const outcome = await killOnce({ hull, env, root, mount, writers: 2, transactions: 1000, after, delay: Math.random() * 20 });
      t.ok(isWhole(outcome), `${name}: ${JSON.stringify(outcome)}`);
      t.ok(outcome.writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0) >= after, name);
    }
  }
  const check = await execa('e2fsck', ['-fn', image], { reject: false, env: { PATH: `${process.env['PATH']}:/sbin:/usr/sbin` } });
  t.equal(check.exitCode, 0, check.stdout);
});

t.test('two processes write to one data base on each file system', { skip: 'root' in made ? false : made.reason }, async (t) => {
  const root = 'root' in made ? made.root : '';
  await call(['volume', 'create', '-d', 'block', '-o', 'size=64m', 'shared']);
  const insert = (who: string) => `i=0; while test $i -lt 60; do i=$((i + 1)); echo "INSERT INTO t VALUES ('${who}', $i);"; done`;
  const script = `for at in /tmpfs /root /9p /block; do cd $at; sqlite3 two.db 'PRAGMA journal_mode=WAL; CREATE TABLE t (who, n);'
    (echo '.timeout 240000'; ${insert('a')}) | sqlite3 two.db & (echo '.timeout 240000'; ${insert('b')}) | sqlite3 two.db; wait
    sqlite3 two.db 'PRAGMA integrity_check; SELECT who, count(*), sum(n) FROM t GROUP BY who;'; done`;
  const mounts = ['--tmpfs', '/tmpfs', '-v', `${join(folder, 'two')}:/9p`, '-v', 'shared:/block'];
  const result = await call(['run', '-m', '128m', '--rootfs', root, ...mounts, '/bin/busybox', 'sh', '-c', script]);
  t.equal(result.stdout, Array.from({ length: 4 }, () => 'wal\nok\na|60|1830\nb|60|1830').join('\n'), result.stderr);
});

t.test('what nobody synced is on a block volume some seconds later', { skip: 'root' in made ? false : made.reason }, async (t) => {
  const root = 'root' in made ? made.root : '';
  await call(['volume', 'create', '-d', 'block', '-o', 'size=16m', 'lazy']);
  const run = (script: string) => ['run', '-m', '64m', '--rootfs', root, '-v', 'lazy:/data', '/bin/busybox', 'sh', '-c', script];
  // Five seconds are promised, by the guest's clock and when it gets to it: a machine with much else to do gets more of them.
  for (const seconds of [9, 40, 120]) {
    const machine = execa(hull, run('rm -rf /data/d /data/new; mkdir /data/d; echo early > /data/d/file; sync; echo late > /data/d/file; echo new > /data/new; echo written; sleep 600'), { env, extendEnv: false, reject: false, timeout: 600_000 });
    await new Promise<void>((resolve) => machine.stdout?.on('data', (bytes: Buffer) => (bytes.includes('written') ? setTimeout(resolve, seconds * 1000) : undefined)));
    machine.kill('SIGKILL');
    await machine;
    const found = await call(run('cat /data/d/file /data/new'));
    if (found.stdout !== 'late\nnew' && seconds < 120) continue;
    t.equal(found.stdout, 'late\nnew', found.stderr);
    break;
  }
});

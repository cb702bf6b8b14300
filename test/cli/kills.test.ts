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
import { killOnce } from '../programs/kills.ts';
import { makeRoot } from '../programs/roots.ts';

const made = makeRoot('sqlite', ['sqlite3', 'busybox-static']);
const folder = mkdtempSync(join(tmpdir(), 'hull-kills-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const hull = join(findCheckout(), 'dist/hull');
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state') };
const call = (args: string[]) => execa(hull, args, { env, extendEnv: false, reject: false, input: '', timeout: 300_000 });

t.test('a killed machine loses nothing that SQLite acknowledged', { skip: 'root' in made ? false : made.reason }, async (t) => {
  const root = 'root' in made ? made.root : '';
  await call(['volume', 'create', '-d', 'block', '-o', 'size=64m', 'data']);
  const image = (JSON.parse((await call(['volume', 'inspect', 'data'])).stdout) as { Mountpoint: string }[])[0]?.Mountpoint ?? '';
  for (const [name, mount] of [['block', ['-v', 'data:/data']], ['9p', ['-v', `${join(folder, 'shared')}:/data`]]] as const) {
    for (const after of [5, 60, 130].slice(0, name === 'block' ? 3 : 1)) {
      const outcome = await killOnce({ hull, env, root, mount, transactions: 1000, after, delay: Math.random() * 20 });
      t.equal(outcome.integrity, 'ok', `${name}: ${outcome.stderr}`);
      t.ok(outcome.found >= outcome.acknowledged && outcome.acknowledged >= after, `${name}: acknowledged ${outcome.acknowledged}, found ${outcome.found}`);
      t.equal(outcome.count, outcome.found);
    }
  }
  const check = await execa('e2fsck', ['-fn', image], { reject: false, env: { PATH: `${process.env['PATH']}:/sbin:/usr/sbin` } });
  t.equal(check.exitCode, 0, check.stdout);
});

t.test('two processes write to one data base on a block volume', { skip: 'root' in made ? false : made.reason }, async (t) => {
  const root = 'root' in made ? made.root : '';
  await call(['volume', 'create', '-d', 'block', '-o', 'size=64m', 'shared']);
  const insert = (who: string) => `i=0; while test $i -lt 60; do i=$((i + 1)); echo "INSERT INTO t VALUES ('${who}', $i);"; done`;
  const script = `cd /data; sqlite3 two.db 'PRAGMA journal_mode=WAL; CREATE TABLE t (who, n);'
    (echo '.timeout 60000'; ${insert('a')}) | sqlite3 two.db & (echo '.timeout 60000'; ${insert('b')}) | sqlite3 two.db; wait
    sqlite3 two.db 'PRAGMA integrity_check; SELECT who, count(*), sum(n) FROM t GROUP BY who;'`;
  const result = await call(['run', '-m', '128m', '--rootfs', root, '-v', 'shared:/data', '/bin/busybox', 'sh', '-c', script]);
  t.equal(result.stdout, 'wal\nok\na|60|1830\nb|60|1830', result.stderr);
});

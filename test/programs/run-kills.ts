/**
 * Kills machines in the middle of SQLite's transactions, which two processes make, on a block volume and on 9P: `node tools/run.mjs test/programs/run-kills.ts [ROUNDS]` (30).
 * Prints a line a round; exit status 1 when a data base was damaged or an acknowledged transaction is missing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execaSync } from 'execa';
import { findCheckout } from '../boot/guest/build.ts';
import { isWhole, killOnce } from './kills.ts';
import { makeRoot } from './roots.ts';

const rounds = Number(process.argv[2] ?? 30);
const made = makeRoot('sqlite', ['sqlite3', 'busybox-static']);
if (!('root' in made)) throw new Error(made.reason);
const folder = mkdtempSync(join(tmpdir(), 'hull-kills-'));
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', HULL_ROOT: join(folder, 'state') };
const hull = join(findCheckout(), 'dist/hull');
let bad = 0;
try {
  for (const place of ['block', '9p']) {
    if (place === 'block') execaSync(hull, ['volume', 'create', '-d', 'block', '-o', 'size=256m', 'data'], { env, extendEnv: false });
    const mount = place === 'block' ? ['-v', 'data:/data'] : ['-v', `${join(folder, 'shared')}:/data`];
    for (let round = 1; round <= rounds; round++) {
      const options = { hull, env, root: made.root, mount, writers: 2, transactions: 1000, after: 1 + Math.floor(Math.random() * 1800), delay: Math.random() * 20 };
      const outcome = await killOnce(options);
      let checked = '';
      if (place === 'block') {
        const image = (JSON.parse(execaSync(hull, ['volume', 'inspect', 'data'], { env, extendEnv: false }).stdout) as { Mountpoint: string }[])[0]?.Mountpoint ?? '';
        const check = execaSync('e2fsck', ['-fn', image], { reject: false, env: { PATH: `${process.env['PATH']}:/sbin:/usr/sbin` } });
        checked = `, e2fsck ${check.exitCode}`;
        if (check.exitCode !== 0) bad++;
      }
      const isGood = isWhole(outcome);
      if (!isGood) bad++;
      const writers = outcome.writers.map(({ acknowledged, found }) => `acknowledged ${acknowledged}, found ${found}`).join('; ');
      console.log(`${place} ${round}: killed after ${options.after}; ${writers}, ${outcome.integrity}${checked}${isGood ? '' : `: BAD ${outcome.stderr}`}`);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(bad === 0 ? 0 : 1);

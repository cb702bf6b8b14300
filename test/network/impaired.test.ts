/**
 * A machine on a tap whose link loses, delays, doubles and reorders frames: transfers both ways end, with every byte right (figures beside Linux's: run-impaired.ts). Then floods of
 * half-open connections and of malformed frames, in which others are served and memory suffices. As root only: network namespaces of the test's own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { awaitServer, GUEST, makeLink, refuseLink } from './impaired.ts';

t.setTimeout(840_000);
const skip = refuseLink() ?? false;
if (skip !== false) console.error(`impaired.test: bad links are not tried: ${skip}`);

/** Frames of each kind; a million with HULL_FLOOD=1000000. */
const FLOOD = Number(process.env['HULL_FLOOD'] ?? 5000);
/** Far more than a listener keeps of half-open connections in the time that an honest client takes to answer. */
const PER_SECOND = 5000;

t.test('bad links, and hosts that are worse', { skip }, async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'hull-impaired-state-'));
  const link = makeLink();
  const args = ['run', '-m', '32m', '--network', `tap:${link.tap}`, '--ip', GUEST, link.bulk, 'serve'];
  const machine = spawn(...link.inside(resolve('dist/hull'), args), { env: { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: state }, stdio: ['ignore', 'ignore', 'inherit'] });
  const hasEnded = () => machine.exitCode !== null || machine.signalCode !== null;
  try {
    for (const condition of [{ name: 'clean' }, { name: 'bad', delay: 5, jitter: 0.5, loss: 2, duplicate: 3, reorder: 3 }, { name: 'lossy', delay: 2, loss: 5 }]) {
      const end = await link.impair(condition);
      if (condition.name === 'clean') await awaitServer(link, hasEnded);
      for (const direction of ['get', 'put'] as const) await t.resolves(link.transfer(direction, 1_000_000, 300_000), `${condition.name}: ${direction}`);
      const said = await end();
      t.match(said, / 0 with a wrong sum$/, 'checksums of what leaves the machine');
      const [, lost, doubled, reordered] = /, (\d+) lost, (\d+) twice, (\d+) reordered/.exec(said)?.map(Number) ?? [];
      t.same([lost, doubled, reordered].map((count) => (count ?? 0) > 0), [condition.loss, condition.duplicate, condition.reorder].map((share) => share !== undefined), 'the link was as bad as it should be');
    }
    const end = await link.impair({ name: 'clean' });
    for (const kind of ['syn', 'junk'] as const) {
      let served = 0;
      // A client of a busy host may take as long as a flood: then there is another one.
      for (let floods = 0; floods === 0 || (served < 2 && floods < 20); floods++) {
        let isOver = false;
        const flood = link.flood(kind, FLOOD, PER_SECOND).finally(() => (isOver = true));
        // Clients that are honest, all along.
        while (!isOver) {
          await t.resolves(link.transfer(served % 2 === 0 ? 'get' : 'put', 10_000, 100_000), `in a flood of ${kind}`);
          served++;
        }
        t.match(await flood, /^\d{4,} frames sent$/);
      }
      t.ok(served > 1, `${served} clients were served meanwhile`);
      await t.resolves(link.transfer('get', 1_000_000, 300_000), `after ${FLOOD} frames of ${kind}`);
    }
    await end();
    t.notOk(hasEnded(), 'in 32 MiB');
  } finally {
    if (!hasEnded()) {
      machine.kill('SIGKILL');
      await once(machine, 'exit');
    }
    link.close();
    rmSync(state, { recursive: true, force: true });
  }
});

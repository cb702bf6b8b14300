/**
 * Sudden ends at random: instances under commands and kills for most of a minute (run-chaos.ts does it for ten), and a few power cuts amid writes (run-power-loss.ts: 200). HULL_CHAOS_SECONDS and
 * HULL_TEST_SEED change the first.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { runChaos } from './chaos.ts';
import { cannotMount, losePower } from './power-loss.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-chaos-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const make = (name: string) => {
  mkdirSync(join(folder, name));
  return join(folder, name);
};

t.test('state equals reality', async (t) => {
  const seed = Number(process.env['HULL_TEST_SEED'] ?? Date.now() % 1_000_000);
  t.comment(`HULL_TEST_SEED=${seed}`);
  const { problems, actions, checkedRuns } = await runChaos({ folder: make('chaos'), seconds: Number(process.env['HULL_CHAOS_SECONDS'] ?? 45), instances: 30, seed });
  t.strictSame(problems, []);
  t.comment(`${JSON.stringify(actions)}; ${checkedRuns} runs with whole logs`);
  t.ok(checkedRuns > 0 && Object.keys(actions).length > 0);
});

const reason = cannotMount(make('probe'));

t.test('state is readable after a power cut', { skip: reason }, async (t) => {
  const { problems, writes } = await losePower({ folder: make('power'), rounds: 3, say: (line) => t.comment(line) });
  t.strictSame(problems, []);
  t.ok(writes > 0);
});

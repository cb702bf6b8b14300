/** The power fails while state is written: `node tools/run.mjs test/engine/run-power-loss.ts [ROUNDS]` (200), as root. A line a round; exit status 1 when something was not readable afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cannotMount, losePower } from './power-loss.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-power-'));
try {
  const reason = cannotMount(folder);
  if (reason !== false) throw new Error(reason);
  const { problems, writes, found } = await losePower({ folder, rounds: Number(process.argv[2] ?? 200), say: (line) => console.log(line) });
  console.log(`${writes} acknowledged writes, ${found} instances found after cuts, ${problems.length} problems`);
  for (const problem of problems) console.log(`  ${problem}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Thirty instances under random starts, stops, removals and sudden ends of QEMU, of commands and of the engine: `node tools/run.mjs test/engine/run-chaos.ts [SECONDS] [SEED]` (600 seconds). Prints what was
 * done and refused; exit status 1 when state and reality differ afterwards. The folder of a bad run stays.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChaos } from './chaos.ts';

const seconds = Number(process.argv[2] ?? 600);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'hull-chaos-'));
console.log(`seed ${seed}, ${seconds} s, ${folder}`);
const report = await runChaos({ folder, seconds, instances: 30, seed });
const show = (title: string, record: Readonly<Record<string, number>>) => {
  console.log(`${title}:`);
  for (const [name, times] of Object.entries(record).sort((a, b) => b[1] - a[1])) console.log(`${String(times).padStart(6)}  ${name}`);
};
show('actions', report.actions);
show('refusals', report.refusals);
console.log(`${report.checkedRuns} runs with whole logs; ${report.problems.length} problems`);
for (const problem of report.problems) console.log(`  ${problem}`);
if (report.problems.length === 0) rmSync(folder, { recursive: true });
process.exit(report.problems.length === 0 ? 0 : 1);

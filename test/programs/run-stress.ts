/**
 * Debian's stress-ng for a minute a stressor, memory before and after: writes docs/stress.md. By hand, about ten minutes:
 *
 *     node tools/run.mjs test/programs/run-stress.ts [--table] [SECONDS [STRESSOR…]]
 *
 * Two machines at a time. What they said is kept in build/stress; --table only makes the table of that again.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeStressRoot, type Outcome, readOutcomes, runStressors, STRESSORS } from './stress.ts';

const MACHINES = 2;
const STORE = 'build/stress';

function makeTable(outcomes: readonly Outcome[], seconds: number): string {
  const rows = STRESSORS.flatMap((name) => outcomes.filter((outcome) => outcome.name === name)).map(
    (o) =>
      `| ${o.name} | ${o.operations} | ${o.status === 0 && o.failures.length === 0 ? 'successful' : `status ${o.status}: ${o.failures.join('; ')}`} | ${o.before.free} + ${o.before.cached} | ${o.after.free} + ${o.after.cached} | ${o.after.free + o.after.cached - o.before.free - o.before.cached} |`,
  );
  return `# stress-ng

<!-- Made by \`node tools/run.mjs test/programs/run-stress.ts\`. -->

Debian's stress-ng (0.15.06), ${seconds} seconds for each stressor after a warm-up of two, in machines of 512 MiB under TCG: \`stress-ng --NAME 2 -t ${seconds} --verify --oomable\`,
as a user. Memory is MemFree + Cached of /proc/meminfo in kB, read after \`echo 3 > /proc/sys/vm/drop_caches\`: names of files that are gone stay cached, as in Linux (up to 512),
and so do the kernel stacks of up to 16 threads that ended.

| stressor | operations | result | memory before | after | difference |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

What remains after a warm-up are page tables of the area for kernel stacks, which grow with the most threads that there ever were at one time (4 kB for each 102), and pages of the
heap that a few long-lived objects hold. \`npm test\` runs each stressor for a second (\`test/programs/stress.test.ts\`).
`;
}

async function runAll(names: readonly string[], seconds: number): Promise<void> {
  const made = makeStressRoot();
  if ('reason' in made) throw new Error(`Cannot run stress-ng: ${made.reason}, expected its packages`);
  rmSync(STORE, { recursive: true, force: true });
  mkdirSync(STORE, { recursive: true });
  const shares = Array.from({ length: MACHINES }, (_, machine) => names.filter((_, index) => index % MACHINES === machine));
  const runs = shares.map(async (share, machine) => {
    if (share.length === 0) return;
    const { output } = await runStressors(made.root, share, seconds, share.length * (seconds + 120));
    writeFileSync(join(STORE, `${machine}.out`), output);
  });
  await Promise.all(runs);
}

const onlyTable = process.argv.includes('--table');
const [seconds = '60', ...named] = process.argv.slice(2).filter((argument) => argument !== '--table');
const names = named.length > 0 ? named : STRESSORS;
if (!onlyTable) await runAll(names, Number(seconds));
const outcomes = readdirSync(STORE).flatMap((file) => readOutcomes(readFileSync(join(STORE, file), 'utf8')));
const table = makeTable(outcomes, Number(seconds));
process.stdout.write(table);
const missing = names.filter((name) => !outcomes.some((outcome) => outcome.name === name));
for (const name of missing) console.error(`${name}: did not come to its end`);
if (names === STRESSORS && missing.length === 0) writeFileSync('docs/stress.md', table);

/** docs/python.md: one line a module, from the results that run-modules.ts kept, and why a test's outcome differs (differences.json). */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MODULES } from './modules.ts';
import { compareOutcomes, findReason, type ModuleResult, type Reasons } from './outcomes.ts';

const count = (result: ModuleResult, outcome: string): number => Object.values(result.tests).filter((found) => found === outcome).length;

function describe(result: ModuleResult): string {
  if (result.skipped !== undefined) return 'skipped';
  const parts = [`${count(result, 'ok') + count(result, 'expected failure')} ok`];
  for (const outcome of ['skipped', 'failed', 'unfinished']) if (count(result, outcome) > 0) parts.push(`${count(result, outcome)} ${outcome}`);
  return parts.join(', ') + (result.complete ? '' : ', not to its end');
}

export function writeTable(store: string): void {
  const reasons = JSON.parse(readFileSync('test/python/differences.json', 'utf8')) as Reasons;
  const rows: string[] = [];
  const notes: string[] = [];
  const total = { modules: 0, equal: 0, tests: 0, different: 0 };
  for (const module of MODULES) {
    const [native, guest] = ['native', 'guest'].map((side) => {
      const path = join(store, side, `${module}.json`);
      return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as ModuleResult) : undefined;
    });
    if (!native || !guest) continue;
    const differences = compareOutcomes(native, guest);
    total.modules++;
    total.tests += Object.keys(native.tests).length;
    total.different += differences.length;
    if (differences.length === 0) total.equal++;
    rows.push(`| ${module} | ${Object.keys(native.tests).length} | ${describe(native)} | ${describe(guest)} | ${differences.length || ''} |`);
    const byReason = new Map<string, string[]>();
    for (const { test, native: a, guest: b } of differences) {
      const reason = findReason(reasons, module, test) ?? 'not explained';
      byReason.set(reason, [...(byReason.get(reason) ?? []), `\`${test}\` (${a}; guest: ${b})`]);
    }
    for (const [reason, tests] of byReason) {
      const shown = tests.slice(0, 6).join(', ') + (tests.length > 6 ? ` and ${tests.length - 6} more` : '');
      notes.push(`- **${module}**, ${tests.length}: ${reason}. ${shown}`);
    }
  }
  const text = `# Python's own tests

<!-- Written by \`node tools/run.mjs test/python/run-modules.ts\` from the runs and test/python/differences.json; edit those. -->

Debian's unmodified python3.11 runs modules of its own test suite (\`libpython3.11-testsuite\`) as a unikernel, \`hull run --rootfs DIR -m 512m /usr/bin/python3 -m test -v MODULE\`,
and natively in a chroot of the same root file system, as the same user, with the same variables. Outcomes are compared test by test.

**${total.modules} modules, ${total.tests} tests; ${total.equal} modules without any difference; ${total.different} tests with another outcome**, explained below the table.

| module | tests | natively | in the guest | different |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

## What differs, and why

${notes.length > 0 ? notes.join('\n') : 'Nothing.'}
`;
  writeFileSync('docs/python.md', text);
}

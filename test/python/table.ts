/**
 * docs/python.md: one line a module, from the results that run-modules.ts kept, and why a test's outcome differs (differences.json). A module
 * without kept results keeps the line and the reasons that the page has of it.
 */
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

interface Entry {
  tests: number;
  different: number;
  row: string;
  notes: string[];
}

/** What the page says of each module now. */
function readPage(path: string): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const line of existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []) {
    const [, module, tests, different] = /^\| (test[\w.]+) \| (\d+) \|.*\| (\d*) \|$/.exec(line) ?? [];
    if (module !== undefined) entries.set(module, { tests: Number(tests), different: Number(different), row: line, notes: [] });
    entries.get(/^- \*\*([\w.]+)\*\*, /.exec(line)?.[1] ?? '')?.notes.push(line);
  }
  return entries;
}

const PAGE = 'docs/python.md';

export function writeTable(store: string): void {
  const reasons = JSON.parse(readFileSync('test/python/differences.json', 'utf8')) as Reasons;
  const entries = readPage(PAGE);
  for (const module of MODULES) {
    const [native, guest] = ['native', 'guest'].map((side) => {
      const path = join(store, side, `${module}.json`);
      return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as ModuleResult) : undefined;
    });
    if (!native || !guest) continue;
    const differences = compareOutcomes(native, guest);
    const tests = Object.keys(native.tests).length;
    const notes: string[] = [];
    const row = `| ${module} | ${tests} | ${describe(native)} | ${describe(guest)} | ${differences.length || ''} |`;
    entries.set(module, { tests, different: differences.length, row, notes });
    const byReason = new Map<string, string[]>();
    for (const { test, native: a, guest: b } of differences) {
      const reason = findReason(reasons, module, test) ?? 'not explained';
      byReason.set(reason, [...(byReason.get(reason) ?? []), `\`${test}\` (${a}; guest: ${b})`]);
    }
    for (const [reason, named] of byReason) {
      const shown = named.slice(0, 6).join(', ') + (named.length > 6 ? ` and ${named.length - 6} more` : '');
      notes.push(`- **${module}**, ${named.length}: ${reason}. ${shown}`);
    }
  }
  const shown = MODULES.flatMap((module) => entries.get(module) ?? []);
  const sum = (of: (entry: Entry) => number): number => shown.reduce((total, entry) => total + of(entry), 0);
  const rows = shown.map(({ row }) => row);
  const notes = shown.flatMap((entry) => entry.notes);
  const text = `# Python's own tests

<!-- Written by \`node tools/run.mjs test/python/run-modules.ts\` from the runs and test/python/differences.json; edit those. -->

Debian's unmodified python3.11 runs modules of its own test suite (\`libpython3.11-testsuite\`) as a unikernel, \`hull run --rootfs DIR -m 512m /usr/bin/python3 -m test -v MODULE\`,
and natively in a chroot of the same root file system, as the same user, with the same variables. Outcomes are compared test by test.

**${shown.length} modules, ${sum(({ tests }) => tests)} tests; ${shown.filter(({ different }) => different === 0).length} modules without any difference; ${sum(({ different }) => different)} tests with another outcome**, explained below the table.

| module | tests | natively | in the guest | different |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

## What differs, and why

${notes.length > 0 ? notes.join('\n') : 'Nothing.'}
`;
  writeFileSync(PAGE, text);
}

/**
 * Unmodified Debian programs in many small cases (cases/*.sh): run natively in the same root and in one machine, what each case says and its status compared.
 * HULL_PROGRAMS="archive.sh text.sh" runs these files instead of the usual ones, which leave out the long ones (run-suites.ts runs all).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { findSuite, makeCasesCommand, makeSuiteRoot, readCases, runInMachine, runNatively, SUITES } from './suites.ts';

const FILES = (process.env['HULL_PROGRAMS'] ?? 'dash.sh busybox.sh make.sh languages.sh node.sh').split(' ');
/** Seconds. */
const DEADLINE = 1500;

const folder = mkdtempSync(join(tmpdir(), 'hull-programs-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
t.setTimeout(1_800_000);

for (const suite of SUITES) {
  const files = FILES.filter((file) => findSuite(file) === suite);
  if (files.length === 0) continue;
  const made = await makeSuiteRoot(suite, folder);
  const skip = 'reason' in made ? made.reason : false;
  if (skip !== false) console.error(`programs.test: Debian programs are not run: ${skip}`);
  t.test(`${suite.name}: cases as natively`, { skip }, async (t) => {
    if ('reason' in made) return;
    const command = makeCasesCommand(suite, files);
    const native = await runNatively(made.root, command, DEADLINE);
    t.equal(native.status, 0, `the native run: ${native.stderr}`);
    const guest = await runInMachine(suite, made.root, command, join(folder, 'state'), DEADLINE);
    t.equal(guest.status, 0, `the machine's run: ${guest.stderr}`);
    const found = readCases(`${guest.stdout}\n`);
    const expected = readCases(`${native.stdout}\n`);
    t.ok(expected.size > 0, 'there are cases');
    for (const [name, text] of expected) {
      const seen = { natively: text, found: found.get(name) };
      // Some are about time or order, and a machine with much else to do may be late: what is wrong is so in each attempt.
      for (let i = 0; i < 3 && seen.found !== seen.natively; i++) {
        t.comment(`${name}: once more; natively ${JSON.stringify(seen.natively)}, in the machine ${JSON.stringify(seen.found)}`);
        const [file, only] = [name.slice(0, name.indexOf(': ')), name.slice(name.indexOf(': ') + 2)];
        const again = makeCasesCommand(suite, [file], only);
        seen.natively = readCases(`${(await runNatively(made.root, again, DEADLINE)).stdout}\n`).get(name) ?? '';
        seen.found = readCases(`${(await runInMachine(suite, made.root, again, join(folder, 'state'), DEADLINE)).stdout}\n`).get(name);
      }
      t.equal(seen.found, seen.natively, name);
    }
  });
}

/**
 * The cases of unmodified Debian programs, each file natively and in a machine of its own, and where the two differ. By hand:
 *
 *     node tools/run.mjs test/programs/run-suites.ts [--guest] [--only NAME] [FILE.sh…]
 *
 * What each side said is kept in build/programs as FILE.native and FILE.guest; --guest takes the native side from there. --only runs one case of each file.
 * All files take about an hour. The status is 1 when anything differed.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findSuite, makeCasesCommand, makeSuiteRoot, readCases, runInMachine, runNatively, SUITES } from './suites.ts';

const STORE = 'build/programs';
/** Seconds for one file; the machines run under TCG, on hosts that may be busy. */
const DEADLINE = { native: 1200, guest: 7200 };

const args = process.argv.slice(2);
const takeOption = (name: string): string | undefined => {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args.splice(at, 2)[1];
};
const only = takeOption('--only');
const guestOnly = args.includes('--guest');
const named = args.filter((argument) => !argument.startsWith('--'));

async function runFile(file: string): Promise<boolean> {
  const suite = findSuite(file);
  const made = await makeSuiteRoot(suite, join(STORE, 'roots'));
  if ('reason' in made) throw new Error(`Cannot run "${file}": ${made.reason}`);
  const command = makeCasesCommand(suite, [file], only);
  let natively = '';
  const kept = join(STORE, `${file}.native`);
  if (!guestOnly || !existsSync(kept)) {
    const native = await runNatively(made.root, command, DEADLINE.native);
    if (native.status !== 0) throw new Error(`Cannot run "${file}" natively: status ${native.status}: ${native.stderr}`);
    writeFileSync(kept, native.stdout, 'latin1');
    natively = `, ${native.seconds} s natively`;
  }
  const guest = await runInMachine(suite, made.root, command, join(STORE, 'state'), DEADLINE.guest);
  writeFileSync(join(STORE, `${file}.guest`), guest.stdout, 'latin1');
  const found = readCases(`${guest.stdout}\n`);
  const expected = [...readCases(`${readFileSync(kept, 'latin1')}\n`)].filter(([name]) => only === undefined || name.endsWith(`: ${only}`));
  const differing = expected.filter(([name, text]) => found.get(name) !== text).map(([name]) => name);
  const ended = guest.status === 0 ? '' : `; the machine ended with ${guest.status}: ${guest.stderr.slice(-1000)}`;
  console.log(`${file}: ${expected.length - differing.length} of ${expected.length} cases are equal, ${guest.seconds} s in the machine${natively}${ended}`);
  for (const name of differing) console.log(`  differs: ${name}`);
  return differing.length === 0 && guest.status === 0 && expected.length > 0;
}

mkdirSync(STORE, { recursive: true });
let isEqual = true;
for (const file of named.length > 0 ? named : SUITES.flatMap((suite) => suite.files)) isEqual = (await runFile(file)) && isEqual;
process.exitCode = isEqual ? 0 : 1;

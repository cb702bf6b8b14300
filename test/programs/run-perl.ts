/**
 * Perl's own tests t/op and t/io (Debian's source package), with Debian's perl, natively and in one machine: what passed, file by file. By hand:
 *
 *     node tools/run.mjs test/programs/run-perl.ts [--guest] [--table] [FILE.t…]
 *
 * FILE is below t/, such as op/sort.t. What each side said is kept in build/programs as perl.native and perl.guest; --guest takes the native side from there, --table
 * both, and writes docs/perl.md.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeSuiteRoot, type Outcome, runInMachine, runNatively, SUITES } from './suites.ts';

const STORE = 'build/programs';
/** Seconds. */
const DEADLINE = 10_000;

interface Result {
  status: number;
  passed: number;
  failed: number;
  text: string;
}

function readResults(output: string): Map<string, Result> {
  const results = new Map<string, Result>();
  for (const found of output.matchAll(/^=== (\S+) begin\n([^]*?)\n=== \1 (\d+) (\d+) (\d+)$/gm)) {
    const [, file, text, status, passed, failed] = found as unknown as [string, string, string, string, string, string];
    results.set(file, { text, status: Number(status), passed: Number(passed), failed: Number(failed) });
  }
  return results;
}

/** The numbers of the tests that failed, or were left out, are part of what is compared; comments and times are not. */
const summarize = ({ status, passed, failed, text }: Result): string =>
  JSON.stringify([status, passed, failed, [...text.matchAll(/^not ok \d+/gm)].map(String), /^1\.\.0.*$/m.exec(text)?.[0]]);

const show = (result: Result | undefined): string =>
  result === undefined ? 'no end' : `${result.passed} passed, ${result.failed} failed${result.status === 0 ? '' : `, status ${result.status}`}`;

function makeTable(native: Map<string, Result>, guest: Map<string, Result>): string {
  const differing = [...native.keys()].filter((file) => guest.get(file) === undefined || summarize(guest.get(file) as Result) !== summarize(native.get(file) as Result));
  const rows = differing.map((file) => `| ${file} | ${show(native.get(file))} | ${show(guest.get(file))} |`);
  const failing = [...native].filter(([file, result]) => !differing.includes(file) && (result.failed > 0 || result.status !== 0));
  const total = [...guest.values()].reduce((sum, { passed }) => sum + passed, 0);
  return `# Perl's own tests

<!-- Made by \`node tools/run.mjs test/programs/run-perl.ts\`. -->

t/op and t/io of Perl 5.36's source (Debian's package) with Debian's unmodified perl, natively and in one machine of ${SUITES.find(({ name }) => name === 'perl')?.memory}: of ${native.size} files ${native.size - differing.length} have the same outcome on
both sides, test by test; ${total} tests passed in the machine. The tests run outside of Perl's build tree; those that want it fail on both sides. Neither side has a terminal.

## What differs

${rows.length === 0 ? 'Nothing.' : ['| file | natively | in the machine |', '| --- | --- | --- |', ...rows].join('\n')}

## What fails on both sides

| file | both |
| --- | --- |
${failing.map(([file, result]) => `| ${file} | ${show(result)} |`).join('\n')}

## All files

${[...native.keys()].map((file) => `${file} ${guest.get(file)?.passed ?? 'no end'}`).join(', ')}. (Tests that passed in the machine.)
`;
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const files = args.filter((argument) => !argument.startsWith('--'));
  const suite = SUITES.find(({ name }) => name === 'perl');
  if (suite === undefined) throw new Error('Cannot run Perl\'s tests: no suite "perl"');
  mkdirSync(STORE, { recursive: true });
  const kept = { native: join(STORE, 'perl.native'), guest: join(STORE, 'perl.guest') };
  if (!args.includes('--table')) {
    const made = await makeSuiteRoot(suite, join(STORE, 'roots'));
    if ('reason' in made) throw new Error(`Cannot run Perl's tests: ${made.reason}`);
    const command = ['/suite/perl-tests', ...files];
    const keep = (file: string, side: Outcome): void => {
      // Later outcomes replace earlier ones, so named files are added to what is kept.
      writeFileSync(file, side.stdout, { encoding: 'latin1', flag: files.length > 0 ? 'a' : 'w' });
      console.log(`${file}: ${side.seconds} s, status ${side.status} ${side.stderr.slice(-500)}`);
    };
    if (!args.includes('--guest') || !existsSync(kept.native)) keep(kept.native, await runNatively(made.root, command, DEADLINE));
    keep(kept.guest, await runInMachine(suite, made.root, command, join(STORE, 'state'), DEADLINE));
  }
  const [native, guest] = [kept.native, kept.guest].map((file) => readResults(readFileSync(file, 'latin1'))) as [Map<string, Result>, Map<string, Result>];
  for (const [file, result] of native) {
    if (files.length > 0 && !files.includes(file)) continue;
    const found = guest.get(file);
    if (found === undefined || summarize(found) !== summarize(result)) console.log(`${file}: natively ${show(result)}; in the machine ${show(found)}`);
  }
  if (files.length === 0) writeFileSync('docs/perl.md', makeTable(native, guest));
}

await main();

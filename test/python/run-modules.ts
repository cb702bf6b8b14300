/**
 * Python's own test suite, natively and as a unikernel: outcomes compared test by test. Run by hand:
 *
 *     node tools/run.mjs test/python/run-modules.ts [--again | --guest] [--table] [MODULE…]
 *
 * Results are kept in build/python-tests, one file a side and module, with the output beside it; a module that has both is not run again.
 * --again forgets those of the named modules (of all, when none is named), --guest only the guest's. --table only writes docs/python.md.
 * Each module is a machine of its own with a deadline, so that one that hangs costs no other its result.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEADLINE, DEADLINES, MEMORY, MODULES, OPTIONS } from './modules.ts';
import { compareOutcomes, type ModuleResult, readOutcomes } from './outcomes.ts';
import { makeGuestArguments, makeNativeCommand, makePythonArguments, makePythonRoot } from './root.ts';
import { writeTable } from './table.ts';

const STORE = 'build/python-tests';
type Side = 'native' | 'guest';
const fileOf = (side: Side, module: string): string => join(STORE, side, `${module}.json`);

interface Run extends ModuleResult {
  seconds: number;
  status: number | null;
}

function runModule(side: Side, root: string, module: string): Promise<Run> {
  const args = makePythonArguments([module], OPTIONS[module]);
  const limit = (DEADLINES[module] ?? DEADLINE) / (side === 'native' ? 2 : 1);
  const guest = makeGuestArguments(root, MEMORY[module] ?? '512m', args);
  const [command, commandArgs] = side === 'native' ? makeNativeCommand(root, args) : ['dist/hull', guest];
  const environment: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '' };
  const started = performance.now();
  return new Promise((done, failed) => {
    const child = spawn(command, commandArgs, { env: environment, stdio: ['pipe', 'pipe', 'pipe'] });
    const texts = { stdout: '', stderr: '' };
    child.stdin.end();
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8');
      child[name].on('data', (chunk: string) => {
        texts[name] += chunk;
      });
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), limit * 1000);
    child.on('error', failed);
    child.on('close', (status) => {
      clearTimeout(timer);
      writeFileSync(join(STORE, side, `${module}.out`), texts.stdout);
      writeFileSync(join(STORE, side, `${module}.err`), texts.stderr);
      done({ ...readOutcomes(texts.stdout, texts.stderr), seconds: Math.round((performance.now() - started) / 100) / 10, status });
    });
  });
}

async function main(): Promise<void> {
  const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'));
  const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
  const modules = named.length > 0 ? named : MODULES;
  const made = makePythonRoot();
  if ('reason' in made) throw new Error(`Cannot run Python's tests: ${made.reason}, expected its packages`);
  for (const side of ['native', 'guest'] as const) mkdirSync(join(STORE, side), { recursive: true });
  for (const module of flags.includes('--table') ? [] : modules) {
    for (const side of ['native', 'guest'] as const) {
      if (flags.includes('--again') || (flags.includes('--guest') && side === 'guest')) rmSync(fileOf(side, module), { force: true });
      if (existsSync(fileOf(side, module))) continue;
      const run = await runModule(side, made.root, module);
      writeFileSync(fileOf(side, module), `${JSON.stringify(run, null, 1)}\n`);
    }
    const [native, guest] = (['native', 'guest'] as const).map((side) => JSON.parse(readFileSync(fileOf(side, module), 'utf8')) as Run) as [Run, Run];
    const differences = compareOutcomes(native, guest);
    console.log(`${module}: ${Object.keys(native.tests).length} tests, ${native.seconds} s natively, ${guest.seconds} s in the guest, ${differences.length} differences`);
    for (const { test, native: a, guest: b } of differences.slice(0, 12)) console.log(`    ${test}: ${a}, guest: ${b}`);
  }
  writeTable(STORE);
}

await main();

// All checks and tests, as a list of steps: `node tools/test.mjs [step…] [-- part of a test file's path…]`. The last lines say how many
// passed and failed; build/test/summary.txt holds the same for scripts. Exit status 0 only when nothing failed.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { runCommand } from '../build/process.ts';
import { findToolchain } from '../build/toolchain.ts';
import { checkComponents } from './check-components.ts';
import { checkImports } from './check-imports.ts';
import { checkPlaces } from './check-places.ts';
import { buildGuestPrograms } from './guest-programs.ts';
import { runNativeTests } from './native-tests.ts';
import { type Counts, runTapTests } from './tap-tests.ts';

const passed: Counts = { passed: 1, failed: 0, skipped: 0 };

function report(name: string, problems: string[]): Counts {
  console.log(problems.length === 0 ? `ok - ${name}` : `not ok - ${name}`);
  for (const problem of problems) console.log(problem.replace(/^/gm, '  '));
  return problems.length === 0 ? passed : { passed: 0, failed: 1, skipped: 0 };
}

/** A command that has to succeed; its output is the problem when it does not. */
async function checkCommand(name: string, command: string, args: string[]): Promise<Counts> {
  const result = await runCommand(command, args, { env: { ...process.env, NODE_EXTRA_CA_CERTS: '' } });
  return report(name, result.status === 0 ? [] : [`${result.stdout}${result.stderr}`.trim() || `exit status ${result.status}`]);
}

const node = process.execPath;
const only = process.argv.includes('--') ? process.argv.slice(process.argv.indexOf('--') + 1) : [];

const steps: Record<string, () => Promise<Counts>> = {
  types: () => checkCommand('types (tsc)', node, ['node_modules/typescript/bin/tsc', '-p', '.']),
  lint: () => checkCommand('lint (biome)', node, ['node_modules/@biomejs/biome/bin/biome', 'lint', '--error-on-warnings']),
  unused: () => checkCommand('unused code and packages (knip)', node, ['node_modules/knip/bin/knip.js', '--no-progress']),
  imports: async () => report('imports go one way', await checkImports()),
  components: async () => {
    const counts = [report('component manifests match their sources', checkComponents()), report('code of instruction sets and platforms is in its folders', checkPlaces())];
    return { passed: counts.filter(({ failed }) => failed === 0).length, failed: counts.filter(({ failed }) => failed > 0).length, skipped: 0 };
  },
  docs: async () =>
    existsSync('tools/generate-docs.mjs')
      ? checkCommand('generated pages are current', node, ['tools/generate-docs.mjs', '--check'])
      : { passed: 0, failed: 0, skipped: 0 },
  native: async () => {
    const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
    for (const result of await runNativeTests((await findToolchain()).cc)) {
      const one = report(`native ${result.name}`, result.problem === undefined ? [] : [result.problem]);
      counts.passed += one.passed;
      counts.failed += one.failed;
    }
    return counts;
  },
  guest: async () => report('guest programs build', await buildGuestPrograms()),
  tap: () => runTapTests(only),
};

async function main(): Promise<void> {
  const separator = process.argv.indexOf('--');
  const wanted = process.argv.slice(2, separator < 0 ? undefined : separator);
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const name of wanted.length > 0 ? wanted : Object.keys(steps)) {
    const step = steps[name];
    if (!step) throw new Error(`Cannot test "${name}": not a step, expected one of ${Object.keys(steps).join(', ')}`);
    const start = performance.now();
    const counts = await step().catch((error: Error) => report(name, [error.message]));
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    console.log(`# ${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
  mkdirSync('build/test', { recursive: true });
  writeFileSync('build/test/summary.txt', `${total.passed} passed, ${total.failed} failed\n`);
  console.log(`# ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  process.exitCode = total.failed === 0 ? 0 : 1;
}

await main();

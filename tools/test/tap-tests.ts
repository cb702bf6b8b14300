// Bundles test/**/*.test.ts to build/test and runs them with tap, two files at a time; the full TAP goes to build/test/results.tap.
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { runCommand } from '../build/process.ts';
import { listFiles } from '../build/stamp.ts';

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const RESULTS = 'build/test/results.tap';
const STATE = 'build/test/state';

/** One bundle a test file, at the same place below build/test. The sources' folder stays known: tests find fixtures from the working directory. */
async function bundleTests(files: string[]): Promise<string[]> {
  rmSync('build/test/test', { recursive: true, force: true });
  await build({
    entryPoints: files,
    outdir: 'build/test',
    outbase: '.',
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'warning',
    outExtension: { '.js': '.mjs' },
  });
  return files.map((file) => `build/test/${file.replace(/\.ts$/, '.mjs')}`);
}

export async function runTapTests(only: string[]): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const all = listFiles('test', ['.test.ts']);
  const files = only.length > 0 ? all.filter((file) => only.some((part) => file.includes(part))) : all;
  if (files.length === 0) return counts;
  mkdirSync('build/test', { recursive: true });
  const bundles = await bundleTests(files);
  const args = ['node_modules/.bin/tap', '--disable-coverage', '--allow-empty-coverage', '--reporter=tap', '--jobs=2', '--timeout=900'];
  // Tests that have no state of their own share one: the person's is no part of them.
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: '', HULL_ROOT: resolve(STATE) };
  // What this host accelerates with is found out and told here, once, and not in the messages of whichever test comes first.
  await runCommand(resolve('dist/hull'), ['run', '/bin/busybox', 'true'], { env });
  const child = spawn(process.execPath, [...args, ...bundles], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...env, NODE_OPTIONS: '--enable-source-maps' } });
  const log = createWriteStream(RESULTS);
  let totals: Counts | undefined;
  let showing = false;
  for await (const line of createInterface({ input: child.stdout })) {
    log.write(`${line}\n`);
    if (/^(not )?ok /.test(line)) console.log(line.replace('build/test/', ''));
    // A failed assertion and its diagnostics, whatever their depth.
    const failed = /^\s+not ok /.test(line) && !/# (TODO|SKIP)/i.test(line);
    if (failed) showing = true;
    else if (showing && /^\s*(ok |not ok |1\.\.|# Subtest)/.test(line)) showing = false;
    if (showing) console.log(line);
    const summary = /^# \{ total: (\d+)(.*)\}/.exec(line);
    if (summary) {
      const count = (name: string) => Number(new RegExp(`${name}: (\\d+)`).exec(summary[2] as string)?.[1] ?? 0);
      totals = { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') };
    }
  }
  const status = await new Promise<number>((resolve) => {
    if (child.exitCode !== null) resolve(child.exitCode);
    else child.on('close', (code) => resolve(code ?? 1));
  });
  log.end();
  if (!totals) return { ...counts, failed: 1 };
  if (status !== 0 && totals.failed === 0) totals.failed = 1;
  return totals;
}

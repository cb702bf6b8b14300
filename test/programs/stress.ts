/**
 * Debian's stress-ng in machines: which stressors, how one machine runs some of them (`stress-guest`), what it said. For stress.test.ts, which runs all
 * of them shortly, and run-stress.ts, by hand.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { findCheckout } from '../boot/guest/build.ts';
import { makeRoot } from './roots.ts';

export const STRESSORS = 'cpu vm mmap fork exec vfork clone futex pipe poll epoll timer timerfd signal sigfd switch context pthread'.split(' ');

export interface Outcome {
  name: string;
  status: number;
  operations: number;
  /** What stress-ng calls a failure or an error. */
  failures: string[];
  /** Free memory and what the page cache holds, in kB. */
  before: { free: number; cached: number };
  after: { free: number; cached: number };
}

export function makeStressRoot(): { root: string } | { reason: string } {
  const made = makeRoot('stress', ['base-files', 'base-passwd', 'dash', 'coreutils', 'stress-ng']);
  if ('reason' in made) return made;
  mkdirSync(join(made.root, 'suite'), { recursive: true });
  copyFileSync(join(findCheckout(), 'test/programs/stress-guest'), join(made.root, 'suite/stress-guest'));
  return made;
}

/** What `stress-guest` said of each stressor that came to its end. */
export function readOutcomes(output: string): Outcome[] {
  const outcomes: Outcome[] = [];
  let lines: string[] = [];
  for (const line of output.split('\n')) {
    const end = /^=== ([\w-]+) (\d+) (\d+) (\d+) (\d+) (\d+)$/.exec(line);
    if (!end) {
      if (line.endsWith(' begin')) lines = [];
      else lines.push(line);
      continue;
    }
    const [status, free, cached, freeAfter, cachedAfter] = end.slice(2).map(Number) as [number, number, number, number, number];
    const name = end[1] ?? '';
    const counted = lines.map((text) => /metrc: \[\d+\] ([\w-]+) +(\d+) +[\d.]+ +[\d.]+ /.exec(text)).find((found) => found?.[1] === name);
    const failures = lines.filter((text) => /^stress-ng: (fail|error): |unsuccessful run/.test(text));
    if (!lines.some((text) => text.includes(' successful run completed'))) failures.push('no "successful run completed"');
    outcomes.push({
      name,
      status,
      operations: Number(counted?.[2] ?? 0),
      failures,
      before: { free, cached },
      after: { free: freeAfter, cached: cachedAfter },
    });
  }
  return outcomes;
}

/** Runs the stressors one after another in one machine; what is not in the answer did not come to its end. */
export async function runStressors(
  root: string,
  names: readonly string[],
  seconds: number,
  deadline: number,
): Promise<{ outcomes: Outcome[]; output: string }> {
  const command = ['run', '-m', '512m', '--rootfs', root, '/suite/stress-guest', seconds > 2 ? '2' : '1', `${seconds}`, ...names];
  const run = await execa(join(findCheckout(), 'dist/hull'), command, {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '' },
    extendEnv: false,
    reject: false,
    input: '',
    timeout: deadline * 1000,
  });
  return { outcomes: readOutcomes(run.stdout), output: `${run.stdout}\n${run.stderr}` };
}

/** How a program of this folder ends, natively or in a machine, and the comparison of both. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import type { Test } from 'tap';

export const hull = resolve('dist/hull');

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

/** What runs a command to its end, within so many ms; a signal's death becomes 128 + n, as a shell has it. */
export function createRunner(timeout: number): (command: string, args: string[], env?: Record<string, string>) => Promise<Outcome> {
  return (command, args, env = {}) =>
    new Promise((done) => {
      const options = { env: { ...process.env, ...env }, timeout, maxBuffer: 1 << 24 };
      execFile('/bin/sh', ['-c', '"$@"; exit $?', 'sh', command, ...args], options, (error, stdout, stderr) =>
        done({ status: error ? Number(error.code ?? 255) : 0, stdout, stderr }),
      );
    });
}

/**
 * Programs that say what a clock shows, or who was first: on a machine with much else to do, either side may be kept from the CPU between two of their calls for longer than they allow. They have
 * some attempts. All others have one.
 */
const TIMED = new Set(['alarms', 'events', 'fifos', 'inet', 'ipc', 'jobs', 'limits', 'locks', 'owners', 'processes', 'pty', 'queues', 'scheduling', 'signals', 'threads', 'timers', 'usage', 'vdso']);
const ATTEMPTS = 4;

/** `name` of this folder says the same natively and in a machine, and ends with the same status. */
export async function compareRuns(t: Test, name: string, args: string, native: () => Promise<Outcome>, guest: () => Promise<Outcome>): Promise<void> {
  for (let left = TIMED.has(name) ? ATTEMPTS : 1; ; left--) {
    const [expected, found] = [await native(), await guest()];
    if (left > 1 && (found.stdout !== expected.stdout || found.status !== expected.status)) {
      t.comment(`${name} ${args}: once more; natively ${expected.status}, in the machine ${found.status}: ${found.stderr.slice(-300)}`);
      const lines = found.stdout.split('\n');
      for (const [i, line] of expected.stdout.split('\n').entries()) if (line !== lines[i]) t.comment(`natively "${line}", in the machine "${lines[i]}"`);
      continue;
    }
    t.equal(found.stdout, expected.stdout, `${name} ${args}: output`);
    t.equal(found.status, expected.status, `${name} ${args}: status ${found.stderr}`);
    return;
  }
}

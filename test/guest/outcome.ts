/** How a program of this folder ends, natively or in a machine. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';

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

// Runs the build's commands, two at a time at most, and turns a failure into one readable error.
import { spawn } from 'node:child_process';

export class BuildError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BuildError';
    this.code = code;
  }
}

export interface CommandResult {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end; the caller looks at the status. */
export function runCommand(command: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  return new Promise<CommandResult>((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.on('data', (data) => (stderr += data));
    child.on('error', (cause) =>
      reject(new BuildError('SPAWN', `Cannot run "${command}": ${cause.message}, expected it on the PATH`, { cause })),
    );
    child.on('close', (status) => resolve({ status: status ?? 1, stdout, stderr }));
  });
}

/** Runs a command that has to succeed; returns what it printed. */
export async function mustRun(command: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  const result = await runCommand(command, args, options);
  if (result.status !== 0) {
    throw new BuildError(
      'COMMAND',
      `Cannot run "${command}": exit status ${result.status}, expected 0\n  ${command} ${args.join(' ')}\n${result.stderr}${result.stdout}`,
    );
  }
  return result.stdout;
}

/** Maps over items with a bounded number of jobs at a time; keeps the order of results; fails with the first error. */
export async function mapParallel<T, R>(items: T[], work: (item: T) => Promise<R>, jobs = 2): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  let failed = false;
  const run = async () => {
    while (next < items.length && !failed) {
      const index = next++;
      try {
        results[index] = await work(items[index] as T);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, items.length) }, run));
  return results;
}

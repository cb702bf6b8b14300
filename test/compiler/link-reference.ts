/** What the linker's tests against ld.lld share: commands, and whether a case is linked or refused as it should be. */
import { spawnSync } from 'node:child_process';
import type { Test } from 'tap';
import { LinkError, type LinkExecutableRequest, linkExecutable } from '../../compiler/link/index.ts';

export const run = (file: string, args: string[], cwd: string) => spawnSync(file, args, { cwd, encoding: 'utf8', timeout: 600_000 });

export function must(file: string, args: string[], cwd: string): void {
  const result = run(file, args, cwd);
  if (result.status !== 0) throw new Error(`${file} ${args.join(' ')}: ${result.stderr}`);
}

export interface Expectation {
  readonly error?: string | undefined;
  readonly message?: RegExp | undefined;
  readonly lld?: string | undefined;
}

/** What we link, after ld.lld has; undefined: both refuse it, as the case says. */
export function linkBeside(t: Test, test: Expectation, reference: { readonly status: number | null; readonly stderr: string }, request: LinkExecutableRequest) {
  if (test.error !== undefined) {
    if (test.lld !== 'differs') t.not(reference.status, 0, 'ld.lld refuses it');
    try {
      linkExecutable(request);
      t.fail('we refuse it');
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      t.equal(error.code, test.error);
      if (test.message) t.match(error.message, test.message);
    }
    return undefined;
  }
  if (test.lld !== 'differs') t.equal(reference.status, 0, reference.stderr);
  return linkExecutable(request);
}

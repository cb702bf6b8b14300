/**
 * Many small cases in one machine and natively in the same root, compared case by case: what each said, and its status. A runner in the root
 * (run-cases, run-node) prints "=== FILE: NAME = STATUS" before what a case said.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { findCheckout } from '../boot/guest/build.ts';

export interface Comparison {
  /** A root made by makeRoot. It stays as it is. */
  made: string;
  /** An empty folder for the copy that runs, and hull's state. */
  folder: string;
  /** Names in the root's /suite -> paths of this checkout, which are put there; the first is the program. */
  suite: Readonly<Record<string, string>>;
  arguments: readonly string[];
  /** -m of `hull run`. */
  memory: string;
  /** After which the machine is ended, ms. */
  deadline: number;
}
export interface Side {
  status: number | null;
  stderr: string;
  /** What was said, by "FILE: NAME"; with the status. */
  cases: Map<string, string>;
}

function readCases(output: string): Map<string, string> {
  const cases = new Map<string, string>();
  let name = '';
  for (const line of output.split('\n')) {
    const head = /^=== ([\w.-]+: .*) = \d+$/.exec(line);
    if (head) name = head[1] ?? '';
    if (name) cases.set(name, `${cases.get(name) ?? ''}${line}\n`);
  }
  return cases;
}

/** Only root may mount what the native runs need. */
export async function runBoth(wanted: Comparison): Promise<{ native: Side; guest: Side }> {
  const checkout = findCheckout();
  const root = join(wanted.folder, 'root');
  execFileSync('cp', ['-al', wanted.made, root]); // hard links
  for (const [name, path] of Object.entries(wanted.suite)) cpSync(join(checkout, path), join(root, 'suite', name), { recursive: true });
  const program = `/suite/${Object.keys(wanted.suite)[0]}`;
  chmodSync(join(root, program), 0o755);
  const native = spawnSync(join(checkout, 'test/programs/run-natively'), [root, program, ...wanted.arguments], { encoding: 'latin1', input: '', maxBuffer: 1 << 26 });
  const guest = await execa(join(checkout, 'dist/hull'), ['run', '-m', wanted.memory, '--rootfs', root, program, ...wanted.arguments], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(wanted.folder, 'state') },
    extendEnv: false,
    reject: false,
    input: '',
    timeout: wanted.deadline,
    encoding: 'latin1',
  });
  return {
    native: { status: native.status, stderr: native.stderr, cases: readCases(native.stdout) },
    guest: { status: guest.exitCode ?? null, stderr: guest.stderr, cases: readCases(`${guest.stdout}\n`) },
  };
}

/**
 * What processes share: System V IPC, locks on files. The programs of this folder, natively and as unikernels; same output, same status.
 */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import t from 'tap';

const hull = resolve('dist/hull');

interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end; a signal's death becomes 128 + n, as a shell has it. */
function run(command: string, args: string[]): Promise<Outcome> {
  return new Promise((done) => {
    const options = { timeout: 120_000, maxBuffer: 1 << 24 };
    execFile('/bin/sh', ['-c', '"$@"; exit $?', 'sh', command, ...args], options, (error, stdout, stderr) =>
      done({ status: error ? Number(error.code ?? 255) : 0, stdout, stderr }),
    );
  });
}

/** What each variant of the C library is worth trying for. */
const programs: Record<string, string[]> = {
  musl: ['ipc', 'locks'],
  glibc: ['ipc', 'locks'],
};

for (const [variant, names] of Object.entries(programs)) {
  t.test(variant, async (t) => {
    for (const name of names) {
      const file = resolve(`build/guest/${variant}/${name}`);
      const expected = await run(file, []);
      const found = await run(hull, ['run', '-m', '64', file]);
      t.equal(found.stdout, expected.stdout, `${name}: output`);
      t.equal(found.status, expected.status, `${name}: status ${found.stderr}`);
    }
  });
}

/*
 * CPU time, timers, scheduling: the programs of this folder, natively and as unikernels; same output, same status.
 */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import t from 'tap';

const hull = resolve('dist/hull');

/** Runs a command to its end. */
function run(command: string, args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(command, args, { timeout: 120_000, maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
      done({ status: error ? Number(error.code ?? 255) : 0, stdout, stderr }),
    );
  });
}

for (const variant of ['musl', 'glibc', 'pie']) {
  t.test(variant, async (t) => {
    for (const name of ['usage']) {
      const file = resolve(`build/guest/${variant}/${name}`);
      const expected = await run(file, []);
      const found = await run(hull, ['run', '-m', '64', file]);
      t.equal(found.stdout, expected.stdout, `${name}: output`);
      t.equal(found.status, expected.status, `${name}: status ${found.stderr}`);
    }
  });
}

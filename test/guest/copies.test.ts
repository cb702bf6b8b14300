/**
 * Copies between libOS and program that wait for a page from a disk, while others use the same object (sleeping_copies.c): natively and in a machine, and as a further process, whose output comes over a control
 * port. Each has a machine of its own: a page is cold once.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { writeColdFile } from './cold.ts';
import { compareRuns, createRunner, hull } from './outcome.ts';

const run = createRunner(600_000);
const folder = mkdtempSync(join(tmpdir(), 'hull-copies-'));
const root = join(folder, 'root');
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state') };
for (const name of ['dev', 'bin']) mkdirSync(join(root, name), { recursive: true });
copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
copyFileSync(resolve('build/guest/musl/sleeping_copies'), join(root, 'copies'));
const lines = writeColdFile(join(root, 'cold'));
t.teardown(() => rmSync(folder, { recursive: true }));

for (const mode of ['socket', 'loopback', 'counter', 'cut', 'terminal', 'typing', 'signals']) {
  t.test(mode, (t) => compareRuns(t, 'sleeping_copies', mode, () => run(join(root, 'copies'), [join(root, 'cold'), mode]), () => run(hull, ['run', '--rootfs', root, '/copies', '/cold', mode])));
}

t.test('the output of a further process', async (t) => {
  const call = (...args: string[]) => execa(hull, args, { env, extendEnv: false, reject: false, stdin: 'ignore', timeout: 600_000 });
  t.teardown(() => call('rm', '-f', 'copier'));
  t.match(await call('run', '-d', '--name', 'copier', '--rootfs', root, '/bin/busybox', 'sleep', '1000'), { exitCode: 0 });
  const { exitCode, stdout } = await call('exec', 'copier', '/copies', '/cold', 'stdout');
  t.equal(exitCode, 0);
  const said = stdout.split('\n');
  t.strictSame(said.filter((line) => line.startsWith('cold')), lines, 'each piece is whole, and none is lost');
  t.strictSame([...new Set(said.filter((line) => !line.startsWith('cold')))], ['warm'], 'and so are those between');
});

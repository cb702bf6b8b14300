/** What a program changed through a mapping, and nobody asks to be written: on the host half a minute later, on 9P and in a block volume. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-unasked-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
t.setTimeout(840_000);
const hull = join(findCheckout(), 'dist/hull');
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state') };
const program = join(findCheckout(), 'build/guest/musl/unsynced');

t.test('pages of a mapping go back unasked', async (t) => {
  mkdirSync(join(folder, 'share'));
  execFileSync(hull, ['volume', 'create', '-d', 'block', '-o', 'size=16m', 'disk'], { env });
  const [disk] = JSON.parse(execFileSync(hull, ['volume', 'inspect', 'disk'], { env, encoding: 'utf8' })) as { Mountpoint: string }[];
  const readers = {
    './share': () => readFileSync(join(folder, 'share/file'), 'utf8'),
    disk: () => execFileSync('debugfs', ['-R', 'cat /file', disk?.Mountpoint ?? ''], { env: { PATH: `${process.env['PATH']}:/sbin:/usr/sbin` }, encoding: 'utf8', stdio: 'pipe' }),
  };
  const look = async (volume: keyof typeof readers) => {
    const machine = execa(hull, ['run', '-v', `${volume}:/data`, program, '/data/file'], { env, extendEnv: false, reject: false, input: '', cwd: folder, timeout: 800_000 });
    await new Promise((done) => machine.stdout?.once('data', done));
    const at = readers[volume]();
    let found = at;
    for (let i = 0; i < 1200 && found === 'before\n'; i++) {
      await new Promise((done) => setTimeout(done, 500));
      found = readers[volume]();
    }
    machine.kill('SIGKILL'); // nothing that its end could write
    await machine;
    return [at, found];
  };
  t.strictSame(await Promise.all([look('./share'), look('disk')]), [['before\n', 'behind\n'], ['before\n', 'behind\n']]);
});

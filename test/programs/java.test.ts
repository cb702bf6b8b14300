/**
 * Debian's OpenJDK 17: what java/work.sh says natively and in a machine, javac's class files among it; and com.sun.net.httpserver for clients of this
 * host. HULL_JAVA=all runs every case of java/cases, ten minutes and more; else the quick ones.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';
import { copyRoot } from '../debian-root.ts';
import { findPort } from '../ports.ts';
import { makeRoot } from './roots.ts';

const PACKAGES = 'openjdk-17-jdk-headless base-files base-passwd dash coreutils findutils grep sed procps libc-bin'.split(' ');
/** Perl, which only maintainer scripts use, and what jlink links. */
const UNUSED = ['usr/share/perl', 'usr/lib/x86_64-linux-gnu/perl', 'usr/lib/x86_64-linux-gnu/perl-base', 'usr/lib/jvm/java-17-openjdk-amd64/jmods', 'usr/lib/jvm/java-17-openjdk-amd64/legal'];
const here = join(findCheckout(), 'test/programs');
const hull = join(findCheckout(), 'dist/hull');
const all = readFileSync(join(here, 'java/cases'), 'utf8').trim().split('\n').map((line) => line.split(' ')[0] as string);
const isAll = process.env['HULL_JAVA'] === 'all';
const CASES = isAll ? all : ['project', 'channels', 'faults', 'exit', 'throw'];
/** Where time counts: fewer classes, by a javac that the optimising compiler leaves alone (it is slow to earn its cost under TCG). */
const SETTINGS = isAll ? {} : { CLASSES: '8', JAVAC: '-J-XX:TieredStopAtLevel=1' };
const settings = Object.entries(SETTINGS).map(([name, value]) => `${name}=${value}`);
const folder = mkdtempSync(join(tmpdir(), 'hull-java-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
t.setTimeout(3_600_000);

const made = process.getuid?.() === 0 ? makeRoot('java', PACKAGES) : { reason: 'only root may mount what the native run needs' };
const skip = 'reason' in made ? made.reason : false;
if (skip !== false) console.error(`java.test: OpenJDK is not run: ${skip}`);
const root = join(folder, 'root');
if ('root' in made) {
  copyRoot(made.root, root);
  for (const path of UNUSED) rmSync(join(root, path), { recursive: true, force: true });
  cpSync(join(here, 'java'), join(root, 'suite'), { recursive: true });
  mkdirSync(join(root, 'out'));
}
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: join(folder, 'state') };

t.test('as natively', { skip }, async (t) => {
  const native = spawnSync(join(here, 'run-natively'), [root, '/usr/bin/env', ...settings, '/suite/work.sh', ...CASES], { encoding: 'utf8', input: '', timeout: 600_000, maxBuffer: 1 << 26 });
  const guest = await execa(hull, ['run', '-m', '512m', '--rootfs', root, '-v', 'classes:/out', ...settings.flatMap((setting) => ['-e', setting]), '/suite/work.sh', ...CASES], {
    env,
    extendEnv: false,
    reject: false,
    input: '',
    timeout: 3_000_000,
    stderr: 'inherit',
  });
  t.match(native.stdout, /javac 0\n\d+\n/, `it works natively: ${native.stderr}`);
  const split = (text: string) => text.split(/^(?==== )/m);
  const expected = split(native.stdout);
  const found = split(`${guest.stdout}\n`);
  t.equal(expected.length, CASES.length + 1);
  for (const [i, text] of expected.entries()) t.equal(found[i], text, text.split('\n', 1).join(''));
});

t.test('an HTTP server on a published port', { skip }, async (t) => {
  const port = await findPort();
  const java = '/usr/lib/jvm/java-17-openjdk-amd64/bin/java';
  const child = spawn(hull, ['run', '-m', '512m', '--rootfs', root, '-v', 'classes:/out:ro', '-p', `127.0.0.1:${port}:8080`, java, '-cp', '/out', 'Server'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk) => (said += String(chunk)));
  for (let i = 0; i < 3000 && child.exitCode === null && !said.includes('listening'); i++) await new Promise((done) => setTimeout(done, 100));
  const ask = async (path: string, body?: Buffer) => Buffer.from(await (await fetch(`http://127.0.0.1:${port}${path}`, body === undefined ? {} : { method: 'POST', body })).arrayBuffer());
  t.equal(String(await ask('/a?b=c')), 'GET /a?b=c 0\n', said);
  const body = Buffer.alloc(1_000_000, 'hull ');
  t.ok((await ask('/', body)).equals(Buffer.concat([Buffer.from('POST / 1000000\n'), body])), 'a megabyte both ways');
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(`/${i}`)));
  t.same(answers.map(String), Array.from({ length: 40 }, (_, i) => `GET /${i} 0\n`));
  const heap = Number(String(await ask('/memory')).split('\n')[1]) / 2 ** 20;
  t.ok(heap > 90 && heap <= 128, `a quarter of the machine's memory for the heap: ${heap} MiB of 512`);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  t.same(await ended, [143, null]);
  t.equal(said, 'listening\nstopped\n', 'shutdown hooks ran');
});

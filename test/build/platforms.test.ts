// hull build --platform linux/amd64,linux/arm64: an index in the store, and what the other verbs make of it.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { explainForeign } from '../../images/build/foreign.ts';
import { HOST_PLATFORM } from '../../images/store/index.ts';
import { startDouble } from '../images/registry-double.ts';

const HULL = resolve('dist/hull');
const root = mkdtempSync(join(tmpdir(), 'hull-platforms-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));
const context = join(root, 'context');
mkdirSync(context);

function call(state: string, ...args: string[]) {
  const env = { ...process.env, HULL_ROOT: join(root, state), NODE_EXTRA_CA_CERTS: '', SOURCE_DATE_EPOCH: undefined };
  const { status, stdout, stderr } = spawnSync(HULL, args, { cwd: context, env, encoding: 'utf8', timeout: 240_000 });
  return { status, stdout, stderr };
}
const architectureOf = (state: string, ...args: string[]) => call(state, 'image', 'inspect', '-f', '{{.Architecture}}', ...args).stdout.trim();
const other = HOST_PLATFORM.architecture === 'arm64' ? 'amd64' : 'arm64';
const own = HOST_PLATFORM.architecture;

t.test('an index', async (t) => {
  writeFileSync(join(context, 'amd64'), 'for amd64\n');
  writeFileSync(join(context, 'arm64'), 'for arm64\n');
  writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nARG TARGETARCH\nARG TARGETPLATFORM\nCOPY $TARGETARCH /which\nLABEL platform=$TARGETPLATFORM\nENTRYPOINT ["/which"]\n');
  const built = call('a', 'build', '--platform', 'linux/amd64,linux/arm64', '--progress', 'plain', '--iidfile', join(root, 'id'), '-t', 'both', '.');
  t.equal(built.status, 0, built.stderr);
  t.match(built.stderr, /\[linux\/amd64 1\/1\] COPY \$TARGETARCH \/which[\s\S]*\[linux\/arm64 1\/1\] COPY/, 'each step says what it is for');
  const digest = readFileSync(join(root, 'id'), 'utf8');
  t.equal(call('a', 'build', '-q', '--platform', 'linux/amd64,linux/arm64', '.').stdout.trim(), digest, 'its digest is the ID that is said');
  t.equal(architectureOf('a', 'both'), own, "of an index the host's own is meant");
  t.equal(call('a', 'image', 'inspect', '-f', '{{.Config.Labels.platform}}', 'both').stdout.trim(), `linux/${own}`);
  t.equal(architectureOf('a', digest), own, 'by its digest, too');
  t.same(call('a', 'images', '-q', '--no-trunc').stdout.trim().split('\n').length, 2, 'both are listed');

  const archive = join(root, 'both.tar');
  t.equal(call('a', 'save', '-o', archive, 'both').status, 0);
  t.match(call('b', 'load', '-i', archive), { status: 0, stdout: /Loaded image: both:latest/ });
  t.same(call('b', 'images', '-q', '--no-trunc').stdout.split('\n').sort(), call('a', 'images', '-q', '--no-trunc').stdout.split('\n').sort(), 'save and load keep both');
  for (const architecture of ['amd64', 'arm64']) {
    const refused = call('b', 'create', '--platform', `linux/${architecture}`, 'both');
    t.match(refused, { status: 0, stdout: /^[0-9a-f]{64}\n$/ }, `create --platform linux/${architecture}`);
    call('b', 'rm', refused.stdout.trim());
  }
  t.match(call('b', 'create', '--platform', 'linux/s390x', 'both'), { status: 125, stderr: /is not there for linux\/s390x, expected one of linux\/amd64, linux\/arm64/ });

  t.equal(call('a', 'build', '--platform', 'linux/amd64,linux/arm64', '-o', 'files', '.').status, 0);
  t.equal(readFileSync(join(context, 'files/linux_arm64/which'), 'utf8'), 'for arm64\n', 'as files: a folder each');
  t.equal(readFileSync(join(context, 'files/linux_amd64/which'), 'utf8'), 'for amd64\n');
  rmSync(join(context, 'files'), { recursive: true });
  t.equal(call('a', 'build', '--platform', other, '-o', 'files', '.').status, 0);
  t.same(readdirSync(join(context, 'files')), ['which'], 'one platform: the files themselves');
  rmSync(join(context, 'files'), { recursive: true });
  t.match(call('a', 'build', '--platform', 'linux/amd64,linux/arm64', '-o', '-', '.'), { status: 125, stderr: /one archive for 2 platforms, expected type=local, or one platform/ });
});

t.test('through a registry', async (t) => {
  const double = await startDouble();
  t.teardown(() => double.close());
  const asyncCall = async (state: string, ...args: string[]) => {
    const { execa } = await import('execa');
    return execa(HULL, args, { cwd: context, env: { HULL_ROOT: join(root, state), NODE_EXTRA_CA_CERTS: '' }, reject: false, timeout: 240_000 });
  };
  const name = `${double.host}/both:1`;
  t.equal(call('a', 'tag', 'both', name).status, 0);
  t.match(await asyncCall('a', 'push', name), { exitCode: 0 });
  t.match(await asyncCall('c', 'pull', name), { exitCode: 0 });
  t.equal(architectureOf('c', name), own, "the host's own by default");
  t.match(await asyncCall('d', 'pull', '--platform', `linux/${other}`, name), { exitCode: 0 });
  t.equal(architectureOf('d', name), other);
  t.match(await asyncCall('e', 'pull', '--all-platforms', name), { exitCode: 0 });
  t.equal(call('e', 'images', '-q', '--no-trunc').stdout.trim().split('\n').length, 2);

  // What FROM names is brought for each platform, and stays there for the ones before.
  writeFileSync(join(context, 'from'), `FROM ${name}\nCOPY amd64 /more\n`);
  const from = await asyncCall('c', 'build', '--platform', 'linux/amd64,linux/arm64', '-f', 'from', '-t', 'from', '.');
  t.equal(from.exitCode, 0, from.stderr);
  t.equal(architectureOf('c', name), own);
  t.match(await asyncCall('c', 'build', '--platform', 'linux/amd64,linux/arm64', '-f', 'from', '-o', 'files', '.'), { exitCode: 0 });
  t.equal(readFileSync(join(context, `files/linux_${other}/which`), 'utf8'), `for ${other}\n`);
  rmSync(join(context, 'files'), { recursive: true });
});

t.test('what cannot be', async (t) => {
  const build = (platform: string, ...more: string[]) => call('a', 'build', '--platform', platform, ...more, '.');
  t.match(build('linux/amd64,'), { status: 125, stderr: /Cannot use "linux\/amd64," for --platform: one of its platforms is empty/ });
  t.match(build('linux/arm64,aarch64'), { status: 125, stderr: /linux\/arm64 is there twice, expected each platform once/ });
  t.match(build('a/b/c/d'), { status: 125, stderr: /Cannot use "a\/b\/c\/d" as a platform/ });
  for (const { stderr } of [build('linux/amd64,'), build('linux/arm64,aarch64'), build('a/b/c/d')]) t.equal(stderr.trim().split('\n').length, 1, 'one line');

  // RUN for another architecture.
  const handlers = join(root, 'handlers');
  mkdirSync(handlers);
  const foreign = { os: 'linux', architecture: other };
  t.equal(explainForeign(HOST_PLATFORM, handlers), undefined);
  t.match(explainForeign(foreign, handlers), new RegExp(`programs for linux/${other} cannot be executed on this host, which is linux/${own}, expected qemu-user`));
  t.match(explainForeign(foreign, join(root, 'absent')), /cannot be executed/);
  const magic = `7f454c4602010100000000000000000002${'00'}${other === 'arm64' ? 'b700' : '3e00'}`;
  const handler = (flags: string, state = 'enabled') => `${state}\ninterpreter /usr/bin/qemu\nflags: ${flags}\noffset 0\nmagic ${magic}\nmask ffffffffffffff00fffffffffffffffffeffffff\n`;
  for (const [text, works] of [[handler('POCF'), true], [handler('OC'), false], [handler('F', 'disabled'), false]] as const) {
    writeFileSync(join(handlers, 'qemu-other'), text);
    t.equal(explainForeign(foreign, handlers) === undefined, works, text.replaceAll('\n', ' '));
  }
  if (explainForeign(foreign) === undefined) return;
  writeFileSync(join(context, 'run'), 'FROM scratch\nCOPY amd64 /bin/sh\nRUN true\n');
  const run = build(`linux/${other}`, '-f', 'run');
  t.match(run, { status: 1, stderr: new RegExp(`run:3[\\s\\S]*programs for linux/${other} cannot be executed on this host`) });
});

/** What is in instances: diff, cp both ways, commit and export, of machines that run and that do not; with the docker client's outcomes for each of cp's cases. e2fsck judges the file that was written. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { lookUntil, waitUntil } from '../wait.ts';
import { makeInstancesRoot } from './instances-root.ts';

const { folder, hull, root, env, call, ok } = makeInstancesRoot('contents');
const bytesOf = async (...args: string[]) => (await execa(hull, args, { env, extendEnv: false, encoding: 'buffer', timeout: 600_000 })).stdout;

const context = join(folder, 'context');
mkdirSync(join(context, 'bin'), { recursive: true });
mkdirSync(join(context, 'etc/sub/deep'), { recursive: true });
mkdirSync(join(context, 'old/inner'), { recursive: true });
copyFileSync('/bin/busybox', join(context, 'bin/busybox'));
for (const name of ['sh', 'cat', 'sleep', 'ls', 'rm', 'mkdir', 'ln', 'chmod', 'chown', 'stat', 'dd', 'mkfifo', 'mv', 'find', 'md5sum', 'touch']) symlinkSync('busybox', join(context, 'bin', name));
writeFileSync(join(context, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/srv:/bin/sh\n');
writeFileSync(join(context, 'etc/sub/deep/file'), 'deep\n');
for (const name of ['one', 'two', 'three']) writeFileSync(join(context, 'old', name), `${name}\n`);
writeFileSync(join(context, 'old/inner/kept'), 'kept\n');
writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nENV A=1\nLABEL l=1\nCOPY bin /bin\nCOPY etc /etc\nCOPY old /old\nENTRYPOINT ["/bin/sh", "-c"]\nCMD ["echo usual"]\n');

const CHANGES = `
echo new > /etc/new; rm /old/one; echo more >> /old/two; chmod 700 /old/three
mkdir -p /a/b; echo x > /a/b/c; ln -s ../c /a/b/l; ln /a/b/c /a/b/h; ln -s /etc /link; mkfifo /a/p; chown 7:8 /a/b/c
rm -r /old/inner; mkdir /old/inner; echo own > /old/inner/own
dd if=/dev/zero of=/a/sparse bs=1 count=1 seek=20000000 2>/dev/null
echo ready; sleep 100000`;
const EXPECTED = ['A /a', 'A /a/b', 'A /a/b/c', 'A /a/b/h', 'A /a/b/l', 'A /a/p', 'A /a/sparse', 'C /etc', 'A /etc/new', 'A /link', 'C /old', 'C /old/inner', 'D /old/inner/kept', 'A /old/inner/own', 'D /old/one', 'C /old/three', 'C /old/two'];
const until = (name: string, text: string) => waitUntil(`${name} says ${text}`, async () => (await ok('logs', name)).includes(text));
/** Names, modes, owners, links and content of an archive, as GNU tar tells them. */
const listTar = (bytes: Uint8Array) => execFileSync('tar', ['--numeric-owner', '--full-time', '-tvf', '-'], { input: bytes, encoding: 'utf8' }).trimEnd().split('\n').sort();
const readTar = (bytes: Uint8Array, name: string) => execFileSync('tar', ['-xOf', '-', name], { input: bytes, encoding: 'utf8' });
const machines = () => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && (() => { try { return readlinkSync(`/proc/${pid}/cwd`).startsWith(root); } catch { return false; } })());

t.test('an image with shell', async () => {
  await ok('build', '-q', '-t', 'base', context);
  await ok('run', '-d', '--name', 'one', '-v', 'kept:/vol', '--tmpfs', '/mem', 'base', CHANGES);
  await until('one', 'ready');
});

let running: string[] = [];
t.test('diff, export and cp out of a machine that runs', async (t) => {
  t.strictSame((await ok('diff', 'one')).split('\n'), EXPECTED);
  t.equal(JSON.parse(await ok('inspect', 'one'))[0].State.Status, 'running', 'it goes on');
  const archive = await bytesOf('export', 'one');
  running = listTar(archive);
  t.match(running.join('\n'), /-rw-r--r-- 7\/8 +2 .* a\/b\/c$/m);
  t.match(running.join('\n'), / a\/b\/h link to a\/b\/c$/m);
  t.match(running.join('\n'), /lrwxrwxrwx 0\/0 +0 .* a\/b\/l -> \.\.\/c$/m);
  t.match(running.join('\n'), /prw-r--r-- 0\/0 +0 .* a\/p$/m);
  t.notMatch(running.join('\n'), /old\/one|inner\/kept/);
  t.equal(readTar(archive, 'old/two'), 'two\nmore\n');
  t.equal(readTar(archive, 'old/inner/own'), 'own\n');
  const out = join(folder, 'out');
  mkdirSync(out);
  await ok('cp', 'one:/a', out);
  t.equal(readFileSync(join(out, 'a/b/h'), 'utf8'), 'x\n');
  t.equal(lstatSync(join(out, 'a/b/h')).ino, lstatSync(join(out, 'a/b/c')).ino);
  t.equal(readlinkSync(join(out, 'a/b/l')), '../c');
  t.equal(lstatSync(join(out, 'a/sparse')).size, 20_000_001);
});

/** [arguments of cp, what is there afterwards: path on this host or in the instance, and its content; or the error]. */
t.test("cp's cases, out", async (t) => {
  const out = join(folder, 'cases');
  mkdirSync(join(out, 'there'), { recursive: true });
  writeFileSync(join(out, 'file'), 'before');
  const cases: [string, string, string, string | RegExp][] = [
    ['/etc/passwd', 'fresh', 'fresh', readFileSync(join(context, 'etc/passwd'), 'utf8')],
    ['/etc/new', 'there', 'there/new', 'new\n'],
    ['/etc/new', 'file', 'file', 'new\n'],
    ['/etc/sub', 'made', 'made/deep/file', 'deep\n'],
    ['/etc/sub', 'there', 'there/sub/deep/file', 'deep\n'],
    ['/etc/sub/.', 'there', 'there/deep/file', 'deep\n'],
    ['/link/new', 'through', 'through', 'new\n'],
    ['/etc/new', 'none/', '', /no such directory|does not exist/],
    ['/etc/sub', 'file', '', /cannot copy directory/],
    ['/etc/none', 'x', '', /^hull: Could not find the file \/etc\/none in container one$/],
    ['/etc/new/', 'x', '', /Could not find the file/],
  ];
  for (const [source, target, path, expected] of cases) {
    const result = await call('cp', `one:${source}`, target.startsWith('/') ? target : `${out}/${target}`);
    if (typeof expected === 'string') t.equal(result.exitCode === 0 ? readFileSync(join(out, path), 'utf8') : result.stderr, expected, `${source} to ${target}`);
    else t.match(result, { stderr: expected }, `${source} to ${target}`);
  }
  await ok('cp', 'one:/link', join(out, 'as-link'));
  t.equal(readlinkSync(join(out, 'as-link')), '/etc');
  await ok('cp', '-L', 'one:/link', join(out, 'followed'));
  t.equal(readFileSync(join(out, 'followed/new'), 'utf8'), 'new\n');
});

const source = join(folder, 'source');
mkdirSync(join(source, 'd/e'), { recursive: true });
writeFileSync(join(source, 'f'), 'f\n');
writeFileSync(join(source, 'd/e/g'), randomBytes(300_000));
writeFileSync(join(source, 'd/empty'), '');
symlinkSync('e/g', join(source, 'd/l'));
chmodSync(join(source, 'f'), 0o4751);
utimesSync(join(source, 'f'), 1_000_000_000, 1_000_000_000);
const hash = createHash('md5').update(readFileSync(join(source, 'd/e/g'))).digest('hex');

const copyIn = async (t: { match(found: unknown, wanted: object): unknown }, name: string) => {
  await ok('cp', join(source, 'f'), `${name}:/srv-file`);
  await ok('cp', join(source, 'd'), `${name}:/etc`);
  await ok('cp', join(source, 'd'), `${name}:/made`);
  await ok('cp', `${source}/d/.`, `${name}:/a`);
  await ok('cp', join(source, 'f'), `${name}:/vol/in-volume`);
  await ok('cp', join(source, 'f'), `${name}:/link/through-link`);
  await ok('cp', join(source, 'f'), `${name}:/etc/new`);
  await execa(hull, ['cp', '-', `${name}:/etc/sub`], { env, extendEnv: false, input: execFileSync('tar', ['-C', source, '-cf', '-', 'd']), timeout: 600_000 });
  t.match(await call('cp', join(source, 'd'), `${name}:/etc/passwd`), { exitCode: 125, stderr: /cannot copy directory/ });
  t.match(await call('cp', join(source, 'f'), `${name}:/nowhere/x`), { exitCode: 1, stderr: /Could not find the file \/nowhere/ });
  t.match(await call('cp', join(source, 'none'), `${name}:/`), { exitCode: 125, stderr: /no such file/ });
  t.match(await call('cp', join(source, 'f'), 'nobody:/'), { exitCode: 1, stderr: /No such container: nobody/ });
};
const LOOK = 'cd /; stat -c "%n %a %u:%g %s %Y" srv-file vol/in-volume etc/through-link etc/new; md5sum made/e/g a/e/g etc/d/l etc/sub/d/e/g; ls -l made/l';
const looked = (text: string) => text.replaceAll(/^l.* made\/l/gm, 'l made/l');
const wanted = [...['srv-file', 'vol/in-volume', 'etc/through-link', 'etc/new'].map((name) => `${name} 4751 0:0 2 1000000000`), ...['made/e/g', 'a/e/g', 'etc/d/l', 'etc/sub/d/e/g'].map((name) => `${hash}  ${name}`), 'l made/l -> e/g'].join('\n');

t.test('cp into a machine that runs', async (t) => {
  await copyIn(t, 'one');
  t.equal(looked(await ok('exec', 'one', 'sh', '-c', LOOK)), wanted);
  await ok('cp', join(source, 'f'), 'one:/mem/f');
  t.equal(await ok('exec', 'one', 'cat', '/mem/f'), 'f', 'tmpfs of a machine that runs');
});

t.test('the same when it does not run', async (t) => {
  await ok('exec', 'one', 'rm', '-rf', '/srv-file', '/etc/d', '/made', '/a/e', '/a/l', '/a/empty', '/vol/in-volume', '/etc/through-link', '/etc/sub/d', '/srv-file');
  await ok('exec', 'one', 'sh', '-c', 'echo new > /etc/new.1; mv /etc/new.1 /etc/new');
  await ok('stop', '-t', '0', 'one');
  t.strictSame((await ok('diff', 'one')).split('\n').filter((line) => !line.endsWith('/etc/sub') && !line.endsWith('/etc/sub/deep')), EXPECTED);
  await copyIn(t, 'one');
  t.match(await call('cp', join(source, 'f'), 'one:/mem/f'), { stderr: /tmpfs|Could not find/ });
  t.strictSame(await lookUntil(machines, ({ length }) => length === 0), [], 'the helper has ended');
  const id = JSON.parse(await ok('inspect', 'one'))[0].Id;
  t.notOk(existsSync(join(root, 'instances', id, 'helper')));
  execFileSync('e2fsck', ['-fn', join(root, 'instances', id, 'writable.ext4')], { env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` }, stdio: 'pipe' });
  const archive = await bytesOf('cp', 'one:/made', '-');
  t.match(listTar(archive).join('\n'), /lrwxrwxrwx 0\/0 .* made\/l -> e\/g/);
  await ok('start', 'one');
  await until('one', 'ready\nready');
});

t.test('commit', async (t) => {
  const id = await ok('commit', '-m', 'a word', '-a', 'me', '-c', 'ENV B="2 3"', '-c', 'EXPOSE 80', 'one', 'made:1');
  t.match(id, /^sha256:[0-9a-f]{64}$/);
  const [image] = JSON.parse(await ok('image', 'inspect', 'made:1'));
  t.match(image, { Id: id, Author: 'me', Comment: 'a word', Config: { Env: [/^PATH=/, 'A=1', 'B=2 3'], Entrypoint: ['/bin/sh', '-c'], Labels: { l: '1' } } });
  t.ok('80/tcp' in image.Config.ExposedPorts);
  const found = await ok('run', '--rm', 'made:1', 'cat /old/two /old/inner/own /a/b/h; ls /old /old/inner; stat -c "%u:%g %a" /a/b/c; echo $A $B');
  t.equal(found, 'two\nmore\nmore\nown\nx\n/old:\ninner\nthree\ntwo\n\n/old/inner:\nown\n7:8 644\n1 2 3');
  t.match(await call('commit', '-c', 'RUN x', 'one', 'x'), { exitCode: 125, stderr: /RUN is not a valid change command/ });
  t.match(await call('commit', 'one', 'UPPER'), { exitCode: 125 });
  await ok('stop', '-t', '0', 'one');
  t.match(await ok('commit', 'one'), /^sha256:/, 'without a name, of one that does not run');
});

t.test('what cannot be', async (t) => {
  await ok('run', '-d', '--name', 'fixed', '--read-only', '-v', 'kept:/vol', 'base', 'echo ready; sleep 100000');
  await until('fixed', 'ready');
  t.match(await call('cp', join(source, 'f'), 'fixed:/x'), { stderr: /container rootfs is marked read-only/ });
  t.equal(await ok('diff', 'fixed'), '');
  await ok('cp', join(source, 'f'), 'fixed:/vol/also');
  t.equal(await ok('exec', 'fixed', 'cat', '/vol/also'), 'f');
  await ok('pause', 'fixed');
  t.match(await call('cp', join(source, 'f'), 'fixed:/vol/x'), { stderr: /is paused/ });
  await ok('cp', 'fixed:/etc/passwd', join(folder, 'of-paused'));
  t.equal(JSON.parse(await ok('inspect', 'fixed'))[0].State.Status, 'paused', 'it stays so');
});

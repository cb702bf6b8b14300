/**
 * hull build: the conformance list, each case by the command line with a state of its own file; and what a build promises beside: same sources, same digest; a
 * change rebuilds what depends on it; outputs; contexts on stdin; nothing left of a build that was killed.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { readLayer } from '../../images/layers/index.ts';
import { openStore } from '../../images/store/index.ts';
import { findCheckout } from '../boot/guest/build.ts';
import { lookUntil } from '../wait.ts';
import { CASES } from './conformance.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-build-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const hull = join(findCheckout(), 'dist/hull');
const state = join(folder, 'state');
const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: state };
const build = (args: readonly string[], options: { cwd: string; input?: string | Uint8Array; env?: NodeJS.ProcessEnv }) =>
  execa(hull, ['build', '--progress', 'plain', ...args], { env: { ...env, ...options.env }, extendEnv: false, reject: false, cwd: options.cwd, input: options.input ?? '', timeout: 600_000, stripFinalNewline: false });
const store = openStore(join(state, 'images'));

function writeFiles(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    const at = join(root, path);
    mkdirSync(dirname(at), { recursive: true });
    const [, mode] = /^([0-7]+)\t/.exec(text) ?? [];
    if (text === 'tar') {
      const source = join(folder, 'tar-source');
      writeFiles(source, { 'in/side': 'inside' });
      execFileSync('tar', ['--owner=3', '--group=4', '--mode=u=rwX,g=rX,o=', '-caf', at, '-C', source, '.']);
    } else if (text.startsWith('-> ')) symlinkSync(text.slice(3), at);
    else {
      writeFileSync(at, mode === undefined ? text : text.slice(mode.length + 1), { mode: 0o644 });
      execFileSync('chmod', [mode ?? '644', at]);
    }
  }
}

/** What an archive of a root file system has, in the form of the cases. */
async function readTree(path: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const entry of readLayer(createReadStream(path), { isPlain: true })) {
    const parts: Uint8Array[] = [];
    for await (const chunk of entry.content()) parts.push(chunk);
    const content = entry.kind === 'directory' ? '/' : Buffer.concat(parts).toString();
    const text = entry.kind === 'symlink' ? `-> ${entry.target}` : entry.kind === 'hardlink' ? (found.get(entry.target as string) ?? '') : `${entry.mode.toString(8)} ${entry.uid}:${entry.gid} ${content}`;
    found.set(entry.path, text);
  }
  return found;
}

t.setTimeout(1_200_000); // a hundred commands: on a busy machine they take minutes

const server = createServer((request, response) => {
  // Also as a proxy: then it is asked for a whole URL.
  const part = /^\/(repo\.git\/[\w./-]+)/.exec(request.url ?? '')?.[1];
  if (request.url?.replace(/^http:\/\/files\.test/, '') === '/file.txt') response.setHeader('Last-Modified', 'Thu, 01 Jan 2015 00:00:00 GMT').end('hello');
  else if (part !== undefined && existsSync(join(folder, part)) && statSync(join(folder, part)).isFile()) response.end(readFileSync(join(folder, part)));
  else response.writeHead(404).end();
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
t.teardown(() => server.close());
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** A repository that any web server can serve, with a tag before its last commit. */
function makeRepository(): void {
  const work = join(folder, 'repository');
  const more = { GIT_AUTHOR_DATE: '1420070400 +0000', GIT_COMMITTER_DATE: '1420070400 +0000', GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
  const git = (...args: string[]) => execFileSync('git', ['-C', work, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], { env: { ...process.env, ...more }, stdio: 'ignore' });
  writeFiles(work, { a: 'one', run: '755\t#!/bin/sh', 'sub/x': 'x', 'sub/Dockerfile': 'FROM scratch\nCOPY . /\n', 'sub/.dockerignore': 'Dockerfile\n' });
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('commit', '-q', '-m', 'one');
  git('tag', 'v1');
  writeFileSync(join(work, 'a'), 'two');
  git('commit', '-q', '-a', '-m', 'two');
  execFileSync('git', ['clone', '-q', '--bare', work, join(folder, 'repo.git')], { stdio: 'ignore' });
  execFileSync('git', ['-C', join(folder, 'repo.git'), 'update-server-info'], { stdio: 'ignore' });
}
makeRepository();

/** What stands for an SSH agent: a socket. */
const agent = createSocketServer((socket) => socket.end());
await new Promise<void>((resolve) => agent.listen(join(folder, 'agent.sock'), resolve));
t.teardown(() => agent.close());

await t.test('base images', async (t) => {
  const context = join(folder, 'base');
  mkdirSync(context);
  execFileSync('cp', ['/bin/busybox', context]);
  writeFiles(context, {
    passwd: 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n',
    group: 'root:x:0:\nstaff:x:50:app\napp:x:1001:\n',
    Dockerfile: 'FROM scratch\nCOPY busybox /bin/\nCOPY passwd group /etc/\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n',
    cmd: 'FROM base\nCMD ["inherited"]',
    trigger: 'FROM base\nONBUILD COPY a /triggered',
  });
  for (const args of [['-t', 'base'], ['-t', 'with-cmd', '-f', 'cmd'], ['-t', 'with-trigger', '-f', 'trigger']]) {
    const { exitCode, stderr } = await build([...args, '.'], { cwd: context });
    t.equal(exitCode, 0, stderr);
  }
  t.end();
});

await t.test('conformance', async (t) => {
  const runCase = async (index: number) => {
    const { subjects, dockerfile, files = {}, args = [], env: more = {}, expect, config, error, log } = CASES[index] as (typeof CASES)[number];
    const name = `${subjects[0]}: ${JSON.stringify(dockerfile)}`;
    const context = join(folder, `case-${index}`, 'context');
    mkdirSync(context, { recursive: true });
    writeFiles(context, { Dockerfile: dockerfile, ...files });
    const archive = join(folder, `case-${index}`, 'out.tar');
    const filled = args.map((text) => text.replace('@URL@', url).replace('@AGENT@', join(folder, 'agent.sock')));
    const { exitCode, stderr } = await build(['-t', `case-${index}`, '-o', 'type=image', '-o', `type=tar,dest=${archive}`, ...filled, '.'], { cwd: context, env: Object.fromEntries(Object.entries(more).map(([key, value]) => [key, value.replace('@URL@', url)])) });
    if (error !== undefined) {
      t.equal(exitCode === 0, false, `fails: ${name}`);
      t.match(stderr, error, name);
      t.equal(store.find(`case-${index}`), undefined, `no image: ${name}`);
      return;
    }
    t.equal(exitCode, 0, `${name}\n${exitCode === 0 ? '' : stderr}`);
    if (exitCode !== 0) return;
    if (log !== undefined) t.match(stderr, log, name);
    const tree = await readTree(archive);
    for (const [path, wanted] of Object.entries(expect ?? {})) {
      const found = tree.get(path);
      if (wanted === null) t.equal(found, undefined, `no ${path}: ${name}`);
      else if (/^[0-7]{3,4} \d|^-> /.test(wanted)) t.equal(found, wanted, `${path}: ${name}`);
      else t.match(found, new RegExp(wanted), `${path}: ${name}`);
    }
    const image = store.resolve(`case-${index}`);
    for (const [key, wanted] of Object.entries(config ?? {})) t.strictSame((image.config.config as Record<string, unknown>)[key], wanted, `${key}: ${name}`);
  };
  const waiting = CASES.map((_, i) => i);
  await Promise.all([0, 1].map(async () => { for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await runCase(next); }));
  t.end();
});

await t.test('what a build promises', async (t) => {
  const context = join(folder, 'promise');
  mkdirSync(context);
  writeFiles(context, { Dockerfile: 'FROM base\nRUN date +%N >/random\nCOPY a /a\nWORKDIR /w\nCOPY b c/\nCMD x\n', a: 'a\n', b: 'b\n' });
  const id = async (args: string[], more: NodeJS.ProcessEnv = {}) => {
    const { exitCode, stdout, stderr } = await build(['-q', ...args, '.'], { cwd: context, env: more });
    t.equal(exitCode, 0, stderr);
    t.match(stdout, /^sha256:[0-9a-f]{64}\n$/, 'quiet prints the ID alone');
    return stdout.trim();
  };
  const first = await id(['-t', 'one', '-t', 'two:x', '--iidfile', join(folder, 'iid')]);
  t.equal(readFileSync(join(folder, 'iid'), 'utf8'), first, '--iidfile');
  t.strictSame(store.resolve('one').tags, ['docker.io/library/one:latest', 'docker.io/library/two:x'], 'every -t');
  utimesSync(join(context, 'a'), 1, 1);
  t.equal(await id([]), first, 'times of sources do not matter');
  const layers = (name: string) => store.resolve(name).config.rootfs.diff_ids;
  const before = layers('one');
  writeFileSync(join(context, 'b'), 'changed\n');
  const { stderr } = await build(['-t', 'one', '.'], { cwd: context });
  t.equal(stderr.match(/CACHED/g)?.length, 3, 'a change in the last COPY rebuilds it only');
  t.strictSame(layers('one').slice(0, -1), before.slice(0, -1), 'the layers below stay');
  t.not(layers('one').at(-1), before.at(-1), 'its own layer is another');
  writeFileSync(join(context, 'a'), 'changed\n');
  const second = await build(['.'], { cwd: context });
  t.equal(second.stderr.match(/CACHED/g)?.length, 1, 'a change in an earlier COPY rebuilds what follows');
  const third = await build(['--no-cache', '.'], { cwd: context });
  t.equal(third.stderr.match(/CACHED/g), null, '--no-cache');
  writeFileSync(join(context, 'Dockerfile'), 'FROM base\nCOPY a /x/\nWORKDIR /w\nRUN mkdir /r && echo 1 >/r/f\nCOPY <<E /h\nx\nE\n');
  const epoch = { SOURCE_DATE_EPOCH: '1000000000' };
  t.equal(await id(['--no-cache'], epoch), await id(['--no-cache'], epoch), 'SOURCE_DATE_EPOCH: the same sources, the same image');

  const tar = execFileSync('tar', ['-C', context, '-cz', '.']);
  t.equal((await build(['-t', 'piped', '-'], { cwd: folder, input: tar })).exitCode, 0, 'a context on stdin');
  const cloned = await build(['-o', join(folder, 'cloned'), `${url}/repo.git#main:sub`], { cwd: folder });
  t.equal(cloned.exitCode, 0, `a git repository's directory: ${cloned.stderr}`);
  t.strictSame(readdirSync(join(folder, 'cloned')), ['.dockerignore', 'x'], 'its ignore file holds');
  t.equal((await build(['-t', 'alone', '-'], { cwd: folder, input: 'FROM base\nENV A=b\n' })).exitCode, 0, 'a Dockerfile on stdin');
  t.equal((await build(['-t', 'both', '-f', '-', '.'], { cwd: context, input: 'FROM scratch\nCOPY a /\n' })).exitCode, 0, '-f -');
  t.equal((await build(['-o', join(folder, 'out'), '-f', '-', '.'], { cwd: context, input: 'FROM scratch\nCOPY a /d/\n' })).exitCode, 0, '-o DIRECTORY');
  t.equal(readFileSync(join(folder, 'out/d/a'), 'utf8'), 'changed\n', 'its files');
  // Node.js and nothing else.
  const bare = join(folder, 'bare');
  mkdirSync(bare);
  symlinkSync(process.execPath, join(bare, 'node'));
  const without = await build(['.'], { cwd: context, env: { PATH: bare } });
  t.equal(without.exitCode, 0, 'what is cached needs no sandbox');
  writeFileSync(join(context, 'Dockerfile'), 'FROM base\nRUN echo never seen\n');
  const refused = await build(['.'], { cwd: context, env: { PATH: bare } });
  t.equal(refused.exitCode, 1, 'no sandbox, no RUN');
  t.match(refused.stderr, /Dockerfile:2:1: Cannot execute RUN: no program "bwrap" in PATH, expected bubblewrap/);
  t.end();
});

await t.test('an image of scratch and a static program runs', async (t) => {
  const context = join(folder, 'machine');
  mkdirSync(context);
  execFileSync('cp', ['/bin/busybox', context]);
  writeFiles(context, { Dockerfile: 'FROM scratch\nCOPY busybox /bin/\nENV GREETING=hello\nWORKDIR /w\nENTRYPOINT ["busybox", "sh", "-c"]\nCMD ["echo $GREETING; pwd; busybox grep MemTotal /proc/meminfo; echo >/w/x"]\n', 'hull.yaml': 'memory: 48m\noptions:\n  machine: q35\n  read-only: true\ncomponents:\n  add: [trace]\n  omit: [inotify]\n' });
  t.equal((await build(['-t', 'machine', '.'], { cwd: context })).exitCode, 0);
  const { stdout, stderr, exitCode } = await execa(hull, ['run', '--accel', 'tcg', 'machine'], { env, extendEnv: false, reject: false, input: '', timeout: 600_000 });
  t.match(stderr, /\/w\/x: Read-only file system/, 'its options are the labels’');
  t.equal(exitCode, 1);
  t.match(stdout, /^hello\n\/w\nMemTotal: +(\d+) kB$/);
  const memory = Number(/(\d+) kB/.exec(stdout)?.[1]);
  t.ok(memory > 24 * 1024 && memory <= 48 * 1024, `its memory is the label's: ${memory} kB`);
  const other = await execa(hull, ['run', '--accel', 'tcg', '--verbose', '--machine', 'microvm', '--read-only=false', '-m', '40m', 'machine', 'echo >/w/x && busybox cat /w/x'], { env, extendEnv: false, reject: false, input: '', timeout: 600_000 });
  t.match(other, { exitCode: 0, stderr: /, microvm, tcg, 40 MiB/ }, 'options come before labels');
  const wrong = await build(['-t', 'wrong', '--label', 'hull.machine=vax', '.'], { cwd: context });
  t.equal(wrong.exitCode, 0);
  t.match(await execa(hull, ['run', 'wrong'], { env, extendEnv: false, reject: false, input: '' }), { exitCode: 125, stderr: /its label hull\.machine is "vax", expected microvm or q35 or virt or virt-pci; --machine KIND overrides it/ });
  t.end();
});

await t.test('the kernel of a rebuilt image', async (t) => {
  const context = join(folder, 'kernel');
  mkdirSync(context);
  execFileSync('cp', ['/bin/busybox', context]);
  writeFiles(context, { a: 'one\n', b: 'two\n', Dockerfile: 'FROM scratch\nCOPY busybox /bin/\nCOPY a /a\nCOPY b /b\nCMD ["/bin/busybox", "cat", "/b"]\n', 'hull.yaml': 'kernel: layer\n' });
  const epoch = { SOURCE_DATE_EPOCH: '1000000000' };
  const make = async (tag: string, more: NodeJS.ProcessEnv = {}) => {
    const { exitCode, stderr } = await build(['-t', tag, '.'], { cwd: context, env: { ...epoch, ...more } });
    t.equal(exitCode, 0, stderr);
    return openStore(join(more['HULL_ROOT'] ?? state, 'images')).resolve(tag);
  };
  const kernels = () => readdirSync(join(state, 'cache/kernels')).filter((name) => name.endsWith('.img')).sort();
  const first = await make('kernel:1');
  const linked = kernels();
  const elsewhere = await make('kernel:1', { HULL_ROOT: join(folder, 'another-state') });
  t.equal(elsewhere.target.digest, first.target.digest, 'the same sources give the same digest where nothing is cached, its kernel included');
  writeFileSync(join(context, 'b'), 'changed\n');
  const second = await make('kernel:2');
  const [before, after] = [first, second].map(({ manifest }) => manifest.layers.map(({ digest }) => digest));
  t.strictSame(after?.map((digest, i) => digest === before?.[i]), [true, true, false, true], 'only the layer of the last COPY is another; the kernel is the same');
  t.strictSame(kernels(), linked, 'nothing was linked for it');
  const { stdout } = await execa(hull, ['run', '--accel', 'tcg', 'kernel:2'], { env, extendEnv: false, reject: false, input: '', timeout: 600_000 });
  t.equal(stdout, 'changed');
  t.end();
});

const canSwitch = process.geteuid?.() === 0 && spawnSync('setpriv', ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, hull, 'version']).status === 0;
await t.test('without root', { skip: canSwitch ? false : 'not root, or this checkout cannot be read by another user' }, async (t) => {
  const own = mkdtempSync(join(tmpdir(), 'hull-build-user-'));
  t.teardown(() => rmSync(own, { recursive: true, force: true }));
  execFileSync('cp', ['/bin/busybox', own]);
  writeFiles(own, { Dockerfile: 'FROM scratch\nCOPY busybox /bin/\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\nRUN rm /bin/true && mkdir /d && id -u >/d/id && chmod 640 /d/id\n' });
  execFileSync('chown', ['-R', '65534:65534', own]);
  const user = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
  const more = { HOME: own, HULL_ROOT: join(own, 'state') };
  const { stderr, exitCode } = await execa('setpriv', [...user, process.execPath, hull, 'build', '--progress', 'plain', '-o', `type=tar,dest=${own}/out.tar`, '-o', 'type=image', own], { env: { ...env, ...more }, extendEnv: false, reject: false, cwd: own, timeout: 600_000 });
  t.equal(exitCode, 0, stderr);
  const tree = await readTree(join(own, 'out.tar'));
  t.equal(tree.get('d/id'), '640 0:0 0\n');
  t.equal(tree.get('bin/true'), undefined);
  t.equal(tree.get('bin/false'), '-> /bin/busybox');
  t.end();
});

await t.test('a build that is killed while git fetches leaves no process', async (t) => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1'); // takes requests and answers none
  t.teardown(() => {
    silent.closeAllConnections();
    silent.close();
  });
  await new Promise((resolve) => silent.once('listening', resolve));
  const repository = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/silent.git`;
  const context = join(folder, 'killed-git');
  mkdirSync(context);
  writeFiles(context, { Dockerfile: `FROM scratch\nADD ${repository} /\n` });
  const asked = new Promise((resolve) => silent.once('request', resolve));
  const child = spawn(hull, ['build', '-t', 'killed-git', context], { env, stdio: 'ignore' });
  await Promise.race([asked, new Promise((_, reject) => child.once('exit', (code) => reject(new Error(`the build ended with ${code}`))))]);
  const fetching = () => execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n').filter((line) => line.includes(repository));
  t.ok(fetching().length > 0, 'git fetches');
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('close', resolve));
  t.strictSame(await lookUntil(fetching, ({ length }) => length === 0), []);
  t.end();
});

await t.test('a killed build leaves nothing', async (t) => {
  const context = join(folder, 'killed');
  mkdirSync(context);
  // What only this test has in its commands: others sleep, too.
  const mark = `sleep 1${String(process.pid).padStart(7, '0')}`;
  writeFiles(context, { Dockerfile: `FROM base\nRUN echo begun && ${mark}\n` });
  const child = spawn(hull, ['build', '--progress', 'plain', '-t', 'killed', context], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  await new Promise<void>((resolve) => child.stderr.on('data', (bytes: Buffer) => { said += bytes; if (/\d begun/.test(said)) resolve(); }));
  const sleeping = () => execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n').filter((line) => line.includes(mark) && line.includes('hull-become') === false && !line.includes('ps -eo'));
  const ours = sleeping().length;
  t.ok(ours > 0, 'it runs');
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('close', resolve));
  t.strictSame(await lookUntil(sleeping, ({ length }) => length === 0), [], 'its processes are gone');
  t.equal(store.find('killed'), undefined, 'no image');
  writeFileSync(join(context, 'Dockerfile'), 'FROM base\nRUN true\n');
  t.equal((await build(['-t', 'killed', '.'], { cwd: context })).exitCode, 0, 'the next build works');
  t.strictSame(readdirSync(join(state, 'cache/build/work')), [], 'and leaves nothing of either');
  t.ok(existsSync(join(state, 'cache/build/layers')));
  t.end();
});

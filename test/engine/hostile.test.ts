/**
 * Names, paths and options that would mean something to a shell or to QEMU's command line: none is executed, each is kept as it is or refused. Each process that hull, the engine and what they start begin is
 * written down by a preloaded module: none is a shell. Runs the built dist/hull.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { makeBox, makeEngine } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-hostile-'));
const at = (name: string) => join(folder, name);
const harness = makeEngine(folder);
const { hull, root, ask } = harness;

/** A line of JSON for each process that node starts, in whatever way. */
const TRACER = `
const fs = require('node:fs');
const child = require('node:child_process');
const note = (file, args, options) => fs.appendFileSync(process.env.HULL_TEST_SPAWNS, JSON.stringify({ file, args, shell: Boolean(options && options.shell) }) + '\\n');
const { spawn } = child.ChildProcess.prototype;
child.ChildProcess.prototype.spawn = function (options) {
  note(options.file, options.args, options);
  return spawn.call(this, options);
};
for (const name of ['spawnSync', 'execFileSync', 'execSync']) {
  const original = child[name];
  child[name] = function (file, args, options) {
    note(name === 'execSync' ? '/bin/sh' : file, Array.isArray(args) ? args : [], name === 'execSync' ? { shell: true } : Array.isArray(args) ? options : args);
    return original.apply(this, arguments);
  };
}
require('node:module').syncBuiltinESMExports();
`;
writeFileSync(at('tracer.cjs'), TRACER);
const env: NodeJS.ProcessEnv = harness.env;
env['NODE_OPTIONS'] = `--require=${at('tracer.cjs')}`;
env['HULL_TEST_SPAWNS'] = at('spawns');
mkdirSync(at('work'));

/** A command that is executed makes it. */
const MARK = at('work/executed');
const HOSTILE: readonly string[] = [
  `$(touch ${MARK})`, `\`touch ${MARK}\``, `; touch ${MARK} ;`, `| touch ${MARK}`, `&& touch ${MARK} &&`, `' ; touch ${MARK} ; '`, `" ; touch ${MARK} ; "`, `a\ntouch ${MARK}\n`, `> ${MARK}`, '${PATH}', '$PATH', '-rf', '--help', '%s%n%x',
  'a,b=c,readonly=on', 'x,path=/etc,mount_tag=root', '../../../etc', 'a\tb', '\\', '*', '~', '#', '\u202e\u00e9\u{1f4a3}',
];

const engine = await harness.start();
t.equal((await ask('POST', '/images/create?fromSrc=-&repo=box&tag=latest', readFileSync(makeBox(folder)))).status, 200);
t.teardown(async () => {
  await harness.removeAll();
  await engine.end();
  rmSync(folder, { recursive: true });
});

const call = (...args: string[]) => execa(hull, args, { env, extendEnv: false, reject: false, cwd: at('work'), stdin: 'ignore', timeout: 180_000, stripFinalNewline: false });
/** \`env -0\` and arguments as the program has them. */
const PRINT = ['sh', '-c', 'for each; do busybox printf "%s\\0" "$each"; done', 'print'];

t.test('what is the program’s is kept as it is', async (t) => {
  const variables = HOSTILE.map((value, i) => `V${i}=${value}`);
  const labels = Object.fromEntries(HOSTILE.map((value, i) => [`l${i}`, value]));
  const made = await call('create', '--name', 'kept', ...variables.flatMap((each) => ['-e', each]), ...Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]), 'box', ...PRINT, ...HOSTILE);
  t.equal(made.exitCode, 0, made.stderr);
  const run = await call('start', '-a', 'kept');
  t.equal(run.stdout, HOSTILE.map((each) => `${each}\0`).join(''), run.stderr);
  const [kept] = JSON.parse((await call('inspect', 'kept')).stdout);
  t.match(kept.Config.Labels, labels);
  for (const each of variables) t.ok(kept.Config.Env.includes(each), each);
  await call('rm', 'kept');

  const created = await ask('POST', '/containers/create?name=api', { Image: 'box', Env: variables, Labels: labels, Cmd: ['sh', '-c', 'busybox env; while :; do sleep 0.1; done'] });
  t.equal(created.status, 201, created.body);
  t.equal((await ask('POST', '/containers/api/start')).status, 204);
  t.match(JSON.parse((await ask('GET', '/containers/api/json')).body).Config, { Labels: labels });
  t.match(JSON.parse((await ask('GET', `/containers/json?filters=${encodeURIComponent(JSON.stringify({ label: HOSTILE.map((value, i) => `l${i}=${value}`) }))}`)).body), [{ Names: ['/api'] }]);
  t.same(JSON.parse((await ask('GET', '/containers/api/json')).body).Config.Env.filter((each: string) => /^V\d/.test(each)), variables);
  const executed = await call('exec', '-e', `W=${HOSTILE[0]}`, 'api', ...PRINT, ...HOSTILE);
  t.equal(executed.stdout, HOSTILE.map((each) => `${each}\0`).join(''), executed.stderr);
  // Names of files on both sides.
  for (const name of [`$(touch executed);'"`, 'a\nb']) {
    writeFileSync(join(at('work'), name), name);
    t.match(await call('cp', `./${name}`, `api:/tmp/${name}`), { exitCode: 0 }, name);
    t.match(await call('exec', 'api', 'cat', `/tmp/${name}`), { exitCode: 0, stdout: name });
    t.match(await call('cp', `api:/tmp/${name}`, at('back')), { exitCode: 0 });
    t.equal(readFileSync(at('back'), 'utf8'), name);
    rmSync(join(at('work'), name));
  }
  await call('rm', '-f', 'api');
});

t.test('directories of any name', async (t) => {
  for (const name of [`$(touch executed);'"`, 'a,readonly=on,path=', 'a b\tc']) {
    const place = join(at('work'), name);
    mkdirSync(place);
    writeFileSync(join(place, 'file'), 'found\n');
    t.match(await call('run', '--rm', '-v', `${place}:/in${name}`, 'box', 'cat', `/in${name}/file`), { exitCode: 0, stdout: 'found\n' }, `-v ${name}`);
    const body = { Image: 'box', Cmd: ['cat', `/in${name}/file`], HostConfig: { Mounts: [{ Type: 'bind', Source: place, Target: `/in${name}` }] } };
    t.equal((await ask('POST', '/containers/create?name=bound', body)).status, 201, name);
    t.equal((await ask('POST', '/containers/bound/start')).status, 204);
    t.equal((await call('wait', 'bound')).stdout, '0\n');
    await call('rm', 'bound');
    rmSync(place, { recursive: true });
  }
});

t.test('names that are none are refused', async (t) => {
  const isSound = (text: string) => !/(Type|Range|Reference|Syntax)Error|\n\s+at |node:internal/.test(text);
  const refuse = async (...args: string[]) => {
    const { exitCode, stderr } = await call(...args);
    t.not(exitCode, 0, JSON.stringify(args));
    t.ok(isSound(stderr), stderr);
  };
  const refuseApi = async (method: string, path: string, body?: unknown) => {
    const { status, body: text } = await ask(method, path, body);
    t.ok(status >= 400 && status < 500, `${method} ${path} ${JSON.stringify(body)}: ${status} ${text}`);
    t.ok(isSound(text), text);
  };
  for (const [i, name] of HOSTILE.entries()) {
    const quoted = encodeURIComponent(name);
    // Each start of the command takes its time.
    const commands = [['create', `--name=${name}`, 'box'], ['create', `--hostname=${name}`, 'box'], ['create', `--network=${name}`, 'box'], ['volume', 'create', '--', name], ['network', 'create', '--', name], ['tag', 'box', name], ['inspect', '--', name], ['rm', '--', name], ['kill', `--signal=${name}`, 'none']];
    if (i < commands.length) await refuse(...(commands[i] as string[]));
    await refuseApi('POST', `/containers/create?name=${quoted}`, { Image: 'box' });
    await refuseApi('POST', '/containers/create', { Image: name });
    await refuseApi('POST', '/containers/create', { Image: 'box', Hostname: name === '-rf' || name === '--help' ? `${name} ` : name });
    await refuseApi('POST', '/containers/create', { Image: 'box', StopSignal: name });
    await refuseApi('POST', '/containers/create', { Image: 'box', HostConfig: { LogConfig: { Type: name } } });
    await refuseApi('POST', '/containers/create', { Image: 'box', HostConfig: { Mounts: [{ Type: 'volume', Source: name, Target: '/x' }] } });
    await refuseApi('POST', '/volumes/create', { Name: name });
    await refuseApi('POST', '/networks/create', { Name: name });
    await refuseApi('POST', `/images/box/tag?repo=${quoted}`);
    await refuseApi('POST', `/build?t=${quoted}`, Buffer.alloc(1024));
    for (const [method, path] of [['GET', 'json'], ['POST', 'start'], ['GET', 'logs?stdout=1'], ['GET', 'archive?path=/'], ['POST', 'exec']] as const) await refuseApi(method, `/containers/${quoted}/${path}`, method === 'POST' ? { Cmd: ['true'] } : undefined);
    for (const path of [`/volumes/${quoted}`, `/networks/${quoted}`, `/exec/${quoted}/json`, `/images/${quoted}/json`]) await refuseApi('GET', path);
  }
});

t.test('paths of the API that are none', async (t) => {
  for (const path of ['/containers/../../etc/passwd/json', '/volumes/..%2f..%2fetc', '/images/%00/json', '/containers/%ff/json', '/%2e%2e/info', '/containers/a%0ab/json']) {
    const status = await new Promise<number>((resolve, reject) => void request({ socketPath: harness.socket, path }, (response) => resolve(response.resume().statusCode ?? 0)).on('error', reject).end());
    t.ok(status >= 400 && status < 500, `${path}: ${status}`);
  }
});

t.test('nothing was executed, and no shell was started', async (t) => {
  t.same(readdirSync(at('work')), []);
  const spawned = readFileSync(at('spawns'), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { file: string; args: readonly string[]; shell: boolean });
  const names = [...new Set(spawned.map(({ file }) => basename(file)))].sort();
  t.comment(`started: ${names.join(', ')}`);
  t.ok(names.some((name) => /^(qemu-system|hull-launch)/.test(name)), 'machines are among them');
  t.same(spawned.filter(({ file, shell }) => shell || /^(sh|bash|dash|ash|busybox|env|xargs|system)$/.test(basename(file))), []);
});

t.test('what hull keeps is its owner’s alone', async (t) => {
  const isOpen = (path: string): string[] => {
    const { mode } = statSync(path);
    if (!statSync(path).isDirectory()) return (mode & 0o077) === 0 ? [] : [`${path} ${(mode & 0o777).toString(8)}`];
    if ((mode & 0o077) === 0) return [];
    return readdirSync(path).flatMap((name) => isOpen(join(path, name)));
  };
  await call('create', '--name', 'left', 'box', 'true');
  t.same(['instances', 'events.jsonl'].flatMap((name) => isOpen(join(root, name))), []);
});

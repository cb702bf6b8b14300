/** Instances: machines that outlive their command. The verbs as docker's, ends that nobody saw, commands that are killed. Runs the built dist/hull; each guest ends with the test. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { isSameProcess, tryLock } from '../../engine/state/index.ts';
import { lookUntil, waitUntil } from '../wait.ts';
import { makeInstancesRoot } from './instances-root.ts';

const { folder, hull, root, env, call, ok, inspect } = makeInstancesRoot('instances');
/** Processes that work in a folder of an instance. */
const findMachines = () =>
  readdirSync('/proc').filter((pid) => {
    try {
      return execFileSync('readlink', [`/proc/${pid}/cwd`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).startsWith(root);
    } catch {
      return false;
    }
  });


const program = join(folder, 'talk');
writeFileSync(
  `${program}.c`,
  `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **args) {
    const char *what = count > 1 ? args[1] : "";
    printf("out 1\\n"); fflush(stdout);
    fprintf(stderr, "err 1\\n");
    printf("out 2\\nlast"); fflush(stdout);
    if (getenv("SAY")) fprintf(stderr, "SAY=%s\\n", getenv("SAY"));
    if (!strcmp(what, "stay")) for (;;) pause();
    return count > 2 ? atoi(args[2]) : 0;
}
`,
);
execFileSync('musl-gcc', ['-static', '-O1', '-o', program, `${program}.c`]);

t.test('a run from its beginning to its removal', async (t) => {
  const id = await ok('run', '-d', '--name', 'first', '--label', 'a=b', '-e', 'SAY=hi', program, 'end', '7');
  t.match(id, /^[0-9a-f]{64}$/);
  t.equal(await ok('wait', 'first'), '7');
  const { stdout, stderr } = await call('logs', id.slice(0, 12));
  t.equal(stdout, 'out 1\nout 2\nlast');
  t.equal(stderr, 'err 1\nSAY=hi');
  t.match((await call('logs', '-t', 'first')).stdout, /^20\d\d-\d\d-\d\dT[\d:]+\.\d{9}Z out 1\n/);
  t.equal(await ok('logs', '-n', '1', 'first'), 'last');
  t.equal(await ok('logs', '--since', '1h', '--tail', '0', 'first'), '');
  t.equal(await ok('logs', '--until', '1h', 'first'), '');
  const state = (await inspect('first')).State;
  t.match(state, { Status: 'exited', Running: false, ExitCode: 7, Error: '', Pid: 0 });
  t.equal(await ok('ps', '-q'), '');
  t.equal(await ok('ps', '-a', '--format', '{{.Names}} {{.Label "a"}} {{.State}}'), 'first b exited');
  t.match(await ok('ps', '-a', '-f', 'exited=7'), /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES\n[0-9a-f]{12} .*Exited \(7\).*first$/);
  t.equal(await ok('ps', '-aq', '-f', 'label=a=c'), '');
  t.equal(await ok('inspect', '-f', '{{.State.ExitCode}} {{json .Config.Labels}} {{range .Args}}[{{.}}]{{end}}', 'first'), '7 {"a":"b"} [end][7]');
  for (const name of readdirSync(join(root, 'instances', id))) {
    const { mode } = statSync(join(root, 'instances', id, name));
    t.equal(mode & 0o077, 0, `${name} is its owner's alone`);
  }
  t.equal(await ok('start', 'first'), 'first');
  t.equal(await ok('wait', 'first'), '7');
  t.equal(await ok('logs', 'first'), 'out 1\nout 2\nlastout 1\nout 2\nlast', 'logs outlive a start');
  t.equal(await ok('rm', 'first'), 'first');
  t.notOk(existsSync(join(root, 'instances', id)));
  for (const args of [['logs', 'first'], ['rm', id], ['wait', 'first'], ['start', 'first'], ['stop', 'first']]) {
    const { exitCode, stderr } = await call(...args);
    t.equal(exitCode, 1, args.join(' '));
    t.match(stderr, /^hull: No such container: /);
  }
  t.equal((await call('rm', '-f', 'first')).exitCode, 0);
});

t.test('states and what they allow', async (t) => {
  const id = await ok('create', '--name', 'second', program, 'stay');
  t.match((await inspect('second')).State, { Status: 'created', Running: false });
  t.match((await call('kill', 'second')).stderr, /cannot kill container: second: container [0-9a-f]{64} is not running/);
  t.equal(await ok('start', 'second'), 'second');
  t.equal(await ok('start', id), id, 'a start of what runs is no error');
  const { Pid } = (await inspect('second')).State;
  t.strictSame(findMachines(), [String(Pid)], 'nothing but QEMU is left');
  t.match((await call('rm', 'second')).stderr, /cannot remove container "second": container is running: stop the container before removing or force remove/);
  t.equal((await call('run', '-d', '--name', 'second', program)).exitCode, 1, 'the name is taken');
  t.match((await call('create', '--name', 'second', program)).stderr, new RegExp(`Conflict. The container name "/second" is already in use by container "${id}"`));
  t.equal(await ok('pause', 'second'), 'second');
  t.match(await ok('ps', '--format', '{{.State}} {{.Status}}'), /^paused Up .*\(Paused\)$/);
  t.match((await call('pause', 'second')).stderr, /is already paused/);
  t.match((await call('start', 'second')).stderr, /cannot start a paused container, try unpause instead/);
  t.equal(await ok('unpause', 'second'), 'second');
  t.match((await call('unpause', 'second')).stderr, /is not paused/);
  await ok('pause', 'second');
  const stops = await Promise.all(Array.from({ length: 4 }, () => call('stop', 'second')));
  t.same(stops.map(({ exitCode }) => exitCode), [0, 0, 0, 0], 'each of several stops resumes it, or finds it resumed');
  t.equal(await ok('stop', 'second'), 'second', 'a stop of what does not run is no error');
  t.equal((await inspect('second')).State.ExitCode, 143);
  t.equal(await ok('restart', 'second'), 'second');
  const waiting = call('wait', 'second');
  t.equal(await ok('kill', 'second'), 'second');
  t.equal((await waiting).stdout, '137');
  t.strictSame(findMachines(), []);
  t.equal(await ok('rm', '-v', 'second'), 'second');
});

t.test('a restart is not the end that --rm means', async (t) => {
  const id = await ok('run', '-d', '--rm', '--name', 'brief', program, 'stay');
  t.equal(await ok('restart', 'brief'), 'brief');
  t.match(await inspect('brief'), { Id: id, State: { Status: 'running' }, HostConfig: { AutoRemove: true } });
  t.equal(await ok('stop', 'brief'), 'brief');
  t.equal(await ok('ps', '-aq'), '', 'it goes with the stop that follows');
  // A restart that is killed leaves what --rm says.
  await ok('run', '-d', '--rm', '--name', 'brief', program, 'stay');
  for (let i = 0; i < 8; i++) {
    const child = execa(hull, ['restart', 'brief'], { env, extendEnv: false, reject: false });
    setTimeout(() => child.kill('SIGKILL'), 40 + i * 40);
    await child;
    const known = await ok('ps', '-a', '--format', '{{.Names}} {{.State}}');
    t.match(known, /^(brief running)?$/);
    if (known === '') await ok('run', '-d', '--rm', '--name', 'brief', program, 'stay');
  }
  await ok('stop', 'brief');
  t.equal(await ok('ps', '-aq'), '');
});

t.test('signals and stdin of a program that takes them', async (t) => {
  const listener = join(folder, 'listen');
  writeFileSync(
    `${listener}.c`,
    `#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static volatile int got;
static void note(int number) { got = number; }
int main(void) {
    char bytes[64];
    struct sigaction action = {.sa_handler = note};
    sigaction(SIGTERM, &action, 0);
    sigaction(SIGUSR1, &action, 0);
    printf("ready\\n"); fflush(stdout);
    for (;;) {
        /* A signal that comes between two calls is seen a moment later. */
        struct pollfd input = {0, POLLIN, 0};
        long size = poll(&input, 1, 50) == 1 ? read(0, bytes, sizeof bytes) : -1;
        if (size > 0) printf("got %.*s", (int)size, bytes);
        if (size == 0) { printf("end\\n"); fflush(stdout); while (!got) usleep(50000); }
        if (got) printf("signal %d\\n", got);
        fflush(stdout);
        if (got == SIGTERM) return 3;
        got = 0;
    }
}
`,
  );
  execFileSync('musl-gcc', ['-static', '-O1', '-o', listener, `${listener}.c`]);
  const until = (name: string, text: string) => waitUntil(`${name} says ${text}`, async () => (await ok('logs', name)).includes(text));
  await ok('run', '-d', '-i', '--name', 'listen', listener);
  await until('listen', 'ready');
  await ok('kill', '-s', 'USR1', 'listen');
  await until('listen', 'signal 10');
  const attached = execa(hull, ['attach', 'listen'], { env, extendEnv: false, reject: false, timeout: 600_000 });
  attached.stdin?.write('hello\n');
  await until('listen', 'got hello');
  attached.stdin?.end();
  await until('listen', 'end');
  await ok('stop', 'listen');
  const { stdout, exitCode } = await attached;
  t.match(stdout, /got hello\nend\nsignal 15$/);
  t.equal(exitCode, 3);
  t.equal((await inspect('listen')).State.ExitCode, 3, 'the program ended by itself');
  t.equal(await ok('rm', 'listen'), 'listen');
});

t.test('exec: further processes', async (t) => {
  const rootfs = join(folder, 'tree');
  mkdirSync(join(rootfs, 'bin'), { recursive: true });
  for (const name of ['dev', 'run']) mkdirSync(join(rootfs, name));
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  for (const name of ['sh', 'cat', 'sleep', 'ls', 'id', 'pwd', 'tty', 'head', 'yes', 'ps']) symlinkSync('busybox', join(rootfs, 'bin', name));
  await ok('run', '-d', '--name', 'web', '-e', 'FROM=run', '--rootfs', rootfs, '/bin/sh', '-c', 'sleep 1000; :');
  t.match(await ok('exec', 'web', 'ls', '-l', '/bin/ls'), /\/bin\/ls -> busybox$/);
  const both = await call('exec', 'web', 'sh', '-c', 'echo out; echo err >&2; exit 5');
  t.match(both, { stdout: 'out', stderr: 'err', exitCode: 5 });
  t.equal(await ok('exec', '-e', 'A=5', '-w', '/bin', '-u', '12:34', 'web', 'sh', '-c', 'echo $FROM $A; pwd; id'), 'run 5\n/bin\nuid=12 gid=34');
  t.match(await call('exec', 'web', 'nope'), { exitCode: 127, stderr: /exec: "nope": executable file not found in \$PATH/ });
  t.equal((await call('exec', 'web', '/bin')).exitCode, 126);
  const bytes = randomBytes(200_000).toString('base64');
  t.equal((await execa(hull, ['exec', '-i', 'web', 'cat'], { env, extendEnv: false, input: bytes, timeout: 600_000 })).stdout, bytes, 'stdin to stdout');
  t.equal((await ok('exec', 'web', 'sh', '-c', 'yes | head -c 1000000')).length, 999_999);
  t.equal((await execa(hull, ['exec', 'web', 'cat'], { env, extendEnv: false, timeout: 600_000 })).stdout, '', 'without -i stdin is at its end');
  const many = await Promise.all(Array.from({ length: 8 }, (_, i) => ok('exec', 'web', 'sh', '-c', `sleep 0.2; echo ${i}`)));
  t.strictSame(many, Array.from({ length: 8 }, (_, i) => String(i)), 'more at once than there are ports');
  // Different programs, found in the last folder of PATH, started at the same time: none takes another's path.
  const mixed: readonly (readonly [string, string])[] = [['pwd', '/'], ['tty', 'not a tty'], ['id', 'uid=0 gid=0'], ['ls /dev/null', '/dev/null'], ['head -c 0 /bin/sh', ''], ['cat /dev/null', '']];
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all(mixed.map(async ([words]) => (await call('exec', 'web', ...words.split(' '))).stdout));
    t.strictSame(answers, mixed.map(([, answer]) => answer), 'different ones at once');
  }
  await ok('exec', '-d', 'web', 'sh', '-c', 'echo late > /bin/late');
  t.equal(await lookUntil(async () => (await call('exec', 'web', 'cat', '/bin/late')).stdout, (found) => found === 'late'), 'late', '-d');
  t.equal(await ok('exec', '-t', 'web', 'tty'), '/dev/pts/0', 'a terminal');
  // Who left, in order or amid its output, takes no port with it.
  for (let i = 0; i < 8; i++) await ok('exec', '-d', ...(i % 2 === 0 ? ['-t'] : []), 'web', 'sleep', '1');
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      const client = execa(hull, ['exec', 'web', 'sh', '-c', 'yes | head -c 500000'], { env, extendEnv: false, buffer: false, reject: false, timeout: 600_000 });
      await Promise.race([new Promise((resolve) => client.stdout.once('data', resolve)), client]);
      client.kill('SIGKILL');
      t.match(await client, { signal: 'SIGKILL' }, 'it was at its output');
    }),
  );
  const after = await Promise.all(Array.from({ length: 8 }, (_, i) => ok('exec', 'web', 'sh', '-c', `echo ${i}`)));
  t.strictSame(after, many, 'all ports serve the next ones');
  const processes = await lookUntil(async () => (await ok('exec', 'web', 'ps')).split('\n'), ({ length }) => length === 4);
  t.equal(processes.length, 4, `nothing is left of them: ${processes.join('\n')}`);
  t.match(await ok('stats', '--no-stream', '--format', '{{.Name}} {{.MemUsage}}', 'web'), /^web [\d.]+MiB \/ 256MiB$/);
  await ok('rename', 'web', 'shop');
  t.match(await call('rename', 'shop', 'shop'), { exitCode: 125, stderr: /same name/ });
  t.equal(await ok('ps', '--format', '{{.Names}}'), 'shop');
  t.equal(await ok('stop', 'shop'), 'shop');
  t.match(await call('exec', 'shop', 'ls'), { exitCode: 1, stderr: /container [0-9a-f]{64} is not running/ });
  await ok('update', '-m', '64m', '--restart', 'always', 'shop');
  t.equal(await ok('inspect', '-f', '{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}}', 'shop'), `${64 << 20} always`);
  t.match(await ok('events', '--since', '1h', '--until', '0s', '--format', '{{.Action}}'), /create\nstart\n(.*\n)*die\nstop/);
  t.match(await ok('container', 'prune', '-f'), /^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: /);
  t.equal(await ok('ps', '-aq'), '');
});

t.test('what is written to the root stays', async (t) => {
  const rootfs = join(folder, 'tree');
  const script = 'cat /kept 2>/dev/null; echo again >> /kept; echo written; sleep 1000';
  await ok('run', '-d', '--name', 'layer', '--rootfs', rootfs, '/bin/sh', '-c', script);
  const written = (times: number) => waitUntil(`it is written ${times} times`, async () => (await ok('logs', 'layer')).split('written').length > times);
  await written(1);
  await ok('stop', 'layer');
  await ok('start', 'layer');
  await written(2);
  await ok('kill', 'layer');
  await ok('start', 'layer');
  await written(3);
  t.equal(await ok('logs', 'layer'), 'written\nagain\nwritten\nagain\nagain\nwritten', 'over a stop and over a kill');
  t.notOk(existsSync(join(rootfs, 'kept')), 'not in the directory that is its root');
  await ok('rm', '-f', 'layer');
  await ok('run', '-d', '--read-only', '--tmpfs', '/run', '--name', 'fixed', '--rootfs', rootfs, '/bin/sh', '-c', 'echo a > /kept; echo b > /run/x && cat /run/x');
  t.equal(await ok('wait', 'fixed'), '0');
  t.match(await call('logs', 'fixed'), { stdout: 'b', stderr: /can't create \/kept: Read-only file system/ });
  await ok('rm', 'fixed');
});

t.test('half a record that nobody noted does not take the next run’s lines', async (t) => {
  const id = await ok('run', '-d', '--name', 'half', program, 'end');
  t.equal(await ok('wait', 'half'), '0');
  // As of a machine whose start was killed before its state was written, and which was then ended amid a line: a record's head, and less than it tells of (boot_abi.h).
  const head = Buffer.alloc(16);
  head.writeUInt8(0xb5, 0);
  head.writeUInt8(1, 1);
  head.writeUInt16LE(60_000, 2);
  appendFileSync(join(root, 'instances', id, 'output'), Buffer.concat([head, Buffer.from('cut')]));
  for (let run = 2; run <= 3; run++) {
    t.equal(await ok('start', 'half'), 'half');
    t.equal(await ok('wait', 'half'), '0');
  }
  t.match(await ok('logs', 'half'), /^out 1\nout 2\nlast(?:cut)?out 1\nout 2\nlastout 1\nout 2\nlast$/);
  await ok('rm', 'half');
});

t.test('what is to go stays as long as somebody is at it', async (t) => {
  const id = await ok('run', '-d', '--rm', '--name', 'brief', program, 'stay');
  const own = join(root, 'instances', id);
  // As a start that has not seen its machine yet, which has ended.
  const release = tryLock(join(own, 'lock'));
  t.ok(release !== undefined);
  const { pid, identity } = JSON.parse(readFileSync(join(own, 'state.json'), 'utf8')) as { pid: number; identity: string };
  process.kill(pid, 'SIGKILL');
  await waitUntil('its machine is gone', () => !isSameProcess(pid, identity));
  t.equal(await ok('ps', '-a', '--format', '{{.Names}}'), 'brief');
  t.ok(existsSync(join(own, 'state.json')));
  release?.();
  t.equal(await ok('ps', '-a', '--format', '{{.Names}}'), '');
  t.notOk(existsSync(own));
});

t.test('a machine that is killed, and a command that is', async (t) => {
  await ok('run', '-d', '--name', 'third', program, 'stay');
  process.kill((await inspect('third')).State.Pid, 'SIGKILL');
  t.equal(await ok('wait', 'third'), '137');
  t.match((await inspect('third')).State, { Status: 'exited', ExitCode: 137, Error: /QEMU/ });
  const names = new Set<string>();
  for (let i = 0; i < 30; i++) {
    const name = `killed${i}`;
    names.add(name);
    const child = execa(hull, ['run', '-d', '--name', name, program, 'stay'], { env, extendEnv: false, reject: false });
    setTimeout(() => child.kill('SIGKILL'), 20 + i * 12);
    await child;
    const { exitCode, stderr } = await call('ps', '-a', '--format', '{{.Names}} {{.State}}');
    t.equal(exitCode, 0, stderr);
  }
  const known = await ok('ps', '-a', '--format', '{{.Names}} {{.State}} {{.ID}}');
  const running = known.split('\n').filter((line) => line.includes(' running ')).length;
  // One whose start was killed may be on its way out.
  t.equal((await lookUntil(findMachines, ({ length }) => length === running)).length, running, `each machine is an instance's: ${known}`);
  await call('rm', '-f', ...(await ok('ps', '-aq')).split('\n').filter((id) => id !== ''));
  t.strictSame(findMachines(), []);
  await ok('run', '-d', '--rm', '--name', 'killed0', program, 'end');
  t.equal(await lookUntil(() => ok('ps', '-aq'), (ids) => ids === ''), '', '--rm');
  t.strictSame(readdirSync(join(root, 'instances')).sort(), ['.lock', '.names'], 'nothing is left');
  t.strictSame(readdirSync(join(root, 'instances/.names')), []);
  t.strictSame(readdirSync(join(root, 'instances/.lock')), []);
  const actions = readFileSync(join(root, 'events.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line).Action);
  for (const action of ['create', 'start', 'die', 'kill', 'stop', 'pause', 'unpause', 'restart', 'destroy']) t.ok(actions.includes(action), action);
});

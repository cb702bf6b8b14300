/** What looks after instances: health checks, restart policies and bounded logs by `hull supervise`; and what machines tell of themselves: top, users of exec, copies of volumes. */
import { copyFileSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { lookUntil, waitUntil } from '../wait.ts';
import { makeInstancesRoot } from './instances-root.ts';

const { folder, hull, root, env, call, ok, inspect } = makeInstancesRoot('supervise');
const context = join(folder, 'context');
mkdirSync(join(context, 'bin'), { recursive: true });
mkdirSync(join(context, 'etc'), { recursive: true });
copyFileSync('/bin/busybox', join(context, 'bin/busybox'));
for (const name of ['sh', 'cat', 'sleep', 'ls', 'rm', 'test', 'touch', 'id', 'pwd', 'chown', 'stat']) symlinkSync('busybox', join(context, 'bin', name));
writeFileSync(join(context, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/srv:/bin/sh\n');
writeFileSync(join(context, 'etc/group'), 'root:x:0:\nwebs:x:102:\nmore:x:200:web\n');
writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY bin /bin\nCOPY etc /etc\nHEALTHCHECK --interval=300ms --retries=2 CMD test -e /tmp/ok || { echo not yet; exit 1; }\nCMD ["/bin/sh", "-c", "sleep 100000; :"]\n');

t.test('health checks and restarts by hull supervise', async (t) => {
  await ok('build', '-q', '-t', 'base', context);
  await ok('create', '--name', 'well', '--health-timeout', '20s', '--restart', 'on-failure', 'base');
  t.match((await inspect('well')).Config.Healthcheck, { Interval: 3e8, Timeout: 2e10, Retries: 2 }, "the image's, and the option's");
  const supervisor = execa(hull, ['supervise', 'well'], { env, extendEnv: false, reject: false, timeout: 600_000 });
  const health = async () => (await inspect('well')).State.Health?.Status;
  await waitUntil('unhealthy', async () => (await health()) === 'unhealthy');
  t.match(await ok('ps', '--format', '{{.Status}}'), /^Up .* \(unhealthy\)$/);
  t.match((await inspect('well')).State.Health.Log[0], { ExitCode: 1, Output: 'not yet\n' });
  await ok('exec', 'well', 'touch', '/tmp/ok');
  await waitUntil('healthy', async () => (await health()) === 'healthy');
  t.equal(await ok('ps', '-f', 'health=healthy', '--format', '{{.Names}}'), 'well');
  t.equal(await ok('ps', '-q', '-f', 'health=unhealthy'), '');
  t.equal((await inspect('well')).State.Health.FailingStreak, 0);
  const actions = (await ok('events', '--since', '1h', '--until', '0s', '--format', '{{.Action}}')).split('\n').filter((each) => each.startsWith('health_status'));
  t.strictSame(actions, ['health_status: unhealthy', 'health_status: healthy']);
  await ok('kill', '-s', 'SEGV', 'well');
  await waitUntil('a restart', async () => (await inspect('well')).RestartCount === 1 && (await inspect('well')).State.Running === true);
  supervisor.kill('SIGKILL');
  await supervisor;
  t.equal((await inspect('well')).State.Running, true, 'a machine outlives its supervisor');
  const second = execa(hull, ['supervise', 'well'], { env, extendEnv: false, reject: false, timeout: 600_000 });
  await waitUntil('checks of the next one', async () => (await inspect('well')).State.Health.Log.length > 0);
  second.kill('SIGTERM');
  t.equal((await second).exitCode, 0);
  t.match((await inspect('well')).State, { Running: false }, 'SIGTERM stops the instance');
  t.match(await ok('generate', 'systemd', 'well'), /\nExecStart=\S+ \S+ supervise well\nExecStop=\S+ \S+ stop well\n/);
  await ok('run', '-d', '--name', 'none', '--no-healthcheck', 'base');
  t.equal((await inspect('none')).State.Health, undefined);
});

t.test('a guest that floods its log', async (t) => {
  await ok('run', '-d', '--name', 'flood', '--no-healthcheck', '--log-opt', 'max-size=64k', '--log-opt', 'max-file=3', 'base', 'sh', '-c', 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); echo line number $i; done; echo end; sleep 100000; :');
  const following = execa(hull, ['logs', '-f', 'flood'], { env, extendEnv: false, reject: false, timeout: 600_000 });
  await waitUntil('the end', async () => (await ok('logs', '-n', '1', 'flood')) === 'end');
  const lines = (await ok('logs', 'flood')).split('\n');
  const first = Number(/^line number (\d+)$/.exec(lines[0] as string)?.[1]);
  t.ok(first > 1, `begins with line ${first}`);
  t.strictSame(lines, [...Array.from({ length: 30_000 - first + 1 }, (_, i) => `line number ${first + i}`), 'end'], 'what is kept is whole');
  t.equal(await ok('logs', '-n', '2', 'flood'), 'line number 30000\nend');
  // Whoever looks gives the room back; one that is just about it is not waited for by the others.
  const path = join(root, 'instances', (await inspect('flood')).Id, 'output');
  const room = await lookUntil(() => statSync(path).blocks * 512, (bytes) => bytes <= 3 * 65536 + 65536);
  t.ok(room <= 3 * 65536 + 65536, `${room} bytes on disk`);
  await ok('stop', '-t', '0', 'flood');
  t.match((await following).stdout, /line number 30000\nend$/);
  t.match((await inspect('flood')).State, { Status: 'exited', ExitCode: /^(137|143)$/ }); // by which of both signals is a race
  for (const [options, why] of [['max-size=x', /invalid value for max-size/], ['max-file=2', /max-file cannot be used without max-size/], ['color=red', /unknown log opt 'color'/]] as const) {
    t.match(await call('create', '--log-opt', options, 'base'), { exitCode: 125, stderr: why });
  }
});

t.test('top, and users of exec', async (t) => {
  await ok('exec', '-d', '-u', 'web', 'none', 'sleep', '1000');
  await waitUntil('a process of web', async () => / sleep 1000$/.test(await ok('top', 'none')));
  t.match(await ok('top', 'none'), /^UID +PID +PPID +LWP +C +NLWP +STIME +TTY +TIME +CMD\nroot +1 +0 +1 +\d+ +1 +\d\d:\d\d +\? +\d\d:\d\d:\d\d +\S.*sleep 100000.*\nroot +\d+ +1 .* sleep 100000\nweb +\d+ +0 +\d+ .* sleep 1000$/);
  t.match(await ok('top', 'none', '-ef'), /^UID +PID +PPID +C +STIME +TTY +TIME +CMD\n/);
  t.equal(await ok('exec', '-u', 'web', 'none', 'sh', '-c', 'id; echo $HOME'), 'uid=101(web) gid=102(webs) groups=200(more)\n/srv');
  t.equal(await ok('exec', '-u', 'web:more', '-w', '/tmp', '-e', 'A=b', 'none', 'sh', '-c', 'id; pwd; echo $A'), 'uid=101(web) gid=200(more)\n/tmp\nb');
  t.match(await call('exec', '-u', 'nobody', 'none', 'id'), { exitCode: 125, stderr: /unable to find user nobody/ });
});

t.test('snapshots, clones and restores of volumes', async (t) => {
  const write = (script: string, ...volumes: string[]) => ok('run', '--rm', ...volumes.flatMap((each) => ['-v', each]), 'base', 'sh', '-c', script);
  for (const driver of ['local', 'block']) {
    const [volume, snapshot, clone] = [`v-${driver}`, `s-${driver}`, `c-${driver}`] as const;
    await ok('volume', 'create', '-d', driver, ...(driver === 'block' ? ['-o', 'size=64m'] : []), volume);
    await write('echo 1 > /v/a; chown 5:6 /v/a', `${volume}:/v`);
    t.equal(await ok('volume', 'snapshot', volume, snapshot), snapshot);
    await write('echo 2 > /v/a; echo b > /v/b', `${volume}:/v`);
    t.equal(await ok('volume', 'clone', volume, clone), clone);
    t.equal(await ok('volume', 'restore', volume, snapshot), volume);
    t.equal(await write('cat /v/a /c/a /c/b; stat -c %u:%g /v/a /c/a; ls /v', `${volume}:/v`, `${clone}:/c`), '1\n2\nb\n5:6\n5:6\na');
    t.equal(JSON.parse(await ok('volume', 'inspect', snapshot))[0].Labels['hull.snapshot.of'], volume);
  }
  await ok('run', '-d', '--name', 'user', '--no-healthcheck', '-v', 'v-local:/v', 'base');
  t.match(await call('volume', 'clone', 'v-local', 'other'), { exitCode: 1, stderr: /volume is in use/ });
  t.match(await call('volume', 'restore', 'v-local', 's-local'), { exitCode: 1, stderr: /volume is in use/ });
  t.match(await call('volume', 'restore', 'v-block', 's-local'), { exitCode: 125, stderr: /is a local volume, expected a block one/ });
  t.match(await call('volume', 'clone', 'none', 'other'), { exitCode: 1, stderr: /get none: no such volume/ });
  t.notOk(readdirSync(join(root, 'volumes')).includes('other'));
});

/*
 * The programs of this folder, built for each C library (tools/test/guest-programs.ts), run natively and as unikernels: same output,
 * same status. A guest's memory and a native run's limits differ where a program is about them.
 */
import { resolve } from 'node:path';
import t from 'tap';
import { compareRuns, createRunner, hull } from './outcome.ts';

const run = createRunner(600_000);

/** Only root may mount natively, too. */
const mounts = process.getuid?.() === 0 ? ['mounts'] : [];
if (mounts.length === 0) console.error('guest.test: mounts is not run: only root may mount');

for (const variant of ['musl', 'glibc', 'pie']) {
  const program = (name: string) => resolve(`build/guest/${variant}/${name}`);
  t.test(variant, async (t) => {
    for (const name of ['memory', 'advice', 'signals', 'floating', 'registers', 'alarms', 'limits', 'events', 'aio', 'sockets', 'inet', 'interfaces', 'vdso', 'proc', 'places', 'pty', ...mounts]) {
      const file = program(name);
      await compareRuns(t, name, '', () => run(file, []), () => run(hull, ['run', '-m', '32', file]));
    }

    const start = program('start');
    const args = ['one', 'two words', ''];
    const env = { TEST_A: '1', TEST_B: 'x y' };
    const native = await run(start, args, env);
    const guest = await run(hull, ['run', '-e', 'TEST_A=1', '-e', 'TEST_B=x y', start, ...args]);
    t.equal(guest.stdout, native.stdout, 'start: output');
    t.equal(guest.status, native.status, 'start: status');
    for (const [how, expected] of [['exit 0', 0], ['exit 255', 255], ['exit 77', 77], ['abort', 134], ['null', 139], ['kill 15', 143]] as const) {
      const end = await run(hull, ['run', start, ...how.split(' ')]);
      t.equal(end.status, expected, `start ${how}: ${end.stderr}`);
    }

    const exhaust = program('exhaust');
    const limited = await run(exhaust, ['limit']);
    for (const piece of ['1000', '65536', '3000000']) {
      const strict = await run(hull, ['run', '-m', '32', exhaust, 'strict', piece]);
      t.equal(strict.stdout, limited.stdout, `exhaust in pieces of ${piece}, promises kept: malloc ends`);
      t.equal(strict.status, 0, `exhaust in pieces of ${piece}: ${strict.stderr}`);
      t.ok(Number.parseInt(/(\d+) KiB/.exec(strict.stderr)?.[1] ?? '0', 10) > 20 * 1024, `exhaust: as much as was promised ${strict.stderr}`);
      const full = await run(hull, ['run', '-m', '32', exhaust, 'all', piece]);
      t.equal(full.status, 137, `exhaust in pieces of ${piece}, more promised than there is: an end`);
      t.match(full.stderr, /out of memory: guest has 3\d MiB, .* which has (2[5-9]|3\d) MiB, ends; give more with -m/, 'with a reason, and nearly all was had');
    }
    const bounded = await run(hull, ['run', '-m', '64', exhaust, 'limit']);
    t.equal(bounded.stdout, limited.stdout, 'exhaust within RLIMIT_AS: malloc ends');
  });
}

t.test('options that bound a connection, and urgent data', async (t) => {
  for (const name of ['inet_limits', 'inet_reports', 'inet_urgent']) {
    const file = resolve(`build/guest/musl/${name}`);
    await compareRuns(t, name, '', () => run(file, []), () => run(hull, ['run', '-m', '64', file]));
  }
});

t.test('linked: a call is a function, and signals come all the same', async (t) => {
  for (const name of ['signals', 'memory', 'alarms', 'limits', 'inet']) {
    await compareRuns(t, name, '', () => run(resolve(`build/guest/musl/${name}`), []), () => run(hull, ['run', '-m', '32', resolve(`build/guest/linked/${name}`)]));
  }
  await compareRuns(t, 'aio', '', () => run(resolve('build/guest/musl/aio'), ['alone']), () => run(hull, ['run', '-m', '32', resolve('build/guest/linked/aio'), 'alone']));
  const raw = await run(hull, ['run', resolve('build/guest/linked/raw')]);
  t.equal(raw.status, 139);
  t.match(raw.stderr, /Cannot make system call getpid \(39\) at main\+0x\w+: a SYSCALL instruction in a linked program/);
});

/*
 * CPU time, timers, scheduling: the programs of this folder, natively and as unikernels; same output, same status.
 */
import { resolve } from 'node:path';
import t from 'tap';
import { compareRuns, createRunner, hull } from './outcome.ts';

const run = createRunner(600_000);

for (const variant of ['musl', 'glibc', 'pie']) {
  t.test(variant, async (t) => {
    for (const name of ['usage', 'timers', 'reaper', ...(variant === 'pie' ? [] : ['scheduling'])]) {
      const file = resolve(`build/guest/${variant}/${name}`);
      await compareRuns(t, name, '', () => run(file, []), () => run(hull, ['run', '-m', '64', file]));
    }
  });
}

t.test('the time is set: what waits for a moment follows', async (t) => {
  const expected = [
    'read(plain, &ticks, 8) = -1 Resource temporarily unavailable',
    'clock_settime(CLOCK_REALTIME, &t) = 0',
    'it is good',
    'time(2) good',
    'sleeper 0',
    'count = 1',
    'the distance stays good',
    'poll(polled, 2, 0) = 2',
    'read(plain, &ticks, 8) = 8',
    'read(canceled, &ticks, 8) = -1 Operation canceled',
    'read(canceled, &ticks, 8) = -1 Resource temporarily unavailable',
    'awake = 1',
    'monotonic time did not jump good',
    'settimeofday(&v, NULL) = 0',
    'it is good',
    'clock_settime(CLOCK_MONOTONIC, &t) = -1 Invalid argument',
    'clock_settime(CLOCK_REALTIME, &t) = -1 Invalid argument',
    'settimeofday(&v, NULL) = -1 Operation not permitted',
    '',
  ];
  await compareRuns(t, 'timers', 'set', async () => ({ status: 0, stdout: expected.join('\n'), stderr: '' }), async () => {
    const found = await run(hull, ['run', resolve('build/guest/musl/timers'), 'set']);
    return { ...found, stdout: found.stdout.split('\n').map((line) => line.trim()).join('\n') };
  });
});

t.test('limits of nice values and real-time priorities', async (t) => {
  const found = await run(hull, ['run', resolve('build/guest/musl/scheduling'), 'limits']);
  t.equal(found.status, 0, found.stderr);
  t.same(found.stdout.trim().split('\n'), [
    'setrlimit(RLIMIT_NICE, &limit) = 0',
    'setrlimit(RLIMIT_RTPRIO, &realtime) = 0',
    'setpriority(PRIO_PROCESS, 0, -6) = -1 Permission denied',
    'setpriority(PRIO_PROCESS, 0, -5) = 0',
    'getpriority(PRIO_PROCESS, 0) = -5',
    'set_policy(0, FIFO, 11) = -1 Operation not permitted',
    'set_policy(0, FIFO, 10) = 0',
    'set_policy(0, RR, 3) = 0',
    'param_of(0) = 3',
    'set_policy(0, IDLE, 0) = 0',
    'set_policy(0, OTHER, 0) = 0',
  ]);
});

t.test('a privileged instruction of the C library ends the program', async (t) => {
  const file = resolve('build/guest/musl/crash');
  const expected = await run('sh', ['-c', `"${file}"; exit $?`]);
  const found = await run(hull, ['run', file]);
  t.equal(expected.status, 139);
  t.equal(found.stdout, expected.stdout);
  t.equal(found.status, expected.status, found.stderr);
});

/*
 * Threads and processes: the programs of this folder and Debian's busybox, natively and as unikernels; same output, same status.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { compareRuns, createRunner, hull } from './outcome.ts';

const run = createRunner(600_000);
const busybox = '/bin/busybox';

for (const variant of ['musl', 'glibc', 'pie', 'linked']) {
  // A linked program is an image, which nothing runs natively.
  const native = (name: string) => resolve(`build/guest/${variant === 'linked' ? 'musl' : variant}/${name}`);
  const guest = (name: string) => resolve(`build/guest/${variant}/${name}`);
  t.test(variant, async (t) => {
    const cases = [['threads'], ['threads', 'leader'], ['threads', 'group'], ['processes'], ['processes', 'storm'], ['fifos']] as const;
    for (const [name, ...args] of cases) {
      if (variant === 'linked' && (['processes', 'fifos'].includes(name) || args.length > 0)) continue;
      await compareRuns(t, name, args.join(' '), () => run(native(name), args), () => run(hull, ['run', '-m', '64', guest(name), ...args, ...(args[0] === 'storm' ? ['check'] : [])]));
    }
  });
}

/** Shell scripts, whose applets busybox runs as processes of its own. */
const scripts = {
  pipeline: 'echo a | tr a b; seq 1000 | sort -rn | head -3; seq 5000 | grep 7 | wc -l',
  subshell: '(exit 3); echo $?; x=$(echo hi; exit 4); echo $x $?; (cd /; echo sub; exit 5) || echo failed $?',
  background: 'for i in 1 2 3; do sleep 0.1 & done; wait; sleep 500 & kill $!; wait $!; echo $?',
  trap: "trap 'echo got' USR1; kill -USR1 $$; trap 'echo end' EXIT; (trap 'echo inner' EXIT; true); false",
  document: 'cat <<END | rev\nhello $((6 * 7))\nEND\nset -e; false; echo not reached',
  xargs: 'seq 40 | xargs -P4 -n1 echo | sort -n | tail -2; seq 6 | xargs -n2 sh -c \'echo $# $1\' x',
  timeout: 'timeout 0.2 sleep 10; echo $?; timeout 100 echo quick; timeout -s KILL 0.2 sleep 10; echo $?',
  status: 'sh -c "exit 9"; echo $?; sh -c "kill -9 \\$\\$"; echo $?; nowhere 2>/dev/null; echo $?; exec sh -c "echo last; exit 12"',
  loop: 'i=0; while [ $i -lt 100 ]; do i=$(expr $i + 1); done; echo $i',
};
t.test('busybox scripts', async (t) => {
  for (const [name, script] of Object.entries(scripts)) {
    const expected = await run(busybox, ['sh', '-c', script]);
    const found = await run(hull, ['run', '-m', '64', busybox, 'sh', '-c', script]);
    t.equal(found.stdout, expected.stdout, `${name}: output ${found.stderr}`);
    t.equal(found.status, expected.status, `${name}: status`);
  }
});

/* Its constants alone are 16 MiB. */
t.test('a program that is larger than its machine', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'hull-mapped-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  cpSync(resolve('build/guest/glibc/mapped'), join(root, 'mapped'));
  const expected = await run(join(root, 'mapped'), []);
  for (const memory of ['12', '8']) {
    const found = await run(hull, ['run', '-m', memory, '--rootfs', root, '/mapped']);
    t.equal(found.stdout, expected.stdout, `${memory} MiB: output`);
    t.equal(found.status, expected.status, `${memory} MiB: status ${found.stderr}`);
  }
});

/* Only ever inside a machine: natively these would take the host down. */
t.test('bombs end', async (t) => {
  // What the shell itself does behind it needs no further process, of which there may be none, and waits for nothing: each end of an orphan is a signal to the first process.
  const bomb = 'b() { b | b & }; b & i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done; echo over';
  const limited = await run('timeout', ['240', hull, 'run', '-m', '64', '-u', '1000', busybox, 'sh', '-c', `ulimit -u 30; ${bomb}`]);
  t.equal(limited.stdout.trim(), 'over', 'under a limit: the shell goes on');
  t.match(limited.stderr, /can't fork: Resource temporarily unavailable/, 'and its children are told');
  const free = await run('timeout', ['240', hull, 'run', '-m', '16', busybox, 'sh', '-c', bomb]);
  t.not(free.status, 124, 'without one: an end');
  t.match(free.stderr, /can't fork: Cannot allocate memory|out of memory/, 'with a reason');
  t.ok(free.stdout.trim() === 'over' || /out of memory/.test(free.stderr), `and the shell goes on, or is told ${free.stderr.slice(-300)}`);
  const threads = await run('timeout', ['240', hull, 'run', '-m', '32', resolve('build/guest/musl/threads'), 'bomb']);
  t.match(threads.stdout, /^EAGAIN 1 after many 1\n$/, `threads: an error ${threads.stderr}`);
  t.equal(threads.status, 0);
  const kinds = {
    forks: 'fork: refused, all waited for: 1\n',
    storm: 'storm: the first process goes on\n',
    'small-threads': 'small threads: refused\n',
    pipes: 'pipes: refused\n',
    files: 'files: full\nfiles: memory is there again: 1\n',
    memory: 'memory: the small one exits with 7\nmemory: the large one was killed by 9\n',
  };
  for (const [kind, expected] of Object.entries(kinds)) {
    const found = await run('timeout', ['-k', '5', '500', hull, 'run', '-m', '64', resolve('build/guest/glibc/bombs'), kind]);
    t.equal(found.stdout, expected, `${kind}: ${found.stderr.slice(-300)}`);
    t.equal(found.status, 0, `${kind}: status`);
    if (kind === 'memory') t.match(found.stderr, /out of memory: .* process \d+ \(bombs\), which has 4\d MiB, ends; give more with -m/);
  }
});

/**
 * A quick part of Python's own tests (run-modules.ts has the rest): natively and in a guest, outcomes compared test by test. Which differ on
 * purpose, and why, is in differences.json.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { findCheckout } from '../boot/guest/build.ts';
import { compareOutcomes, findReason, type Reasons, readOutcomes } from './outcomes.ts';
import { makeGuestArguments, makeNativeCommand, makePythonArguments, makePythonRoot } from './root.ts';

const MODULES = [
  'test_thread test_threading_local test_fork1 test_wait4 test_popen test_mmap test_fcntl test_stat test_file test_pwd'.split(' '),
  'test_fileio test_resource test_sched test_shelve test_dbm test_mailbox test_glob test_locale test_pty test_epoll'.split(' '),
];

const moduleOf = (test: string) => /^test\.(\w+)\./.exec(test)?.[1] ?? '';

const made = makePythonRoot();
const skip = 'reason' in made ? made.reason : process.getuid?.() === 0 ? false : 'only root may chroot';
if (skip !== false) console.error(`python.test: nothing is run: ${skip}`);

t.test("Python's own tests", { skip, timeout: 840_000 }, async (t) => {
  if ('reason' in made) return;
  const reasons = JSON.parse(readFileSync('test/python/differences.json', 'utf8')) as Reasons;
  const options = { reject: false, input: '', timeout: 800_000, env: { NODE_EXTRA_CA_CERTS: '' } } as const;
  for (const modules of MODULES) {
    const run = async (names: readonly string[]) => {
      const args = makePythonArguments(names);
      const [native, guest] = await Promise.all([
        execa(...makeNativeCommand(made.root, args), options),
        execa(join(findCheckout(), 'dist/hull'), makeGuestArguments(made.root, '512m', args), options),
      ]);
      const [expected, found] = [readOutcomes(native.stdout, native.stderr), readOutcomes(guest.stdout, guest.stderr)];
      const unexplained = compareOutcomes(expected, found).filter(({ test }) => findReason(reasons, moduleOf(test), test) === undefined);
      return { expected, found, guest, unexplained };
    };
    const { expected, found, guest, ...first } = await run(modules);
    t.ok(Object.keys(expected.tests).length > 100, `${modules.join(' ')}: tests ran natively`);
    t.ok(found.complete, `they come to their end in the guest: ${guest.stderr.slice(-2000)}`);
    let { unexplained } = first;
    // Some of them have times that a machine with much else to do may miss, on either side: what is wrong is so in each attempt.
    for (let i = 0; i < 3 && unexplained.length > 0; i++) {
      t.comment(`once more: ${JSON.stringify(unexplained)}`);
      const known = new Set(unexplained.map(({ test }) => test));
      const names = [...new Set([...known].map(moduleOf))];
      unexplained = (await run(names.includes('') ? modules : names)).unexplained.filter(({ test }) => known.has(test));
    }
    t.same(unexplained, [], 'each with the outcome that it has natively');
  }
});

t.test('a program whose files do not fit into the memory', { skip, timeout: 840_000 }, async (t) => {
  if ('reason' in made) return;
  for (const kib of [11_264, 11_400, 12_288, 13_000, 14_336]) {
    const { stdout, stderr } = await execa(join(findCheckout(), 'dist/hull'), makeGuestArguments(made.root, `${kib}k`, ['/usr/bin/python3', '-c', 'print(1)']), { reject: false, input: '', timeout: 240_000, env: { NODE_EXTRA_CA_CERTS: '' } });
    t.equal(stdout, '1', `${kib} KiB: pages of files make room: ${stderr}`);
  }
});

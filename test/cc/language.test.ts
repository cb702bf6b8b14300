/*
 * C programs built by hull cc behave as the same ones built for Linux with musl: printing, numbers, jumps, thread-local storage,
 * constructors, the clock, ends of all kinds. The native run is the reference wherever the answer is not the same for every libc by itself.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';

const hull = resolve('dist/hull');
const scratch = mkdtempSync(join(tmpdir(), 'hull-test-language-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

const source = resolve('test/cc/language.c');
const guestFile = join(scratch, 'language');
const nativeFile = join(scratch, 'native');

interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

function run(command: string, args: string[], input = '', env: Record<string, string> = {}): Outcome {
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', '"$@"; exit $?', 'sh', command, ...args], {
    input,
    encoding: 'latin1',
    env: { ...process.env, ...env },
    timeout: 600_000,
    maxBuffer: 1 << 24,
  });
  return { status: status ?? -1, stdout, stderr };
}
const guest = (args: string[], input = '', options: string[] = []) => run(hull, ['run', '-i', ...options, guestFile, ...args], input);
const native = (args: string[], input = '', env: Record<string, string> = {}) => run(nativeFile, args, input, env);

const flags = ['-Os', '-std=gnu11', '-w', '-fno-builtin', '-fstack-protector-all', '-o'];
const built = run(hull, ['cc', ...flags, guestFile, source, '-lm']);
t.equal(built.status, 0, built.stderr);
const nativeBuilt = run('musl-gcc', ['-static', ...flags, nativeFile, source, '-lm']);
t.equal(nativeBuilt.status, 0, nativeBuilt.stderr);

t.test('the library', async (t) => {
  for (const part of ['print', 'numbers', 'jumps', 'tls', 'ends', 'library', 'times', 'chance', 'streams', 'threads']) {
    const expected = native([part]);
    const found = guest([part]);
    t.equal(expected.status, 0, `${part}: the reference runs`);
    t.ok(expected.stdout.length > 10, `${part}: and says something`);
    t.equal(found.stdout, expected.stdout, `${part}: output`);
    t.equal(found.stderr, expected.stderr, `${part}: errors`);
    t.equal(found.status, 0, `${part}: status`);
  }
});

t.test('a thread-local variable that is aligned less than a thread is', async (t) => {
  for (const [type, count] of [['char', 1], ['char', 9], ['short', 3], ['int', 1], ['long', 3], ['long double', 3]] as const) {
    const file = join(scratch, 'tls');
    writeFileSync(`${file}.c`, `#include <stdio.h>\nstatic _Thread_local volatile ${type} mine[${count}] = { 5 };\nint main(void) { printf("%d\\n", (int)mine[0]); }\n`);
    t.equal(run(hull, ['cc', '-O1', '-o', file, `${file}.c`]).status, 0);
    t.equal(run(hull, ['run', file]).stdout, '5\n', `${type}[${count}]`);
  }
});

t.test('arguments, environment, standard input', async (t) => {
  const args = ['arguments', 'one', 'two words', '', '-x', 'ä'];
  const env = { TEST_A: '1', TEST_B: 'x y' };
  t.equal(guest(args, '', ['-e', 'TEST_A=1', '-e', 'TEST_B=x y']).stdout, native(args, '', env).stdout);
  const text = Array.from({ length: 4000 }, (_, i) => `line ${i} ${'.'.repeat(i % 40)}\n`).join('');
  for (const input of ['', 'one\ntwo', text]) t.equal(guest(['echo'], input).stdout, native(['echo'], input).stdout);
});

t.test('ends', async (t) => {
  for (const status of ['0', '1', '2', '42', '127', '128', '200', '255', '256', '-1']) {
    t.equal(guest(['status', status]).status, Number(status) & 255, `return ${status}`);
  }
  t.equal(guest(['exit', '3']).status, 3);
  t.equal(guest(['_exit', '4']).status, 4);
  for (const how of ['abort', 'divide', 'null', 'trap', 'smash']) {
    const expected = native([how]);
    const found = guest([how]);
    t.ok(expected.status > 128, `${how}: the reference dies of a signal`);
    if (how === 'smash' || how === 'trap') t.ok(found.status > 128, `${how}: status ${found.status}`);
    else t.equal(found.status, expected.status, `${how}: ${found.stderr}`);
  }
});

t.test('what was left out says so', async (t) => {
  const file = join(scratch, 'without-threads');
  const made = run(hull, ['cc', '--hull-omit=thread-linked', ...flags, file, source, '-lm']);
  t.equal(made.status, 0, made.stderr);
  const found = run(hull, ['run', file, 'threads']);
  t.match(found.stdout, /^thrd_create refused\n/);
  t.match(found.stderr, /Cannot call clone \(56\): it is not in this image/);
});

t.test('memory down to the last pages', async (t) => {
  const file = join(scratch, 'exhaust');
  t.equal(run(hull, ['cc', '-O1', '-o', file, 'test/guest/exhaust.c']).status, 0);
  for (const piece of ['1000', '65536', '3000000']) {
    const full = run(hull, ['run', '-m', '32', file, 'all', piece]);
    t.equal(full.status, 0, `in pieces of ${piece}: ${full.stderr}`);
    t.ok(Number.parseInt(/(\d+) KiB/.exec(full.stderr)?.[1] ?? '0', 10) > 22 * 1024, `nearly all of 32 MiB: ${full.stderr}`);
  }
});

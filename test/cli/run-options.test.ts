/** Options of `hull run` that change what a run shows or who it is: --trace against strace, --user, --gdb with gdb. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { findPort } from '../ports.ts';

const hull = resolve('dist/hull');
const scratch = mkdtempSync(join(tmpdir(), 'hull-trace-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

function run(command: string, args: string[], input = ''): Promise<Outcome> {
  return new Promise((done) => {
    const child = execFile(command, args, { timeout: 600_000 }, (error, stdout, stderr) => done({ status: error ? Number(error.code ?? 255) : 0, stdout, stderr }));
    child.stdin?.end(input);
  });
}

function works(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Lines without what differs from run to run: addresses, the program's own path and number, random bytes, C library questions that hull declines. */
function normalize(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => /^(\w+\(|\+\+\+)/.test(line) && !/^(execve|rseq)\(/.test(line))
    .map((line) =>
      line
        .replace(/\s+= /, ' = ')
        .replace(/0x[0-9a-f]{5,}/g, 'ADDRESS')
        .replace(/^(readlink\("[^"]*", ).*/, '$1')
        .replace(/^(getrandom\()"[^"]*"/, '$1')
        .replace(/^(set_tid_address\(.*\) = ).*/, '$1'),
    );
}

t.test('the same lines as strace', { skip: works('strace', ['-o', '/dev/null', '/bin/busybox', 'true']) ? false : 'strace is not here, or may not trace' }, async (t) => {
  const cases: [string[], string][] = [
    [['echo', 'a "b"\\c', 'a long argument that does not fit'], ''],
    [['cat'], 'one\ntwo\n'],
    [['cat', '/no/such/file'], ''],
  ];
  for (const [args, input] of cases) {
    const file = join(scratch, 'strace');
    const native = await run('strace', ['-o', file, '/bin/busybox', ...args], input);
    const traced = await run(hull, ['run', '--trace', '/bin/busybox', ...args], input);
    t.equal(traced.status, native.status, `${args[0]}: status`);
    t.equal(traced.stdout, native.stdout, `${args[0]}: output`);
    const lines = normalize(traced.stderr);
    t.ok(lines.length > 10, `${args[0]}: ${lines.length} calls`);
    t.strictSame(lines, normalize(readFileSync(file, 'utf8')), `${args[0]}: the same calls`);
  }
});

t.test('only what is asked for', async (t) => {
  const named = await run(hull, ['run', '--trace=write,exit_group', '/bin/busybox', 'echo', 'a']);
  t.equal(named.stderr, `${'write(1, "a\\n", 2)'.padEnd(39)} = 2\n${'exit_group(0)'.padEnd(39)} = ?\n+++ exited with 0 +++\n`);
  const memory = await run(hull, ['run', '--trace=memory', '/bin/busybox', 'true']);
  t.match(memory.stderr, /^brk\(NULL\) +=/m);
  t.notMatch(memory.stderr, /exit_group/);
  const others = await run(hull, ['run', '--trace=!memory,desc', '/bin/busybox', 'echo', 'a']);
  t.match(others.stderr, /^exit_group\(0\)/m);
  t.notMatch(others.stderr, /^(write|brk)\(/m);
  const none = await run(hull, ['run', '/bin/busybox', 'echo', 'a']);
  t.equal(none.stderr, '', 'nothing without the option');
});

t.test('a call that lasts is shown when it begins and when it ends', async (t) => {
  const { stderr } = await run(hull, ['run', '--trace=clock_nanosleep,nanosleep', '/bin/busybox', 'sleep', '0.6']);
  t.match(stderr, /nanosleep\(.*tv_nsec=600000000}, <unfinished \.\.\.>\n<\.\.\. \w*nanosleep resumed>.* = 0\n/);
});

t.test('what cannot be traced is refused', async (t) => {
  const wrong = await run(hull, ['run', '--trace=no_such_call', '/bin/busybox', 'true']);
  t.equal(wrong.status, 125);
  t.match(wrong.stderr, /Cannot trace "no_such_call": no system call or class of that name/);
  const image = join(scratch, 'image');
  await run(hull, ['build', '-o', image, '/bin/busybox']);
  const untraced = await run(hull, ['run', '--trace', image, 'true']);
  t.equal(untraced.status, 125);
  t.match(untraced.stderr, /built without tracing, expected one made by hull build --add trace/);
  await run(hull, ['build', '--add', 'trace', '-o', image, '/bin/busybox']);
  const traced = await run(hull, ['run', '--entrypoint', 'true', '--trace=exit_group', image]);
  t.equal(traced.status, 0, traced.stderr);
  t.match(traced.stderr, /^exit_group\(0\)/m);
});

t.test('--user is who the program runs as', async (t) => {
  const ids = await run(hull, ['run', '-u', '1000:1001', '/bin/busybox', 'id']);
  t.equal(ids.stdout, 'uid=1000 gid=1001\n', ids.stderr);
  const refused = await run(hull, ['run', '-u', '1000', '/bin/busybox', 'touch', '/file']);
  t.equal(refused.status, 1);
  t.match(refused.stderr, /Permission denied/);
  const root = await run(hull, ['run', '/bin/busybox', 'touch', '/file']);
  t.equal(root.status, 0, root.stderr);
  const allowed = await run(hull, ['run', '-u', '1000', '/bin/busybox', 'touch', '/tmp/file']);
  t.equal(allowed.status, 0, allowed.stderr);
  const named = await run(hull, ['run', '-u', 'nobody', '/bin/busybox', 'id']);
  t.equal(named.status, 125);
});

const PROGRAM = `#include <stdio.h>
__attribute__((noinline)) int add(int a, int b) { printf("adding\\n"); return a + b; }
int main(int argc, char **argv) { (void)argv; return add(argc, 41); }
`;

t.test('--gdb: a debugger stops the program', { skip: works('gdb', ['--version']) ? false : 'gdb is not here' }, async (t) => {
  const source = join(scratch, 'program.c');
  writeFileSync(source, PROGRAM);
  const [fixed, pie, linked] = ['fixed', 'pie', 'linked'].map((name) => join(scratch, name)) as [string, string, string];
  execFileSync('gcc', ['-static', '-O1', '-g', source, '-o', fixed]);
  execFileSync('gcc', ['-static-pie', '-O1', '-g', source, '-o', pie]);
  execFileSync(hull, ['cc', '-O1', source, '-o', linked]);
  // Where each kind is: as docs/debugging.md has it.
  for (const [program, offset] of [[fixed, '0'], [pie, '0x555555554000'], [linked, '0xffffffff80000000']] as const) {
    const port = await findPort();
    const machine = run(hull, ['run', '--gdb', `tcp:127.0.0.1:${port}`, program]);
    const connect = `target remote 127.0.0.1:${port}`;
    const commands = ['set confirm off', 'set tcp connect-timeout 240', 'set remotetimeout 240', connect, `add-symbol-file ${program} -o ${offset}`, 'hbreak add', 'continue', 'backtrace 2', 'delete', 'continue'];
    const gdb = await run('gdb', ['-nx', '-q', '-batch', ...commands.flatMap((command) => ['-ex', command])]);
    t.match(gdb.stdout, /Breakpoint 1, .*add \(/, `${program}: stops ${gdb.stderr}`);
    t.match(gdb.stdout, /#1 .* in main \(/, `${program}: called by main`);
    const end = await machine;
    t.equal(end.stdout, 'adding\n', `${program}: goes on`);
    t.equal(end.status, 42, `${program}: ${end.stderr}`);
  }
});

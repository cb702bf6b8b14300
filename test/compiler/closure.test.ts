/**
 * compiler/analyze across libraries: what dynamic programs can call.
 *
 * Owns: one small program for each way in which a call, a library or a name gets into a program, with libraries of its own; programs of this system against
 * what strace sees. A tree is this system's root with a folder in front.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execaSync } from 'execa';
import t from 'tap';
import { analyzeClosure, type Closure, mergeSummaries, type RootFiles, summarizeObject } from '../../compiler/index.ts';
import { syscallName, syscallNumber } from '../../compiler/select/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-closure-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

/** This system without its own plug-ins of the name service, which may do anything: a minimal Debian has the C library's only. */
const isOwnPlugin = (name: string) => /libnss_(?!compat|dns|files|hesiod)/.test(name);
const files: RootFiles = {
  read(path) {
    try {
      return isOwnPlugin(path) ? undefined : readFileSync(path);
    } catch {
      return undefined;
    }
  },
  list(path) {
    try {
      return readdirSync(path).filter((name) => !isOwnPlugin(name));
    } catch {
      return [];
    }
  },
};
const kept = new Map<string, ReturnType<typeof summarizeObject>>();
const summarizer = {
  summarize(bytes: Uint8Array, path: string, whole: boolean) {
    const key = `${path} ${whole} ${bytes.length}`;
    const known = kept.get(key) ?? summarizeObject(bytes, path, whole);
    kept.set(key, known);
    return known;
  },
  summarizeGroup: (group: readonly { path: string; bytes: Uint8Array }[]) => mergeSummaries(group.map(({ path, bytes }) => summarizeObject(bytes, path, true))),
};
const analyze = (program: string, environment: readonly string[] = []): Closure =>
  analyzeClosure({ program, files, summarizer, environment, isComplete: true });

let count = 0;
function build(source: string, flags: string[] = [], name = `program-${count++}`): string {
  const path = join(folder, name);
  writeFileSync(`${path}.c`, source);
  execaSync('gcc', ['-O2', '-o', path, `${path}.c`, ...flags]);
  return path;
}
const has = (closure: Closure, name: string) => closure.calls.has(syscallNumber(name) ?? -1);
const library = (source: string, name: string, flags: string[] = []) => build(source, ['-shared', '-fPIC', ...flags], name);

t.test('what a program asks of the C library', (t) => {
  const hello = analyze(build('#include <stdio.h>\nint main(void) { puts("hello"); return 0; }'));
  t.same(hello.doubts, [], 'nothing is uncertain');
  t.ok(['write', 'mmap', 'openat', 'exit_group', 'set_tid_address'].every((name) => has(hello, name)), 'its calls and its loader\'s');
  t.notOk(['execve', 'fork', 'clone3', 'epoll_create1', 'timerfd_create', 'inotify_init1'].some((name) => has(hello, name)), 'and not what nothing leads to');
  t.match(hello.calls.get(231), /^\w+ in (libc|ld-linux)/, 'with the function that makes it');
  t.match(hello.calls.get(5) ?? hello.calls.get(16), /in libc\.so\.6 \(/, 'and the name that leads there');
  const threads = analyze(build('#include <pthread.h>\nvoid *f(void *p) { return p; } int main(void) { pthread_t t; return pthread_create(&t, 0, f, 0); }'));
  t.same(threads.doubts, [], 'threads: nothing is uncertain');
  t.ok(has(threads, 'clone3') && has(threads, 'futex') && has(threads, 'setuid'), 'threads: the broadcast of setuid counts');
  const raw = analyze(build('#include <sys/syscall.h>\n#include <unistd.h>\nint main(void) { return syscall(SYS_getppid) + syscall(SYS_epoll_create1, 0); }'));
  t.same(raw.doubts, [], 'syscall(2) with constants');
  t.ok(has(raw, 'getppid') && has(raw, 'epoll_create1'), 'which count');
  t.end();
});

t.test('what makes a program one that may do anything', (t) => {
  const cases: [name: string, source: string, reason: RegExp][] = [
    ['exec', '#include <unistd.h>\nint main(int c, char **v) { return execvp(v[1], v); }', /can execute other programs/],
    ['system', '#include <stdlib.h>\nint main(void) { return system("true"); }', /can execute other programs/],
    ['a number', '#include <unistd.h>\nint main(int c, char **v) { return syscall(c); }', /syscall is called with a number that is not known/],
    ['a pointer to syscall', '#include <unistd.h>\nlong (*volatile f)(long, ...) = syscall; int main(int c, char **v) { return f(c); }', /a pointer to syscall exists|not seen/],
    ['a library', '#include <dlfcn.h>\nint main(int c, char **v) { return dlopen(v[1], 1) != 0; }', /dlopen is called with a name that is not known/],
    ['a symbol', '#include <dlfcn.h>\nint main(int c, char **v) { return dlsym(0, v[1]) != 0; }', /dlsym is called with a name that is not known/],
    ['code', '#include <sys/mman.h>\nint main(void) { return mmap(0, 4096, PROT_EXEC | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == 0; }', /code can come later/],
    ['perhaps code', '#include <sys/mman.h>\nint main(int c, char **v) { return mprotect(v, 4096, c); }', /code can come later/],
    ['an instruction', 'int main(int c, char **v) { long r; __asm__ volatile("syscall" : "=a"(r) : "a"((long)c) : "rcx", "r11", "memory"); return r; }', /number of a system call is not known/],
  ];
  for (const [name, source, reason] of cases) t.match(analyze(build(source)).doubts.join('\n'), reason, name);
  const hello = build('int main(void) { return 0; }');
  t.match(analyze(hello, ['HOME', 'LD_PRELOAD']).doubts, [/LD_PRELOAD is set/], 'a variable of the loader');
  t.match(analyze(join(folder, 'none')).doubts, [/is not there/], 'no program');
  writeFileSync(join(folder, 'script'), `#!${hello} -x\n`);
  t.same(analyze(join(folder, 'script')).doubts, [], 'a script is its interpreter');
  t.equal(analyze(join(folder, 'script')).objects[1]?.path, hello);
  t.end();
});

t.test('libraries of its own', (t) => {
  mkdirSync(join(folder, 'libs'));
  const deep = library('#include <sys/epoll.h>\n#include <sys/timerfd.h>\nint deep(void) { return epoll_create1(0); } int unused(void) { return timerfd_create(0, 0); }', 'libs/libdeep.so');
  const table = '#include <sys/eventfd.h>\nint deep(void); static int made(void) { return eventfd(0, 0); } int (*const table[])(void) = { made, deep };\n';
  library(`${table}int outer(int i) { return table[i](); }`, 'libs/libouter.so', [deep, '-Wl,-rpath,$ORIGIN']);
  const flags = ['-L', join(folder, 'libs'), '-louter', '-Wl,-rpath,$ORIGIN/libs', '-Wl,-rpath-link', join(folder, 'libs')];
  const program = build('int outer(int); int main(int c, char **v) { return outer(c); }', flags);
  const closure = analyze(program);
  t.same(closure.doubts, [], 'found by run paths');
  t.ok(has(closure, 'eventfd2'), 'a function that only a table in data has');
  t.ok(has(closure, 'epoll_create1'), 'a library of a library, by a pointer');
  t.notOk(has(closure, 'timerfd_create'), 'but not what nobody asks for');
  rmSync(deep);
  t.match(analyze(program).doubts.join(), /libdeep\.so, which .*libouter\.so needs, is not there/, 'a library that is gone');

  const plugin = library('#include <sys/inotify.h>\nint start(void) { return inotify_init1(0); }', 'plugin.so');
  const loads = analyze(build(`#include <dlfcn.h>\nint main(void) { void *p = dlopen("${plugin}", RTLD_NOW); int (*f)(void) = dlsym(p, "start"); return f(); }`));
  t.same(loads.doubts, [], 'dlopen and dlsym with constant names');
  t.ok(has(loads, 'inotify_init1'), 'count with what they load');
  t.end();
});

t.test('programs of this system, against what strace sees', (t) => {
  if (spawnSync('strace', ['-V']).error || spawnSync('strace', ['true']).status !== 0) {
    t.pass('strace', { skip: 'strace is not here, or may not trace' });
    return t.end();
  }
  const commands = [['/bin/ls', '-la', '/'], ['/bin/cat', '/etc/passwd'], ['/usr/bin/sort', '/etc/passwd'], ['/bin/date'], ['/usr/bin/id'], ['/usr/bin/stat', '/'], ['/bin/df'], ['/usr/bin/wc', '/etc/passwd']];
  let certain = 0;
  for (const command of commands) {
    const [program] = command as [string];
    if (!existsSync(program)) continue;
    const closure = analyze(program);
    if (closure.doubts.length > 0) {
      t.comment(`${program}: any, since ${closure.doubts[0]}`);
      continue;
    }
    certain++;
    const log = join(folder, 'trace');
    spawnSync('strace', ['-f', '-qq', '-o', log, ...command], { stdio: 'ignore' });
    const seen = [...readFileSync(log, 'utf8').matchAll(/^\d+\s+(\w+)\(/gm)].slice(1).map(([, name]) => syscallNumber(name as string) ?? -1);
    const missed = [...new Set(seen)].filter((number) => !closure.calls.has(number)).map((number) => syscallName(number));
    t.same(missed, [], `${command.join(' ')}: what it does is among what it can do`);
  }
  t.ok(certain >= 4, `${certain} programs whose calls are known`);
  t.end();
});

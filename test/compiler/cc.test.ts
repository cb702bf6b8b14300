// hull cc: what its command line means, what it leaves behind, and what of hull's C library gets into an image.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { compile } from '../../compiler/cc/index.ts';
import { makeTemporaryFolder } from '../../compiler/cc/leftovers.ts';
import { parseCcOptions, splitResponse } from '../../compiler/cc/options.ts';
import { readLinuxImage } from '../../boot/index.ts';
import { inspectImage } from '../../compiler/index.ts';

const DIST = resolve('dist');
const LIBC = join(DIST, 'sysroot/x86_64/lib/libc.a');
const scratch = mkdtempSync(join(tmpdir(), 'hull-test-cc-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string) => join(scratch, name);
const write = (name: string, text: string) => {
  writeFileSync(at(name), text);
  return at(name);
};
const parse = (...args: string[]) => parseCcOptions(args, () => undefined);

/** Runs hull cc; its temporary files go to a folder of their own, which must be empty afterwards. */
async function cc(t: Test, args: string[]): Promise<{ status: number; log: string[] }> {
  const temporary = at(`tmp-${Math.random()}`);
  mkdirSync(temporary);
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = temporary;
  const log: string[] = [];
  try {
    const status = await compile(args, { dist: DIST, env: process.env, log: (line) => log.push(line) });
    t.same(readdirSync(temporary), [], 'nothing temporary is left');
    return { status, log };
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
}

t.test('command line', (t) => {
  t.test('stages, inputs and outputs', (t) => {
    const plan = parse('-c', 'a.c', '-o', 'a.o', '-O2', '-DX=1', '-I', 'inc', '-Iother', '-std=c11', '-g');
    t.equal(plan.stage, 'object');
    t.equal(plan.output, 'a.o');
    t.same(plan.compilerFlags, ['-O2', '-DX=1', '-I', 'inc', '-Iother', '-std=c11', '-g']);
    t.same(plan.items, [{ kind: 'source', path: 'a.c', language: undefined }]);
    t.equal(parse('-S', 'a.c').stage, 'assembly');
    t.equal(parse('-E', 'a.c').stage, 'preprocess');
    t.equal(parse('a.c').stage, 'image');
    t.equal(parse('-oprog', 'a.c').output, 'prog');
    t.end();
  });
  t.test('objects, libraries and whole archives keep their order', (t) => {
    const plan = parse('a.o', '-lfoo', '-Wl,--whole-archive,libx.a,--no-whole-archive', '-L', 'p', '-Lq', 'b.a', '-l', 'm');
    t.same(plan.items, [
      { kind: 'object', path: 'a.o' },
      { kind: 'library', name: 'foo' },
      { kind: 'whole', on: true },
      { kind: 'object', path: 'libx.a' },
      { kind: 'whole', on: false },
      { kind: 'object', path: 'b.a' },
      { kind: 'library', name: 'm' },
    ]);
    t.same(plan.libraryPaths, ['p', 'q']);
    t.end();
  });
  t.test('-x names a language until -x none', (t) => {
    const plan = parse('-x', 'c', 'one', '-x', 'none', 'two', '-xassembler', 'three');
    t.same(
      plan.items.map((item) => item.kind),
      ['source', 'object', 'source'],
    );
    t.end();
  });
  t.test('options about the host executable are dropped, linker options understood', (t) => {
    const plan = parse('a.c', '-static', '-no-pie', '-fno-pie', '-flto', '-pipe', '-Wl,-z,relro,-z,now,-O1', '-Wl,-s', '-Wl,-rpath,/x', '-Wl,--defsym=top=0x10');
    t.same(plan.compilerFlags, []);
    t.equal(plan.strip, true);
    t.same(plan.defines, { top: 16n });
    t.equal(plan.items.length, 1, 'values of dropped options are no inputs');
    t.end();
  });
  t.test('hull options', (t) => {
    const plan = parse('a.c', '--hull-map', 'm', '--hull-symbols=s', '--hull-add', 'futex,poll', '--hull-omit=pipe', '--platform', 'linux/amd64');
    t.match(plan, { map: 'm', symbols: 's', add: ['futex', 'poll'], omit: ['pipe'] });
    t.end();
  });
  t.test('what cannot work is refused, with a reason', (t) => {
    for (const args of [['-shared'], ['-m32'], ['-fsanitize=address'], ['-r'], ['-mcmodel=large'], ['-T', 'x.ld'], ['-pg'], ['--platform=linux/s390x'], ['--hull-no-such'], ['-o'], []]) {
      t.throws(() => parse(...args, ...(args[0] === '-o' ? [] : args.length ? ['a.c'] : [])), { name: 'CcError', message: /^Cannot .*expected/ }, args.join(' ') || 'nothing at all');
    }
    t.throws(() => parse('-c', 'a.c', 'b.c', '-o', 'x.o'), /2 sources would go there/);
    t.end();
  });
  t.test('response files: quotes, backslashes, nesting, and a name that is no file', (t) => {
    t.same(splitResponse(`-DA="x y" 'b c'\\ d\n  e\\"f ""`), ['-DA=x y', 'b c d', 'e"f', '']);
    const files: Record<string, string> = { outer: '-c @inner', inner: 'a.c -DQ', loop: '@loop' };
    const plan = parseCcOptions(['@outer', '@missing.o'], (path) => files[path]);
    t.match(plan, { stage: 'object', compilerFlags: ['-DQ'] });
    t.match(plan.items[1], { kind: 'object', path: '@missing.o' });
    t.throws(() => parseCcOptions(['@loop'], (path) => files[path]), /nested too deep/);
    t.end();
  });
  t.end();
});

t.test('compiling', async (t) => {
  const hello = write('hello.c', '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n');

  await t.test('-c, -S, -E and dependency files', async (t) => {
    t.equal((await cc(t, ['-c', '-MD', hello, '-o', at('hello.o')])).status, 0);
    t.equal(readFileSync(at('hello.o')).toString('latin1', 0, 4), '\x7fELF');
    t.match(readFileSync(at('hello.d'), 'utf8'), /sysroot\/x86_64\/include\/stdio\.h/, "hull's own headers are read");
    t.notMatch(readFileSync(at('hello.d'), 'utf8'), /\/usr\/include/, "the host's are not");
    t.equal((await cc(t, ['-S', hello, '-o', at('hello.s')])).status, 0);
    t.match(readFileSync(at('hello.s'), 'utf8'), /main:/);
    t.equal((await cc(t, ['-E', hello, '-o', at('hello.i')])).status, 0);
    t.match(readFileSync(at('hello.i'), 'utf8'), /int puts\(const char \*\);/);
  });

  await t.test('errors have the status of a C compiler and leave no output', async (t) => {
    const bad = write('bad.c', 'int main(void) { return }\n');
    t.equal((await cc(t, [bad, '-o', at('bad')])).status, 1);
    t.match((await cc(t, [at('nofile.c')])).log[0], /Cannot compile ".*nofile\.c": no such file/);
    t.match((await cc(t, [hello, '-lnothere', '-o', at('x')])).log[0], /Cannot find "-lnothere"/);
    t.match((await cc(t, [write('text.o', 'not an object'), '-o', at('x')])).log[0], /text\.o/);
    const undefinedSymbol = await cc(t, [write('undef.c', 'int missing_function(void);\nint main(void) { return missing_function(); }\n'), '-o', at('x')]);
    t.equal(undefinedSymbol.status, 1);
    t.match(undefinedSymbol.log.join('\n'), /missing_function/);
    t.match((await cc(t, [hello, '-o', at('no/such/folder')])).log[0], /Cannot write/);
    t.notOk(readdirSync(scratch).some((name) => name === 'x' || name === 'bad'), 'no file was written');
  });
});

t.test('images', async (t) => {
  const source = write('image.c', '#include <stdio.h>\nint main(int argc, char **argv) { printf("%d %s %g\\n", argc, argv[0], argc * 1.5); return 3; }\n');
  t.equal((await cc(t, ['-O2', source, '-o', at('image'), '--hull-map', at('image.map'), '--hull-symbols', at('image.symbols')])).status, 0);
  t.equal(statSync(at('image')).mode & 0o111, 0o111 & ~process.umask(), 'executable');
  t.match(readFileSync(at('image.symbols'), 'utf8'), /\bmain\b/);
  const map = readFileSync(at('image.map'), 'utf8');
  t.match(map, /printf/);
  t.notMatch(map, / (vfs|tmpfs|pipe|process|lwip)\.a\(/, 'no file system, no network, no process in it');

  await t.test('archives, -L and -l, several sources, stripping', async (t) => {
    write('one.c', 'int one(void) { return 1; }\n');
    t.equal((await cc(t, ['-c', at('one.c'), '-o', at('one.o')])).status, 0);
    execFileSync('llvm-ar', ['rcs', at('libone.a'), at('one.o')]);
    const user = write('user.c', 'int one(void); int two(void);\nint main(void) { return one() + two() - 3; }\n');
    const two = write('two.c', 'int two(void) { return 2; }\n');
    t.equal((await cc(t, [user, two, '-L', scratch, '-lone', '-lm', '-o', at('many')])).status, 0);
    t.equal((await cc(t, [user, two, '-L', scratch, '-lone', '-s', '-o', at('stripped')])).status, 0);
    t.ok(statSync(at('stripped')).size < statSync(at('many')).size, '-s makes it smaller');
  });
  t.equal((await cc(t, [source, '-o', '/dev/null'])).status, 0, 'configure scripts write to /dev/null');
  t.ok(statSync('/dev/null').isCharacterDevice(), '/dev/null is still a device');
});

t.test('what a killed run left goes with the next', async (t) => {
  const dead = spawnSync('true').pid;
  const left = [at(`swept.${dead}.tmp`)];
  const kept = [at(`swept.${process.ppid}.tmp`), at(`other.${dead}.tmp`)];
  for (const path of [...left, ...kept]) writeFileSync(path, '');
  t.equal((await cc(t, [write('swept.c', 'int main(void) { return 0; }'), '-o', at('swept')])).status, 0);
  for (const path of left) t.notOk(existsSync(path), `${path} is gone`);
  for (const path of kept) t.ok(existsSync(path), `${path} is someone's, or something else`);
  for (const path of kept) rmSync(path);
  const old = join(tmpdir(), `hull-cc-${dead}-abcdef`);
  writeFileSync(old, '');
  const used = makeTemporaryFolder();
  t.notOk(existsSync(old), 'a temporary folder');
  rmSync(used, { recursive: true });
});

t.test('small programs make small images', async (t) => {
  const puts = write('puts.c', '#include <stdio.h>\nint main(void) { puts("Hello"); return 0; }\n');
  const printf = write('printf.c', '#include <stdio.h>\nint main(int argc, char **argv) { printf("%s %d %f\\n", argv[0], argc, argc * 1.5); return 0; }\n');
  const componentsOf = (name: string) => inspectImage(readFileSync(at(name)), at(name)).components?.map((component) => component.name) ?? [];
  for (const [source, name, most] of [[puts, 'puts', 10 * 1024], [printf, 'printf', 20 * 1024]] as const) {
    t.equal((await cc(t, ['-Os', '-s', source, '-o', at(`${name}-s`)])).status, 0);
    const { size } = statSync(at(`${name}-s`));
    t.ok(size <= most, `${name}, stripped: ${size} bytes, at most ${most}`);
    t.equal((await cc(t, ['-Os', source, '-o', at(name)])).status, 0);
    const components = componentsOf(name);
    t.ok(components.includes('uart-16550') && components.includes('console'), 'it can write');
    const unwanted = ['vfs', 'tmpfs', 'devfs', 'lwip', 'thread', 'process', 'futex', 'vm', 'memory', 'virtio', 'clock', 'signal'];
    t.same(components.filter((component) => unwanted.includes(component)), [], 'no file system, network, scheduler or heap in it');
  }
  // AArch64's instructions are larger, and its long double is arithmetic of the C library.
  for (const [source, name, most] of [[puts, 'puts', 12 * 1024], [printf, 'printf', 24 * 1024]] as const) {
    t.equal((await cc(t, ['--platform', 'linux/arm64', '-Os', '-s', source, '-o', at(`${name}-arm64`)])).status, 0);
    const { length } = readLinuxImage(at(`${name}-arm64`)); // what the VMM is given has no ELF headers
    t.ok(length <= most, `${name} for linux/arm64, stripped: ${length} bytes, at most ${most}`);
  }
});

t.test('a small static executable brings little along', async (t) => {
  const source = write('static.c', '#include <stdio.h>\nint main(void) { puts("Hello"); return 0; }\n');
  execFileSync('musl-gcc', ['-static', '-Os', '-s', source, '-o', at('static')]);
  execFileSync(resolve('dist/hull'), ['build', '-s', '-o', at('static.img'), at('static')]);
  const over = statSync(at('static.img')).size - statSync(at('static')).size;
  t.ok(over <= 48 * 1024, `${over} bytes over the program, at most ${48 * 1024}`);
});

t.test('the channel of a linked program', async (t) => {
  const featuresOf = (name: string) => inspectImage(readFileSync(at(name)), at(name)).features;
  const heap = write('heap.c', '#include <stdlib.h>\n#include <stdio.h>\nint main(int argc, char **argv) { (void)argv; puts(malloc((size_t)argc) ? "y" : "n"); return 0; }\n');
  t.equal((await cc(t, [heap, '-o', at('heap')])).status, 0);
  t.ok(featuresOf('heap').includes('virtio-console'), 'a program with a heap gets the fast console');
  t.equal((await cc(t, [heap, '--hull-add', 'uart-16550', '-o', at('heap-small')])).status, 0);
  t.notOk(featuresOf('heap-small').includes('virtio-console'), 'unless the small one is asked for');
});

t.test('the C library makes direct calls only', (t) => {
  const dynamic = execFileSync('llvm-nm', ['-A', '-u', LIBC], { encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'ignore'] });
  const users = [...dynamic.matchAll(/:([\w.]+):.* hull_syscall_dynamic$/gm)].map((match) => match[1]);
  t.same(users, ['misc_syscall.c.o'], 'only syscall(3) passes a number');
  const code = execFileSync('llvm-objdump', ['-d', '--no-show-raw-insn', LIBC], { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] });
  const arm = execFileSync('llvm-objdump', ['-d', '--no-show-raw-insn', LIBC.replace('x86_64', 'aarch64')], { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] });
  t.notMatch(arm, /^\s+[0-9a-f]+:\s+svc\b/m, 'nor on AArch64');
  t.notMatch(code, /^\s+[0-9a-f]+:\s+(syscall|sysenter|int\s+\$0x80|hlt)\b/m, 'no instruction that only works in ring 3');
  t.end();
});

/*
 * Programs from Debian's sources, unpatched, built by `hull cc` with nothing but build flags: Lua (one command line) and bc (its own configure and
 * make). What they say as unikernels is compared with Debian's own binaries of the same version.
 * The sources are fetched once and kept, with what is built of them, under build/; without a network these tests are skipped and say why.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { fetchedSource, fetchSources, readLock } from '../../tools/build/sources.ts';

t.setTimeout(890_000); // building them the first time

const hull = resolve('dist/hull');
const lock = readLock('test/cc/sources.lock.json');
const built = resolve('build/test-programs');

interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

function run(command: string, args: string[], options: { input?: string; cwd?: string; env?: Record<string, string> } = {}): Outcome {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    input: options.input ?? '',
    cwd: options.cwd,
    env: { ...process.env, NODE_EXTRA_CA_CERTS: '', ...options.env },
    encoding: 'utf8',
    timeout: 300_000,
    maxBuffer: 1 << 24,
  });
  return { status: status ?? -1, stdout, stderr: stderr ?? String(error) };
}

/** Each must succeed; else what it said is the failure. */
function mustRun(command: string, args: string[], options: Parameters<typeof run>[2] = {}): string {
  const { status, stdout, stderr } = run(command, args, options);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: status ${status}\n${stdout.slice(-2000)}\n${stderr.slice(-2000)}`);
  return stdout;
}

const missing = ['lua5.4', 'bc', 'make', 'gcc'].filter((name) => run('sh', ['-c', `command -v ${name}`]).status !== 0);
let skip: string | false = missing.length > 0 ? `not installed: ${missing.join(', ')}` : false;
if (!skip) {
  try {
    await fetchSources(lock);
  } catch (error) {
    skip = `no sources: ${(error as Error).message}`;
  }
}

/** Builds again only when hull's toolchain or the recipe is newer than what is there. */
function isCurrent(file: string): boolean {
  if (!existsSync(file)) return false;
  const made = statSync(file).mtimeMs;
  const inputs = [hull, 'test/cc/debian-programs.test.ts', 'dist/sysroot/x86_64/lib/libc.a', ...readdirSync('dist/libos/x86_64').map((name) => `dist/libos/x86_64/${name}`)];
  return inputs.every((input) => statSync(input).mtimeMs < made);
}

function buildLua(): string {
  const folder = join(built, 'lua');
  const file = join(folder, 'lua');
  if (isCurrent(file)) return file;
  mkdirSync(folder, { recursive: true });
  // debian/rules makes this header, for the module paths of shared libraries.
  writeFileSync(join(folder, 'lua5.4-deb-multiarch.h'), '#define DEB_HOST_MULTIARCH "x86_64-linux-musl"\n');
  const source = resolve(fetchedSource('lua5.4', lock), 'src');
  const units = readdirSync(source).filter((name) => name.endsWith('.c') && name !== 'luac.c');
  const flags = ['-Os', '-w', '-static', '-DLUA_COMPAT_5_3', '-DLUA_USE_POSIX', `-I${folder}`];
  mustRun(hull, ['cc', ...flags, '-o', file, ...units.map((name) => join(source, name)), '-lm'], { cwd: folder });
  return file;
}

function buildBc(): { bc: string; dc: string } {
  const made = { bc: join(built, 'bc/bc/bc'), dc: join(built, 'bc/dc/dc') };
  if (isCurrent(made.bc) && isCurrent(made.dc)) return made;
  const source = resolve(fetchedSource('bc', lock));
  const make = (folder: string, ...args: string[]) =>
    mustRun('make', ['AUTOMAKE=:', 'ACLOCAL=:', 'AUTOCONF=:', 'AUTOHEADER=:', 'MAKEINFO=:', ...args], { cwd: folder });
  // As in any cross build: the mathematical library's header is made by a bc that runs on the machine that builds.
  const native = join(built, 'bc-native');
  if (!existsSync(join(native, 'bc/libmath.h'))) {
    rmSync(native, { recursive: true, force: true });
    mkdirSync(native, { recursive: true });
    mustRun(join(source, 'configure'), ['--without-readline', '--without-libedit'], { cwd: native });
    make(native, '-C', 'lib');
    make(native, '-C', 'bc', 'libmath.h');
  }
  const guest = join(built, 'bc');
  rmSync(guest, { recursive: true, force: true });
  mkdirSync(guest, { recursive: true });
  const configure = ['--host=x86_64-linux-musl', '--without-readline', '--without-libedit'];
  mustRun(join(source, 'configure'), configure, { cwd: guest, env: { CC: `${hull} cc`, CFLAGS: '-Os -w' } });
  copyFileSync(join(native, 'bc/libmath.h'), join(guest, 'bc/libmath.h'));
  make(guest, '-C', 'lib');
  make(guest, '-C', 'bc', '-o', 'libmath.h', 'bc');
  make(guest, '-C', 'dc', 'dc');
  return made;
}

t.test('lua', { skip }, async (t) => {
  const lua = buildLua();
  const compare = (name: string, args: string[], input = '') => {
    const native = run('lua5.4', args, { input });
    const guest = run(hull, ['run', '-i', lua, ...args], { input });
    t.equal(guest.stdout, native.stdout, `${name}: output`);
    // Messages begin with the name by which each was started.
    const plain = (text: string) => text.replace(/^\S*lua(5\.4)?: /gm, 'lua: ');
    t.equal(plain(guest.stderr), plain(native.stderr), `${name}: messages`);
    t.equal(guest.status, native.status, `${name}: status`);
    return native;
  };
  const all = compare('a script from standard input', ['-'], readFileSync('test/cc/all.lua', 'utf8'));
  t.equal(all.status, 7, 'it runs to its end');
  compare('-e', ['-e', 'print(string.format("%5.2f %d", math.pi, 42))']);
  compare('-v', ['-v']);
  compare('arguments', ['-e', 'print(...)', '-', 'one', 'two'], 'print(...)  print(arg[1], arg[2], #arg)');
  compare('an error that nobody catches', ['-e', 'local t = nil; print(t.x)']);
  compare('a syntax error', ['-'], 'for x do\n');
  compare('input by lines, numbers and blocks', ['-e', 'print(io.read("l")); print(io.read("n", "n")); print(#io.read(100), #io.read("a"), io.read("a"), io.read("l"))'],
    `first line\n12 0x1p4 ${'some text\n'.repeat(2000)}`);
  compare('input through an iterator', ['-e', 'local n = 0; for l in io.lines() do n = n + #l end; print(n)'], 'line of text\n'.repeat(3000));
  compare('no input', ['-e', 'print(io.read("l"), io.read("a"))']);
  compare('a full memory is an error, not an end', ['-e', 'print(pcall(string.rep, "x", 1 << 40)); print(select("#", pcall(function() local t = {} for i = 1, 100 do t[i] = i end return table.unpack(t) end)))']);
  // 24 MiB of machine: the collector gives back what is free, and what does not fit is an error that pcall gets.
  const filled = run(hull, ['run', '-m', '24', lua, '-e', 'local ok, e = pcall(function() local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(10000) .. i end end); print(ok, e); collectgarbage(); print(#("y"):rep(1 << 20))']);
  t.equal(filled.stdout, 'false\tnot enough memory\n1048576\n', `memory down to its end: ${filled.stderr}`);
});

t.test('bc and dc', { skip }, async (t) => {
  const { bc, dc } = buildBc();
  const compare = (name: string, program: string, reference: string, args: string[], input: string) => {
    const native = run(reference, args, { input });
    const guest = run(hull, ['run', '-i', program, ...args], { input });
    t.ok(native.stdout.length > 0, `${name}: the reference says something`);
    t.equal(guest.stdout, native.stdout, `${name}: output`);
    t.equal(guest.stderr, native.stderr, `${name}: messages`);
    t.equal(guest.status, native.status, `${name}: status`);
  };
  compare('pi', bc, 'bc', ['-l'], 'scale=50; 4*a(1)\n');
  compare('powers, roots, bases', bc, 'bc', [], '2^1000\nscale=30; sqrt(2)\nobase=16; 255\nibase=2; obase=A; 101010\n');
  compare('functions', bc, 'bc', [], 'define f(n) { if (n < 2) return 1; return n * f(n - 1); }\nf(200)\nfor (i = 0; i < 5; i++) { print i, " "; i^2 }\n');
  compare('errors', bc, 'bc', [], '1/0\nsqrt(-1)\n1 +\n2 + 2\n');
  compare('quit', bc, 'bc', ['-l'], 'e(1)\nquit\n2\n');
  for (const name of ['exp', 'ln', 'sine', 'atan', 'array', 'sqrt']) {
    compare(`its own test ${name}`, bc, 'bc', ['-l'], readFileSync(join(fetchedSource('bc', lock), 'Test', `${name}.b`), 'utf8'));
  }
  if (run('sh', ['-c', 'command -v dc']).status === 0) compare('dc', dc, 'dc', [], '10k 2v p 2 100^p [la1+dsa*pla20>y]sy 0sa1 lyx\n');
});

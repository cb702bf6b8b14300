/**
 * The linker against ld.lld: the cases of link-cases.ts, compiled once, linked by both, run natively. Needs clang, ld.lld, gcc and musl's libc.a.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readElf, readSymbols } from '../../compiler/elf/index.ts';
import { type LinkInput, linkExecutable } from '../../compiler/link/index.ts';
import { cases, type LinkCase } from './link-cases.ts';
import { linkBeside, must, run } from './link-reference.ts';

const musl = ['/usr/lib/x86_64-linux-musl', '/usr/lib/musl/lib'].find((path) => existsSync(join(path, 'libc.a'))) ?? '';
const root = mkdtempSync(join(tmpdir(), 'hull-link-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));

/** Compiles a case's files; returns the link inputs, as paths relative to its folder. */
function compile(test: LinkCase, folder: string): string[] {
  mkdirSync(folder);
  const names = Object.keys(test.files);
  for (const [name, source] of Object.entries(test.files)) writeFileSync(join(folder, name), source);
  const flags = (test.flags ?? '').split(' ').filter(Boolean);
  const own = names.filter((name) => !name.endsWith('.s'));
  const assembly = names.filter((name) => name.endsWith('.s'));
  if (own.length > 0) must(test.compiler ?? 'clang', ['-c', '-w', '-O1', ...flags, ...own], folder);
  if (assembly.length > 0) must('clang', ['-c', ...assembly], folder);
  const inputs = test.link ?? names.map((name) => name.replace(/\.\w+$/, ''));
  return inputs
    .filter((input) => input !== 'bare')
    .map((input, i) => {
      if (!input.startsWith('lib:')) return `${input}.o`;
      const archive = `lib${i}.a`;
      must(
        'ar',
        [
          'crs',
          archive,
          ...input
            .slice(4)
            .split(',')
            .map((member) => `${member}.o`),
        ],
        folder,
      );
      return archive;
    });
}

function read(paths: string[], folder: string): LinkInput[] {
  return paths.map((path) => ({ name: path, bytes: readFileSync(path.startsWith('/') ? path : join(folder, path)) }));
}

function symbolNames(image: Uint8Array): Set<string> {
  const table = readSymbols(readElf(image));
  return new Set(Array.from({ length: table?.count ?? 0 }, (_, i) => table?.name(i) ?? ''));
}

for (const [index, test] of cases.entries()) {
  t.test(test.name, async (t) => {
    const folder = join(root, String(index));
    const own = compile(test, folder);
    const bare = test.link?.includes('bare') ?? false;
    const inputs = bare ? own : [`${musl}/crt1.o`, `${musl}/crti.o`, ...own, `${musl}/libc.a`, `${musl}/crtn.o`];
    const defsyms = Object.entries(test.defines ?? {}).map(([name, value]) => `--defsym=${name}=${value}`);
    const reference = run('ld.lld', ['-static', ...(test.gc ? ['--gc-sections'] : []), ...defsyms, '-o', 'reference', ...inputs], folder);
    const request = { inputs: read(inputs, folder), gc: test.gc ?? false, ...(test.defines && { defines: test.defines }) };
    const result = linkBeside(t, test, reference, request);
    if (result === undefined) return;
    writeFileSync(join(folder, 'ours'), result.image);
    chmodSync(join(folder, 'ours'), 0o755);
    const ours = run('./ours', [], folder);
    t.equal(ours.signal, null, 'no signal');
    if (reference.status === 0) {
      const theirs = run('./reference', [], folder);
      if (test.lld !== 'differs') t.strictSame([ours.stdout, ours.status], [theirs.stdout, theirs.status], 'as linked by ld.lld');
    }
    if (test.prints !== undefined) t.equal(ours.stdout, test.prints);
    if (test.status !== undefined) t.equal(ours.status, test.status);
    const names = symbolNames(result.image);
    for (const name of test.has ?? []) t.ok(names.has(name), `has ${name}`);
    for (const name of test.hasNot ?? []) t.notOk(names.has(name), `has no ${name}`);
  });
}

t.test('a static C++ program of glibc: exceptions, indirect functions, threads', async (t) => {
  const folder = join(root, 'cxx');
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'a.cc'),
    `#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
struct D { ~D() { std::puts("unwound"); } };
void thrower(int n) { D d; if (n) throw std::runtime_error("thrown " + std::to_string(n)); }
int main(int c, char **) { int r = 0; std::thread([&] { try { thrower(c); } catch (std::exception &e) { std::puts(e.what()); r = 5; } }).join(); return r; }
`,
  );
  must('g++', ['-c', '-O1', 'a.cc'], folder);
  const trace = run('g++', ['-static', '-###', 'a.o'], folder).stderr;
  const gcc = (name: string) => execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
  t.match(trace, /crtbeginT/);
  const names = [
    'crt1.o',
    'crti.o',
    'crtbeginT.o',
    'a.o',
    'libstdc++.a',
    'libm-2.36.a',
    'libmvec.a',
    'libgcc.a',
    'libgcc_eh.a',
    'libc.a',
    'crtend.o',
    'crtn.o',
  ];
  const paths = names.map((name) => (name === 'a.o' ? name : gcc(name))).filter((path) => path === 'a.o' || existsSync(path));
  for (const gc of [false, true]) {
    const result = linkExecutable({ inputs: read(paths, folder), gc });
    writeFileSync(join(folder, 'ours'), result.image);
    chmodSync(join(folder, 'ours'), 0o755);
    const ours = run('./ours', [], folder);
    t.strictSame([ours.stdout, ours.status], ['unwound\nthrown 1\n', 5], `gc ${gc}`);
  }
});

t.test('the output is a file that other tools read', async (t) => {
  const folder = join(root, '0');
  const headers = execFileSync('llvm-readelf', ['-hlSs', 'ours'], { cwd: folder, encoding: 'utf8' });
  t.match(headers, /EXEC \(Executable file\)/);
  t.match(headers, / main$/m);
  t.equal(run('llvm-readelf', ['-a', 'ours'], folder).stderr, '', 'llvm-readelf has no complaint');
});

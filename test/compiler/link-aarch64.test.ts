/**
 * The linker's AArch64 part against ld.lld: the cases of link-aarch64-cases.ts, compiled once, linked by both, run in qemu-aarch64. Needs clang, ld.lld.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readElf } from '../../compiler/elf/index.ts';
import { linkExecutable } from '../../compiler/link/index.ts';
import { type ArmCase, cases, runtime } from './link-aarch64-cases.ts';
import { linkBeside, must, run } from './link-reference.ts';

const TARGET = '--target=aarch64-linux-gnu';
const root = mkdtempSync(join(tmpdir(), 'hull-link-aarch64-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));

const emulator = ['qemu-aarch64', 'qemu-aarch64-static'].find((name) => run(name, ['--version'], root).status === 0);

/** Compiles a case's files; returns the objects, as names in its folder. */
function compile(test: ArmCase, folder: string): string[] {
  mkdirSync(folder);
  const files = { ...test.files, 'runtime.c': runtime };
  for (const [name, source] of Object.entries(files)) writeFileSync(join(folder, name), source);
  const flags = (test.flags ?? '').split(' ').filter(Boolean);
  const common = [TARGET, '-c', '-w', '-ffreestanding', '-fno-stack-protector', '-fno-asynchronous-unwind-tables'];
  must('clang', [...common, '-fno-pic', '-O1', ...flags, ...Object.keys(test.files)], folder);
  must('clang', [...common, '-O1', '-fno-builtin', 'runtime.c'], folder);
  return Object.keys(files).map((name) => name.replace(/\.\w+$/, '.o'));
}

for (const [index, test] of cases.entries()) {
  t.test(test.name, async (t) => {
    const folder = join(root, String(index));
    const inputs = compile(test, folder);
    const defsyms = Object.entries(test.defines ?? {}).map(([name, value]) => `--defsym=${name}=${value}`);
    const reference = run('ld.lld', ['-static', ...(test.gc ? ['--gc-sections'] : []), ...defsyms, '-o', 'reference', ...inputs], folder);
    const request = {
      machine: 'aarch64' as const,
      inputs: inputs.map((name) => ({ name, bytes: readFileSync(join(folder, name)) })),
      gc: test.gc ?? false,
      ...(test.defines && { defines: test.defines }),
    };
    const linked = linkBeside(t, test, reference, request);
    if (linked === undefined) return;
    const { image } = linked;
    t.equal(readElf(image).machine, 183, 'an AArch64 file');
    writeFileSync(join(folder, 'ours'), image);
    chmodSync(join(folder, 'ours'), 0o755);
    if (test.code) t.match(run('llvm-objdump', ['-d', '--section=.text', 'ours'], folder).stdout, test.code);
    if (!emulator) return t.comment('not run: no qemu-aarch64 here (Debian: qemu-user)');
    const ours = run(emulator, ['./ours'], folder);
    t.strictSame([ours.signal, ours.stderr, ours.status], [null, '', test.status], 'what the program returns');
    if (test.lld !== 'differs') t.equal(run(emulator, ['./reference'], folder).status, test.status, 'as linked by ld.lld');
  });
}

t.test('an object of another instruction set is refused', async (t) => {
  writeFileSync(join(root, 'x.s'), 'nop\n');
  must('clang', ['--target=x86_64-linux-gnu', '-c', 'x.s'], root);
  const inputs = [{ name: 'x.o', bytes: readFileSync(join(root, 'x.o')) }];
  t.throws(() => linkExecutable({ machine: 'aarch64', inputs }), { code: 'wrong-machine', message: /object for x86-64, expected aarch64/ });
});

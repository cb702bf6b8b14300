/**
 * The compiler's door: program in, image out, image explained.
 *
 * Owns: the hand-over between analyze, select, link and inspect, on a libOS of a few lines made here; what a stripped image still tells; that
 * inspection of damaged images ends in typed errors.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { buildImage, CompilerError, inspectImage, linkProgram, renderReport } from '../../compiler/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-image-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const libos = join(folder, 'libos');
mkdirSync(libos);

const flags = ['-O1', '-ffreestanding', '-fPIE', '-fvisibility=hidden', '-ffunction-sections', '-fdata-sections', '-mno-red-zone'];

function compile(name: string, source: string, more: string[] = flags): string {
  const base = join(folder, name);
  writeFileSync(`${base}.c`, source);
  execFileSync('clang', [...more, '-c', '-o', `${base}.o`, `${base}.c`]);
  return `${base}.o`;
}

const note = `__attribute__((used, section(".note.Xen"))) static const struct { unsigned n, d, t; char name[4]; unsigned entry; } note = {4, 4, 18, "Xen", 0x100000};`;
const components: [manifest: Record<string, unknown>, source: string][] = [
  [{ name: 'init', requires: ['arch', 'channel'] }, 'void program_start(void); void main_start(void) { program_start(); }'],
  [{ name: 'arch' }, `void main_start(void); long hull_table(long); void hull_pvh_entry(void) { main_start(); }\n${note}
    extern long (*const hull_syscall_table[])(long) __attribute__((weak)); long dispatch(long n) { return hull_syscall_table[n](n); }`],
  [{ name: 'syscall' }, 'long sys_absent(long number) { return -38 - 0 * number; }'],
  [{ name: 'exec', programs: 'binary', requires: ['vm', 'syscall'] }, 'extern char hull_program_start[]; long dispatch(long); void program_start(void) { dispatch(hull_program_start[0]); for (;;); }'],
  [{ name: 'linked', programs: 'linked' }, 'int main(void); void program_start(void) { main(); for (;;); }'],
  [{ name: 'vm', syscalls: { brk: 'full' } }, 'long sys_brk(long a) { return a; }'],
  [{ name: 'channel' }, 'void channel_write(void) {}'],
  [{ name: 'uart-16550', requires: ['channel'] }, 'void uart(void) {}'],
  [{ name: 'virtio-console', requires: ['channel'] }, 'void console(void) {}'],
  [{ name: 'virtio-mmio' }, 'void mmio(void) {}'],
  [{ name: 'virtio-pci' }, 'void pci(void) {}'],
  [{ name: 'file', syscalls: { write: 'full', read: 'full' } }, 'static char buffer[100]; long sys_write(long a) { return buffer[a]; } long sys_read(long a) { return a; }'],
  [{ name: 'vfs', syscalls: { open: 'full', openat: 'full', chdir: 'full' } }, 'long sys_open(long a) { return a + 1; } long sys_openat(long a) { return a + 2; } long sys_chdir(long a) { return a; }'],
  [
    { name: 'device-files', programs: 'binary', instead: { component: 'vfs', calls: ['open', 'openat'], paths: ['/dev/null', '/dev/zero'] } },
    'long sys_open(long a) { return a + 3; } long sys_openat(long a) { return a + 4; }',
  ],
  [{ name: 'network', syscalls: { socket: 'full' } }, 'long sys_socket(long a) { return a + 7; }'],
  [{ name: 'system', syscalls: { exit_group: 'full' } }, 'long sys_exit_group(long a) { for (;;) a++; }'],
];
for (const [manifest, source] of components) {
  const name = String(manifest['name']);
  const object = compile(name, source, [...flags, '-Wno-everything']);
  execFileSync('llvm-ar', ['rcs', join(libos, `${name}.a`), object]);
}
writeFileSync(join(libos, 'components.json'), JSON.stringify(components.map(([manifest]) => manifest)));

function program(body: string, data = ''): Buffer {
  const base = join(folder, 'program');
  writeFileSync(`${base}.s`, `.globl _start\n.type _start,@function\n_start:\n${body}\nmov $231, %eax\nsyscall\n.size _start,.-_start\n${data}`);
  execFileSync('clang', ['-nostdlib', '-static', '-fuse-ld=lld', '-o', base, `${base}.s`]);
  return readFileSync(base);
}
const writes = program('mov $1, %eax\nsyscall\nmov $101, %eax\nsyscall');

function errorOf(run: () => unknown): CompilerError {
  try {
    run();
  } catch (error) {
    if (error instanceof CompilerError) return error;
    throw error;
  }
  throw new Error('expected a CompilerError');
}

t.test('a binary program: only what its calls need, and why', (t) => {
  const built = buildImage({ program: writes, path: '/bin/writes', libos });
  t.same(Object.keys(built.timings), ['read', 'components', 'analyze', 'select', 'link'], 'each phase is timed');
  const report = inspectImage(built.image, 'image');
  const names = report.components?.map(({ name }) => name) ?? [];
  t.ok(names.includes('file') && names.includes('exec') && names.includes('system'), 'the components of its calls');
  t.notOk(names.includes('network') || names.includes('linked') || names.includes('uart-16550'), 'and no other');
  t.equal(report.components?.find(({ name }) => name === 'file')?.why, 'call write made at _start', 'why');
  t.equal(report.syscalls?.['write'], 'file', 'the call and its component');
  t.match(report.program, { path: '/bin/writes', embedded: writes.length }, 'the program is in it');
  t.same(report.analysis?.calls.map(({ name }) => name), ['write', 'ptrace', 'exit_group'], 'what it can make');
  t.same(report.analysis?.lacking, ['ptrace'], 'what hull lacks');
  t.same(report.absent, ['ptrace'], 'what answers ENOSYS');
  t.equal(report.kind, 'binary');
  t.ok(built.image.length > writes.length && Buffer.from(built.image).includes(writes), 'the program is embedded whole');
  t.notOk(report.segments.some(({ permissions }) => permissions.includes('wx')), 'nothing is writable and executable');
  const text = renderReport(report);
  t.match(text, /^Image of an unmodified executable/);
  t.match(text, /file .* call write made at _start/);
  t.match(text, /hull lacks \(they answer ENOSYS\): 1\n +call +made\n +ptrace +at _start/);
  t.same(JSON.parse(JSON.stringify(report)), report, 'the report is JSON as it stands');
  t.end();
});

t.test('a program that may make any call gets everything of its kind', (t) => {
  const { image, analysis } = buildImage({ program: program('mov (%rsp), %eax\nsyscall'), path: 'any', libos });
  t.ok(analysis?.mayMakeAnyCall);
  const report = inspectImage(image, 'image');
  t.ok(report.components?.some(({ name }) => name === 'network'), 'the network too');
  t.match(renderReport(report), /can make: any; found: \d+\n[^]*not known at _start: the program begins here/);
  t.end();
});

t.test('a smaller component instead of a larger one, where the opened paths allow it', async (t) => {
  const has = (body: string, data = '', options = {}) => {
    const built = buildImage({ libos, program: program(body, data), path: '/bin/opens', ...options });
    const names = built.manifest.components.map(({ name }) => name);
    t.notOk(names.includes('vfs') && names.includes('device-files'), 'never both');
    return names.includes('device-files') ? 'device-files' : names.includes('vfs') ? 'vfs' : 'neither';
  };
  const paths = '.section .rodata\nnull: .asciz "/dev/null"\nzero: .asciz "/dev/zero"\npasswd: .asciz "/etc/passwd"\n.data\nmine: .asciz "/dev/null"\n';
  const open = (operand: string) => `lea ${operand}, %rdi\nmov $2, %eax\nsyscall`;
  t.equal(has(open('null(%rip)'), paths), 'device-files');
  t.equal(has(`mov $null, %edi\nmov $2, %eax\nsyscall\n`, paths), 'device-files');
  t.equal(has('lea zero(%rip), %rsi\nmov $257, %eax\nsyscall', paths), 'device-files', 'openat has it in rsi');
  t.equal(has(`lea null(%rip), %rdi\ntest %rbx, %rbx\nje 1f\nlea zero(%rip), %rdi\n1: mov $2, %eax\nsyscall`, paths), 'device-files', 'either');
  t.equal(has(`lea null(%rip), %rdi\ntest %rbx, %rbx\nje 1f\nlea passwd(%rip), %rdi\n1: mov $2, %eax\nsyscall`, paths), 'vfs');
  t.equal(has(open('passwd(%rip)'), paths), 'vfs');
  t.equal(has(open('mine(%rip)'), paths), 'vfs', 'writable memory is no constant');
  t.equal(has(`mov (%rsp), %rdi\nmov $2, %eax\nsyscall`, paths), 'vfs', 'a path that is not known');
  t.equal(has(`lea null(%rip), %rdi\nadd $1, %rdi\nmov $2, %eax\nsyscall`, paths), 'vfs', 'a computed one');
  t.equal(has(`movabs $null + 0x100000000, %rdi\nmov $2, %eax\nsyscall`, paths), 'vfs', 'the low half of an address');
  t.equal(has(`${open('null(%rip)')}\nmov $80, %eax\nsyscall`, paths), 'vfs', 'chdir is the larger one\'s');
  t.equal(has(`${open('null(%rip)')}\nmov $1, %edx\nmov $10, %eax\nsyscall`, paths), 'vfs', 'mprotect: what is read-only may change');
  t.equal(has(`${open('null(%rip)')}\nmov $0x22, %r10d\nxor %edx, %edx\nmov $9, %eax\nsyscall`, paths), 'device-files', 'mmap elsewhere');
  t.equal(has(`${open('null(%rip)')}\nmov $0x32, %r10d\nxor %edx, %edx\nmov $9, %eax\nsyscall`, paths), 'vfs', 'mmap over what is there');
  t.equal(has(open('null(%rip)'), paths, { add: ['vfs'] }), 'vfs', 'asked for');
  t.equal(has(open('null(%rip)'), paths, { leaveOut: ['device-files'] }), 'vfs');
  t.equal(has('mov $39, %eax\nsyscall', paths), 'neither');
});

t.test('options', (t) => {
  const without = inspectImage(buildImage({ program: writes, path: 'p', libos, leaveOut: ['file'] }).image, 'image');
  t.notOk(without.components?.some(({ name }) => name === 'file'), 'left out');
  t.same(without.absent, ['ptrace', 'write'], 'its calls are absent');
  const added = inspectImage(buildImage({ program: writes, path: 'p', libos, add: ['network'] }).image, 'image');
  t.equal(added.components?.find(({ name }) => name === 'network')?.why, 'asked for by option');
  t.equal(errorOf(() => buildImage({ program: writes, path: 'p', libos: join(folder, 'none') })).code, 'bad-manifest', 'no libOS');
  t.equal(errorOf(() => buildImage({ program: Buffer.from('hi'), path: 'p', libos })).code, 'not-elf', 'no program');
  t.end();
});

t.test('a stripped image tells what its note and segments tell', (t) => {
  const { image } = buildImage({ program: writes, path: 'p', libos, strip: true });
  const report = inspectImage(image, 'image');
  t.match(report, { stripped: true, kind: 'binary', abiVersion: 1 });
  t.equal(report.components, undefined, 'no components');
  t.ok(report.leastMemory > 0 && report.features.includes('virtio-console'), 'memory and features');
  t.ok(report.segments.some(({ permissions }) => permissions === 'r-x'), 'segments');
  t.match(renderReport(report), /stripped: components and calls are not recorded/);
  t.end();
});

t.test('a linked program: what it refers to', (t) => {
  const object = compile('main', 'long sys_write(long); int main(void) { return sys_write(3); }');
  const { image } = linkProgram({ inputs: [{ name: 'main.o', bytes: readFileSync(object) }], libos });
  const report = inspectImage(image, 'image');
  const names = report.components?.map(({ name }) => name) ?? [];
  t.ok(['linked', 'file', 'uart-16550'].every((name) => names.includes(name)), 'its components');
  t.notOk(['exec', 'vm', 'network', 'virtio-console'].some((name) => names.includes(name)), 'and no other');
  t.match(report.components?.find(({ name }) => name === 'file')?.why, /main/, 'the chain names the program');
  t.equal(report.kind, 'linked');
  const undefinedName = compile('bad', 'void nowhere(void); int main(void) { nowhere(); return 0; }');
  const error = errorOf(() => linkProgram({ inputs: [{ name: 'bad.o', bytes: readFileSync(undefinedName) }], libos }));
  t.match(error, { code: 'link', message: /nowhere/ });
  t.end();
});

t.test('inspection of anything else', (t) => {
  t.match(errorOf(() => inspectImage(Buffer.from('text'), 'x')), { code: 'not-an-image', message: /^Cannot inspect "x": / });
  t.match(errorOf(() => inspectImage(writes, 'x')), { code: 'not-an-image', message: /no hull note/ });
  const { image } = buildImage({ program: writes, path: 'p', libos });
  let state = 7;
  const random = (limit: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % limit;
  };
  const manifestAt = Buffer.from(image).indexOf('{"version"');
  let reports = 0;
  let errors = 0;
  for (let round = 0; round < 400; round++) {
    const bytes = Buffer.from(random(6) === 0 ? image.subarray(0, random(image.length)) : image);
    for (let i = random(6); i >= 0; i--) {
      const at = round % 2 === 0 ? random(400) : manifestAt + random(2000);
      if (at < bytes.length) bytes[at] = random(256);
    }
    try {
      renderReport(inspectImage(bytes, 'mutant'));
      reports++;
    } catch (error) {
      if (!(error instanceof CompilerError)) {
        t.error(error, `round ${round}`);
        break;
      }
      errors++;
    }
  }
  t.equal(reports + errors, 400, 'no other error');
  t.ok(reports > 0 && errors > 0, `both occurred: ${reports}, ${errors}`);
  t.end();
});

/** Images: components, scopes, system calls, tables, relocation at boot, notes, names. On a small made-up libOS. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { decodeRelr, findSection, PT_LOAD, readElf, readNotes, readSymbols, sectionBytes, segmentBytes } from '../../compiler/elf/index.ts';
import { type ComponentManifest, type LinkImageRequest, linkExecutable, linkImage } from '../../compiler/link/index.ts';
import { symbolizeElf, symbolizeEmbedded, symbolizeText } from '../../compiler/symbolize/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-image-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const REGISTER =
  '#define REGISTER(order, f) static void (*const hook_##f)(void) __attribute__((used, retain, section(".hull.init." #order), aligned(8))) = f;\n';
const sources: Record<string, string> = {
  core: `${REGISTER}void program_start(void); void sched(void) __attribute__((weak)); extern void (*const __hull_init_start[])(void), (*const __hull_init_end[])(void);
    static void core_hook(void) {} REGISTER(5, core_hook) static int helper(void) { return 1; } __attribute__((noinline)) int shared_name(void) { __asm__(""); return helper(); }
    void hull_pvh_entry(void) { for (void (*const *p)(void) = __hull_init_start; p < __hull_init_end; p++) (*p)(); if (sched) sched(); shared_name(); program_start(); }
    long sys_absent(long n) { return -38 - n * 0; }`,
  file: `${REGISTER}static void file_hook(void) {} REGISTER(1, file_hook) long sys_write(long a) { return a; } long sys_read(long a) { return a + 1; }`,
  thread: 'void sched(void) {} long sys_futex(long a) { return a; } long sys_clone(long a) { return a; }',
  binary:
    'extern const char hull_program_start[], hull_program_end[], hull_program_path[]; extern long (*const hull_syscall_table[])(long); void program_start(void) { hull_syscall_table[hull_program_end - hull_program_start](hull_program_path[0]); }',
  linked:
    'extern const char hull_program_headers[]; extern const unsigned long hull_program_header_count; int main(void); void program_start(void) { main(); for (unsigned long i = 0; i < hull_program_header_count; i++) (void)*(volatile char *)(hull_program_headers + 56 * i); }',
};
const flags = [
  '-c',
  '-w',
  '-O1',
  '-ffreestanding',
  '-fPIE',
  '-fvisibility=hidden',
  '-ffunction-sections',
  '-fdata-sections',
  '-fno-asynchronous-unwind-tables',
  '-mno-red-zone',
];
function compile(name: string, source: string, extra: string[] = []): Buffer {
  writeFileSync(join(folder, `${name}.c`), source);
  execFileSync('clang', [...flags, ...extra, `${name}.c`], { cwd: folder });
  return readFileSync(join(folder, `${name}.o`));
}
const manifests: Record<string, Partial<ComponentManifest>> = {
  core: {},
  file: { requires: ['core'] },
  thread: { soft: ['futex'] },
  binary: { programs: 'binary' },
  linked: { programs: 'linked' },
};
const components = Object.entries(sources).map(([name, source]) => {
  compile(name, source);
  execFileSync('ar', ['crs', `${name}.a`, `${name}.o`], { cwd: folder });
  return { manifest: { name, ...manifests[name] }, archive: readFileSync(join(folder, `${name}.a`)) };
});
const link = (source: string, request: Partial<LinkImageRequest> = {}, extra: string[] = []) =>
  linkImage({ components, inputs: [{ name: 'main.o', bytes: compile('main', source, extra) }], ...request });
const names = (result: { manifest: { components: { name: string }[] } }) => result.manifest.components.map((c) => c.name).sort();
const executable = linkExecutable({
  inputs: [{ name: 'p.o', bytes: compile('p', 'void inner_function(void) {} void _start(void) { inner_function(); for (;;); }') }],
}).image;

t.test('only what is reached is in', async (t) => {
  const result = link('int main(void) { return 0; }');
  t.strictSame(names(result), ['<linker>', 'core', 'linked']);
  t.strictSame(names(link('long sys_write(long); int main(void) { return sys_write(1); }')), ['<linker>', 'core', 'file', 'linked']);
  t.strictSame(names(link('int main(void) { return 0; }', { activate: ['thread'] })), ['<linker>', 'core', 'linked', 'thread']);
  t.match(
    link('long sys_write(long); int main(void) { return sys_write(1); }')
      .manifest.components.find((c) => c.name === 'file')
      ?.why.join(' '),
    /hull_pvh_entry.*program_start.*main.*sys_write/,
  );
});

t.test('soft and absent calls get stubs, the component that is there anyway answers itself', async (t) => {
  const soft = link('long sys_futex(long), sys_getpid(void); int main(void) { return sys_futex(1) + sys_getpid(); }');
  t.strictSame(soft.manifest.absent, ['futex', 'getpid']);
  t.notOk(names(soft).includes('thread'));
  const dump = (image: Uint8Array) => {
    writeFileSync(join(folder, 'image'), image);
    return execFileSync('llvm-objdump', ['-d', '--no-show-raw-insn', 'image'], { cwd: folder, encoding: 'utf8' });
  };
  t.match(dump(soft.image), /<sys_getpid>:\s+\S+\s+movl\s+\$39, %edi\s+\S+\s+jmp\s.*<sys_absent>/);
  const hard = link('long sys_futex(long), sys_clone(long); int main(void) { return sys_futex(1) + sys_clone(2); }');
  t.strictSame(hard.manifest.absent, []);
  t.strictSame(hard.manifest.syscalls, { futex: 'thread', clone: 'thread' });
  t.throws(() => link('long sys_no_such_call(void); int main(void) { return sys_no_such_call(); }'), { code: 'undefined-symbol' });
});

t.test('a weak reference binds when the component is there, and activates nothing', async (t) => {
  t.notOk(link('int main(void) { return 0; }').symbols.includes(' sched\n'));
  t.ok(link('int main(void) { return 0; }', { activate: ['thread'] }).symbols.includes(' sched\n'));
});

t.test('program and libOS may use the same names', async (t) => {
  const result = link(
    '__attribute__((noinline)) int shared_name(void) { __asm__(""); return 2; } int helper(void) { return 3; } int main(void) { return shared_name() + helper(); }',
  );
  const table = readSymbols(readElf(result.image));
  const count = Array.from({ length: table?.count ?? 0 }, (_, i) => table?.name(i)).filter((name) => name === 'shared_name').length;
  t.equal(count, 2);
});

t.test('registrations are sorted, and only those of active components', async (t) => {
  const words = (result: { image: Uint8Array }) => {
    const elf = readElf(result.image);
    const section = findSection(elf, '.hull.init');
    const bytes = section ? sectionBytes(elf, section) : new Uint8Array();
    const map = symbolizeElf(result.image);
    return Array.from(
      { length: bytes.length / 8 },
      (_, i) => map.find(Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(i * 8, true)))?.name,
    );
  };
  t.strictSame(words(link('int main(void) { return 0; }')), ['core_hook']);
  t.strictSame(words(link('long sys_read(long); int main(void) { return sys_read(0); }')), ['file_hook', 'core_hook']);
});

t.test('binary: table, embedded file, path, note', async (t) => {
  const result = linkImage({ components, inputs: [], program: { bytes: executable, path: '/bin/p' }, syscalls: ['read', 'getpid'] });
  const elf = readElf(result.image);
  const loads = elf.programHeaders.filter((h) => h.type === PT_LOAD);
  const embedded = loads.at(-1);
  t.equal((embedded?.virtualAddress ?? 1) % 4096, 0);
  t.strictSame(Buffer.from(embedded ? segmentBytes(elf, embedded) : []), Buffer.from(executable));
  const symbols = symbolizeText(result.symbols);
  const table = readSymbols(elf);
  const address = (name: string) => {
    const index = Array.from({ length: table?.count ?? 0 }, (_, i) => i).find((i) => table?.name(i) === name) ?? 0;
    return table?.value(index) ?? 0;
  };
  const viewOf = (at: number) => {
    const holder = loads.find((h) => at >= h.virtualAddress && at < h.virtualAddress + h.fileSize);
    return new DataView(result.image.buffer, (holder?.offset ?? 0) + at - (holder?.virtualAddress ?? 0));
  };
  const at = address('hull_syscall_table');
  const view = viewOf(at);
  const indices = viewOf(address('hull_syscall_index'));
  const pointer = (index: number) => symbols.find(Number(view.getBigUint64(index * 8, true)))?.name;
  const entry = (number: number) => pointer(indices.getUint16(number * 2, true));
  t.equal(address('hull_syscall_count'), 462, 'every absent call has a stub where no common one is');
  t.equal(pointer(0), 'sys_absent');
  t.equal(entry(0), 'sys_read');
  t.equal(entry(39), 'sys_getpid', 'a stub of its own');
  t.equal(entry(1), 'absent_1', 'in a component that is there, but not asked for');
  t.equal(entry(461), 'absent_461');
  const relr = findSection(elf, '.relr.dyn');
  const moved = new Set(decodeRelr(relr ? sectionBytes(elf, relr) : new Uint8Array()));
  for (let i = 0; i <= 462; i++) if (!moved.has(at + i * 8)) t.fail(`entry ${i} is not relocated`);
  const note = readNotes(sectionBytes(elf, findSection(elf, '.note') as never)).find((n) => n.name === 'hull');
  const descriptor = new DataView(note?.descriptor.buffer as ArrayBuffer, note?.descriptor.byteOffset);
  t.equal(descriptor.getUint32(0, true), 1);
  t.equal(descriptor.getUint32(4, true), 16, 'BINARY');
  t.ok(Number(descriptor.getBigUint64(8, true)) > 0x100000);
  t.match(symbolizeEmbedded(result.image)?.find(readElf(executable).entry), { name: '_start', offset: 0 });
});

t.test('segments lie on pages of their own, packed in the file; strip leaves only them', async (t) => {
  const source =
    'int data = 1, bss[5000]; const char *const names[] = { "a", "b" }; int main(int c) { return data + bss[c] + names[c][0]; }';
  const full = link(source);
  const stripped = link(source, { strip: true });
  const loads = readElf(stripped.image).programHeaders.filter((h) => h.type === PT_LOAD);
  t.equal(loads.length, 3);
  t.equal(new Set(loads.map((h) => Math.floor(h.virtualAddress / 4096))).size, 3);
  for (const header of loads) t.equal(header.virtualAddress % 4096, 0);
  t.ok(stripped.image.length < 2048, `${stripped.image.length} bytes`);
  t.equal(readElf(stripped.image).sections.length, 0);
  const manifest = findSection(readElf(full.image), '.hull.manifest');
  t.strictSame(
    JSON.parse(Buffer.from(sectionBytes(readElf(full.image), manifest as never)).toString()),
    JSON.parse(JSON.stringify(full.manifest)),
  );
});

t.test('what an image that moves cannot have', async (t) => {
  t.throws(() => link('extern char x[]; char y[10]; int main(void) { return (int)(long)y; }', {}, ['-fno-pie', '-mcmodel=kernel']), {
    code: 'relocation-overflow',
    message: /-fPIE/,
  });
  t.throws(
    () =>
      link(
        'static int one(void) { return 1; } static void *pick(void) { return one; } int f(void) __attribute__((ifunc("pick"))); int main(void) { return f(); }',
      ),
    { code: 'unsupported', message: /IFUNC/ },
  );
  t.throws(() => link('int main(void) { return 0; }', { activate: ['nothing'] }), { code: 'missing-component' });
  t.throws(
    () =>
      linkImage({
        components: [{ manifest: { name: 'core', requires: ['gone'] }, archive: components[0]?.archive as Uint8Array }],
        inputs: [],
      }),
    { code: 'missing-component' },
  );
  t.throws(() => link('int x;'), { code: 'undefined-symbol', message: /"main"/ });
});

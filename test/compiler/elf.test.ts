/**
 * compiler/elf on real files, with llvm-readelf, llvm-ar and elfy as independent readers of the same bytes.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  decodeRelr,
  ElfError,
  encodeNote,
  encodeRelr,
  RelaTable,
  readArchive,
  readElf,
  readNotes,
  readSymbols,
  SHT_NOTE,
  SHT_RELA,
  sectionBytes,
  writeArchive,
} from '../../compiler/elf/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-elf-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const source = `__thread int t = 1; static int s; int d = 2; int x[5]; extern int undefined_one; const char *p = "text";
int f(int n) { return n + s + d + x[1] + undefined_one + t; } __attribute__((weak)) int w(void) { return f(1); }`;
writeFileSync(join(folder, 'a.c'), source);
writeFileSync(join(folder, 'with_a_long_file_name.c'), 'int second(void) { return 2; }');
execFileSync('clang', ['-c', '-g', '-O1', '-fPIC', 'a.c', 'with_a_long_file_name.c'], { cwd: folder });
for (const format of ['gnu', 'bsd'])
  execFileSync('llvm-ar', [`--format=${format}`, 'crs', `${format}.a`, 'a.o', 'with_a_long_file_name.o'], { cwd: folder });
execFileSync('llvm-ar', ['crsT', 'thin.a', 'a.o'], { cwd: folder });

const files = ['/bin/busybox', '/bin/sh', process.execPath, join(folder, 'a.o')].filter((path) => existsSync(path));
const readelf = (args: string[], path: string) => execFileSync('llvm-readelf', [...args, path], { encoding: 'utf8', maxBuffer: 2 ** 28 });

t.test('sections and segments, as llvm-readelf has them', async (t) => {
  for (const path of files) {
    const elf = readElf(readFileSync(path));
    const lines = readelf(['-SW'], path).split('\n');
    const expected = lines.flatMap((line) => {
      const match = /^ +\[ *(\d+)\] (\S*) +(\S+) +([0-9a-f]{16}) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)/.exec(line);
      return match ? [`${match[1]} ${match[2]} ${match[4]} ${match[5]} ${match[6]} ${match[7]}`] : [];
    });
    const hex = (value: number, width: number) => value.toString(16).padStart(width, '0');
    const ours = elf.sections.map(
      (s) => `${s.index} ${s.name} ${hex(s.address, 16)} ${hex(s.offset, 6)} ${hex(s.size, 6)} ${hex(s.entrySize, 2)}`,
    );
    t.strictSame(
      ours.slice(1),
      expected.filter((line) => !line.startsWith('0 ')),
      path,
    );
    const segments = readelf(['-lW'], path)
      .split('\n')
      .flatMap(
        (line) =>
          /^ +[A-Z_]+ +(0x[0-9a-f]+) (0x[0-9a-f]+) (0x[0-9a-f]+) (0x[0-9a-f]+) (0x[0-9a-f]+)/
            .exec(line)
            ?.slice(1, 6)
            .map(Number)
            .join(' ') ?? [],
      );
    t.strictSame(
      elf.programHeaders.map((h) => [h.offset, h.virtualAddress, h.physicalAddress, h.fileSize, h.memorySize].join(' ')),
      segments,
      `${path} segments`,
    );
  }
});

t.test('sections, as elfy has them', async (t) => {
  const require = createRequire(import.meta.url);
  const elfy = require('elfy') as { parse(bytes: Buffer): { body: { sections: { name: string; size: number; off: number }[] } } };
  for (const path of ['/bin/busybox', join(folder, 'a.o')]) {
    const bytes = readFileSync(path);
    const theirs = elfy.parse(bytes).body.sections.map((s) => `${s.name} ${s.off} ${s.size}`);
    t.strictSame(
      readElf(bytes).sections.map((s) => `${s.name} ${s.offset} ${s.size}`),
      theirs,
      path,
    );
  }
});

t.test('symbols and relocations, as llvm-readelf has them', async (t) => {
  const path = join(folder, 'a.o');
  const elf = readElf(readFileSync(path));
  const table = readSymbols(elf);
  if (!table) throw new Error('no symbols');
  const expected = readelf(['-sW'], path)
    .split('\n')
    .flatMap((line) => {
      const match = /^ +\d+: ([0-9a-f]{16}) +(\S+) \S+ +(LOCAL|GLOBAL|WEAK) +\S+ +(\S+) ?(.*)$/.exec(line);
      return match ? [`${match[1]} ${Number(match[2])} ${match[3]} ${match[4]} ${match[5]}`] : [];
    });
  const bindings = ['LOCAL', 'GLOBAL', 'WEAK'];
  const special: Record<number, string> = { 0: 'UND', 65521: 'ABS', 65522: 'COM' };
  const ours = Array.from({ length: table.count }, (_, i) => {
    const index = table.section(i);
    const name = table.type(i) === 3 ? (elf.sections[index]?.name ?? '') : table.name(i);
    return `${table.bigValue(i).toString(16).padStart(16, '0')} ${table.size(i)} ${bindings[table.binding(i)]} ${special[index] ?? index} ${name}`;
  });
  t.strictSame(ours, expected);
  const relocations = elf.sections
    .filter((s) => s.type === SHT_RELA)
    .flatMap((s) => {
      const rela = new RelaTable(elf, s);
      return Array.from({ length: rela.count }, (_, i) => `${rela.offset(i)} ${rela.type(i)} ${rela.symbol(i)}`);
    });
  const theirs = readelf(['-rW'], path)
    .split('\n')
    .flatMap((line) => {
      const match = /^([0-9a-f]{16}) +([0-9a-f]{8})([0-9a-f]{8}) R_/.exec(line);
      return match
        ? [`${Number.parseInt(match[1] ?? '', 16)} ${Number.parseInt(match[3] ?? '', 16)} ${Number.parseInt(match[2] ?? '', 16)}`]
        : [];
    });
  t.ok(theirs.length > 10);
  t.strictSame(relocations, theirs);
});

t.test('notes', async (t) => {
  const elf = readElf(readFileSync('/bin/sh'));
  const notes = elf.sections
    .filter((s) => s.type === SHT_NOTE && s.name === '.note.gnu.build-id')
    .flatMap((s) => readNotes(sectionBytes(elf, s)));
  const id = /Build ID: ([0-9a-f]+)/.exec(readelf(['-n'], '/bin/sh'))?.[1];
  t.equal(Buffer.from(notes[0]?.descriptor ?? []).toString('hex'), id);
  t.match(readNotes(encodeNote({ name: 'hull', type: 7, descriptor: Uint8Array.of(1, 2, 3) })), [{ name: 'hull', type: 7 }]);
});

t.test('RELR: encoding and decoding are inverse', async (t) => {
  const sets = [
    [],
    [0x1000],
    [0x1000, 0x1008, 0x1010],
    [0x1000, 0x1200, 0x1208, 0x1400, 0x9000],
    Array.from({ length: 500 }, (_, i) => 0x2000 + i * 8),
    [0x1002, 0x100a, 0x2000],
  ];
  for (const set of sets) t.strictSame(decodeRelr(encodeRelr(set)), set);
  t.equal(encodeRelr(sets[4] as number[]).length, 8 * 9, 'one address and eight bitmaps for 500 words');
});

t.test('archives: GNU, BSD and our own; thin ones are refused', async (t) => {
  for (const name of ['gnu.a', 'bsd.a']) {
    const archive = readArchive(readFileSync(join(folder, name)));
    t.strictSame(
      archive.members.map((m) => m.name),
      ['a.o', 'with_a_long_file_name.o'],
      name,
    );
    for (const member of archive.members)
      t.ok(
        Buffer.compare(
          Buffer.from(member.bytes).subarray(0, readFileSync(join(folder, member.name)).length),
          readFileSync(join(folder, member.name)),
        ) === 0,
      );
    t.strictSame(archive.symbols?.map((s) => `${s.name} ${s.member}`).sort(), ['d 0', 'f 0', 'p 0', 'second 1', 't 0', 'w 0', 'x 0']);
  }
  t.throws(() => readArchive(readFileSync(join(folder, 'thin.a'))), { code: 'thin-archive' });
  const made = writeArchive([
    { name: 'a.o', bytes: readFileSync(join(folder, 'a.o')), symbols: ['f'] },
    { name: 'with_a_long_file_name.o', bytes: readFileSync(join(folder, 'with_a_long_file_name.o')), symbols: ['second'] },
  ]);
  writeFileSync(join(folder, 'made.a'), made);
  t.equal(execFileSync('llvm-ar', ['t', 'made.a'], { cwd: folder, encoding: 'utf8' }), 'a.o\nwith_a_long_file_name.o\n');
  t.equal(readArchive(made).symbols?.length, 2);
});

t.test('what is not ours to read', async (t) => {
  const object = readFileSync(join(folder, 'a.o'));
  const changed = (at: number, value: number) => Object.assign(Buffer.from(object), { [at]: value });
  const refuse = (bytes: Uint8Array, code: string) => t.throws(() => readElf(bytes), { name: 'ElfError', code });
  refuse(Buffer.alloc(0), 'not-elf');
  refuse(Buffer.from('#!/bin/sh\n'), 'not-elf');
  refuse(object.subarray(0, 40), 'truncated');
  refuse(object.subarray(0, object.length - 100), 'truncated');
  refuse(changed(4, 1), 'not-64-bit');
  refuse(changed(5, 2), 'not-little-endian');
  refuse(changed(47, 0x80), 'out-of-range');
  try {
    readElf(changed(4, 1));
  } catch (error) {
    t.equal((error as ElfError).offset, 4);
    t.ok(error instanceof ElfError);
  }
});

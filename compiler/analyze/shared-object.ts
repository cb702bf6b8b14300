/**
 * What the dynamic loader knows of a file: what it needs, offers and asks for.
 *
 * Owns: reading PT_DYNAMIC, its symbols and relocations, which survive stripping and need no section headers. What holds after: every address is a
 * link-time address of the file. Specification: gABI chapter 5, "Dynamic Section".
 * Rule: a table that does not lie in the file is an error, since the loader would not load such a file either; symbol versions are not told apart:
 * whoever asks for a name is taken to get each version of it.
 */
import {
  DT_FINI,
  DT_GNU_HASH,
  DT_HASH,
  DT_INIT,
  DT_JMPREL,
  DT_NEEDED,
  DT_PLTRELSZ,
  DT_RELA,
  DT_RELASZ,
  DT_RELR,
  DT_RELRSZ,
  DT_RPATH,
  DT_RUNPATH,
  DT_SONAME,
  DT_STRSZ,
  DT_STRTAB,
  DT_SYMTAB,
  decodeRelr,
  ElfError,
  type ElfFile,
  PT_DYNAMIC,
  PT_INTERP,
  RELA_SIZE,
  SHN_UNDEF,
  STT_FUNC,
  STT_GNU_IFUNC,
  STT_NOTYPE,
  SYM_SIZE,
} from '../elf/index.ts';
import type { Executable } from '../arch/analysis-isa.ts';
import { describeLoadable } from './executable.ts';
import { isas } from './isas.ts';

export type SharedObject = {
  executable: Executable;
  interpreter: string | undefined;
  needed: string[];
  soname: string | undefined;
  /** DT_RPATH and DT_RUNPATH, as written. */
  searchPaths: string[];
  /** Functions that others can call by name. */
  exports: { name: string; address: number }[];
  /** Words that the loader fills in with a symbol's address. */
  slots: Map<number, string>;
  /** Addresses that the loader stores somewhere: pointers in data. */
  pointers: Set<number>;
  /** Names that the file asks for. */
  imports: Set<string>;
  /** Where the loader enters: DT_INIT, DT_FINI, e_entry. The arrays of both kinds are pointers. */
  starts: number[];
};

export function readSharedObject(bytes: Uint8Array, path: string): SharedObject {
  const { executable, file } = describeLoadable(bytes, path);
  const { reader } = file;
  const { relativeRelocations } = isas[executable.machine];
  const interpreter = file.programHeaders.find(({ type }) => type === PT_INTERP);
  const result: SharedObject = {
    executable,
    interpreter: interpreter && reader.string(interpreter.offset, interpreter.offset + interpreter.fileSize, 'interpreter'),
    needed: [],
    soname: undefined,
    searchPaths: [],
    exports: [],
    slots: new Map(),
    pointers: new Set(),
    imports: new Set(),
    starts: executable.entry === 0 ? [] : [executable.entry],
  };
  const tags = readTags(file);
  const offsetOf = (address: number): number => {
    const segment = executable.segments.find((item) => address >= item.address && address < item.address + item.fileSize);
    if (!segment) throw new ElfError('malformed', 0, `Cannot read dynamic section: address 0x${address.toString(16)} is not in the file`);
    return segment.offset + (address - segment.address);
  };
  const first = (tag: number): number | undefined => tags.get(tag)?.[0];
  for (const tag of [DT_INIT, DT_FINI]) {
    const address = first(tag);
    if (address) result.starts.push(address);
  }
  const stringTable = first(DT_STRTAB);
  const symbolTable = first(DT_SYMTAB);
  if (stringTable === undefined || symbolTable === undefined) return result;
  const strings = offsetOf(stringTable);
  const stringsEnd = strings + (first(DT_STRSZ) ?? 0);
  const text = (at: number) => reader.string(strings + at, stringsEnd, 'dynamic string');
  result.needed = (tags.get(DT_NEEDED) ?? []).map(text);
  const soname = first(DT_SONAME);
  if (soname !== undefined) result.soname = text(soname);
  result.searchPaths = [DT_RPATH, DT_RUNPATH].flatMap((tag) => (tags.get(tag) ?? []).map(text));

  const symbols = offsetOf(symbolTable);
  const tables = ([[first(DT_RELA), first(DT_RELASZ)], [first(DT_JMPREL), first(DT_PLTRELSZ)]] as const).flatMap(([table, size]) => {
    if (!table || !size) return [];
    const start = offsetOf(table);
    reader.require(start, size, 'dynamic relocations');
    return [{ start, end: start + size }];
  });
  let count = countSymbols(file, first(DT_HASH), first(DT_GNU_HASH), offsetOf);
  // A GNU hash table that holds nothing does not tell how many symbols stand before it.
  for (const { start, end } of tables) for (let at = start; at + RELA_SIZE <= end; at += RELA_SIZE) count = Math.max(count, reader.u32(at + 12) + 1);
  reader.require(symbols, count * SYM_SIZE, 'dynamic symbols');
  const nameOf = (index: number) => text(reader.u32(symbols + index * SYM_SIZE));
  for (let index = 1; index < count; index++) {
    const at = symbols + index * SYM_SIZE;
    if (reader.u16(at + 6) === SHN_UNDEF) {
      const name = nameOf(index);
      if (name !== '') result.imports.add(name);
      continue;
    }
    const type = (bytes[at + 4] as number) & 15;
    if (type !== STT_FUNC && type !== STT_GNU_IFUNC && type !== STT_NOTYPE) continue;
    result.exports.push({ name: nameOf(index), address: reader.u64(at + 8, 'symbol value') });
  }

  for (const { start, end } of tables) {
    for (let at = start; at + RELA_SIZE <= end; at += RELA_SIZE) {
      const type = reader.u32(at + 8);
      const symbol = reader.u32(at + 12);
      const addend = reader.signed64(at + 16);
      if (relativeRelocations.has(type)) {
        if (addend !== undefined) result.pointers.add(addend);
      } else if (symbol !== 0 && symbol < count) {
        result.slots.set(reader.u64(at, 'relocated word'), nameOf(symbol));
      }
    }
  }
  const relr = first(DT_RELR);
  if (relr) {
    const words = decodeRelr(reader.slice(offsetOf(relr), first(DT_RELRSZ) ?? 0, 'relative relocations'));
    for (const word of words) {
      const value = reader.signed64(offsetOf(word));
      if (value !== undefined) result.pointers.add(value);
    }
  }
  return result;
}

function readTags({ reader, programHeaders }: ElfFile): Map<number, number[]> {
  const tags = new Map<number, number[]>();
  const header = programHeaders.find(({ type }) => type === PT_DYNAMIC);
  if (!header) return tags;
  reader.require(header.offset, header.fileSize, 'dynamic section');
  for (let at = header.offset; at + 16 <= header.offset + header.fileSize; at += 16) {
    const tag = reader.signed64(at);
    if (tag === undefined || tag === 0) break;
    const value = reader.signed64(at + 8);
    if (value === undefined || value < 0) continue;
    const list = tags.get(tag);
    if (list) list.push(value);
    else tags.set(tag, [value]);
  }
  return tags;
}

/** The dynamic section does not tell how many symbols there are; either hash table does. */
function countSymbols({ reader, sections }: ElfFile, hash: number | undefined, gnuHash: number | undefined, offsetOf: (address: number) => number): number {
  if (hash) {
    const at = offsetOf(hash);
    reader.require(at, 8, 'hash table');
    return reader.u32(at + 4);
  }
  if (!gnuHash) {
    const section = sections.find(({ type }) => type === 11);
    return section ? Math.floor(section.size / SYM_SIZE) : 0;
  }
  const at = offsetOf(gnuHash);
  reader.require(at, 16, 'hash table');
  const [buckets, firstHashed, filters] = [reader.u32(at), reader.u32(at + 4), reader.u32(at + 8)];
  const bucketsAt = at + 16 + filters * 8;
  reader.require(bucketsAt, buckets * 4, 'hash table');
  let last = 0;
  for (let i = 0; i < buckets; i++) last = Math.max(last, reader.u32(bucketsAt + i * 4));
  if (last < firstHashed) return firstHashed;
  const chains = bucketsAt + buckets * 4;
  for (; ; last++) {
    const entry = chains + (last - firstHashed) * 4;
    reader.require(entry, 4, 'hash table');
    if (reader.u32(entry) & 1) return last + 1;
  }
}

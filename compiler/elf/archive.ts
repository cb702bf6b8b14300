/**
 * Reader and writer of ar archives: System V/GNU names ("/123" into the "//" table, symbol index "/" or "/SYM64/") and
 * BSD names ("#1/LEN", index "__.SYMDEF"). Format: ar(5); GNU binutils' and LLVM's documentation of the variants.
 * Thin archives, whose members are elsewhere, are refused.
 */
import { ByteReader } from './bytes.ts';
import { ElfError } from './error.ts';

const HEADER_SIZE = 60;

export interface ArchiveMember {
  name: string;
  /** Where the member's header begins: what the symbol index refers to. */
  headerOffset: number;
  bytes: Uint8Array;
}

export interface Archive {
  members: ArchiveMember[];
  /** Symbol name and index of the member that defines it; undefined when the archive has no index. */
  symbols: { name: string; member: number }[] | undefined;
}

export function isArchive(bytes: Uint8Array): boolean {
  return bytes.length >= 8 && Buffer.from(bytes.subarray(0, 8)).toString('latin1') === '!<arch>\n';
}

export function isThinArchive(bytes: Uint8Array): boolean {
  return bytes.length >= 8 && Buffer.from(bytes.subarray(0, 8)).toString('latin1') === '!<thin>\n';
}

export function readArchive(bytes: Uint8Array): Archive {
  if (isThinArchive(bytes))
    throw new ElfError('thin-archive', 0, 'Cannot read archive: it is thin (holds only names), expected members inside');
  if (!isArchive(bytes)) throw new ElfError('not-archive', 0, 'Cannot read archive: it does not begin with "!<arch>"');
  const reader = new ByteReader(bytes);
  const members: ArchiveMember[] = [];
  const byOffset = new Map<number, number>();
  let index: { bytes: Uint8Array; at: number; kind: 'gnu' | 'gnu64' | 'bsd' } | undefined;
  let longNames: { start: number; end: number } | undefined;
  let at = 8;
  while (at < bytes.length) {
    if (bytes.length - at === 1 && bytes[at] === 0x0a) break;
    reader.require(at, HEADER_SIZE, 'archive member header');
    if (bytes[at + 58] !== 0x60 || bytes[at + 59] !== 0x0a) {
      throw new ElfError('malformed', at, 'Cannot read archive member: its header does not end as it should');
    }
    const sizeText = reader.latin1(at + 48, at + 58).trim();
    if (!/^[0-9]{1,10}$/.test(sizeText))
      throw new ElfError('malformed', at + 48, `Cannot read archive member: size "${sizeText}", expected a number`);
    const size = Number(sizeText);
    const start = at + HEADER_SIZE;
    reader.require(start, size, 'archive member');
    let name = reader.latin1(at, at + 16).trimEnd();
    let data = bytes.subarray(start, start + size);
    if (name === '/' || name === '/SYM64/') {
      index ??= { bytes: data, at: start, kind: name === '/' ? 'gnu' : 'gnu64' };
    } else if (name === '//') {
      longNames = { start, end: start + size };
    } else {
      if (/^\/[0-9]+$/.test(name)) {
        const from = (longNames?.start ?? 0) + Number(name.slice(1));
        if (!longNames || from >= longNames.end)
          throw new ElfError('malformed', at, `Cannot read archive member name "${name}": outside the name table`);
        let end = bytes.indexOf(0x0a, from);
        if (end < 0 || end > longNames.end) end = longNames.end;
        name = reader.latin1(from, end).replace(/[/\0]*$/, '');
      } else if (/^#1\/[0-9]+$/.test(name)) {
        const length = Number(name.slice(3));
        if (length > size) throw new ElfError('malformed', at, `Cannot read archive member name "${name}": longer than the member`);
        name = reader.latin1(start, start + length).replace(/\0*$/, '');
        data = bytes.subarray(start + length, start + size);
      } else {
        name = name.replace(/\/$/, '');
      }
      if (name === '__.SYMDEF' || name === '__.SYMDEF SORTED') {
        index ??= { bytes: data, at: start, kind: 'bsd' };
      } else {
        byOffset.set(at, members.length);
        members.push({ name, headerOffset: at, bytes: data });
      }
    }
    at = start + size + (size & 1);
  }
  return { members, symbols: index && readIndex(index.bytes, index.at, index.kind, byOffset) };
}

function readIndex(bytes: Uint8Array, at: number, kind: 'gnu' | 'gnu64' | 'bsd', byOffset: Map<number, number>): Archive['symbols'] {
  const reader = new ByteReader(bytes);
  const view = reader.view;
  const symbols: { name: string; member: number }[] = [];
  const add = (name: string, offset: number) => {
    const member = byOffset.get(offset);
    if (member === undefined)
      throw new ElfError('malformed', at, `Cannot read archive index: "${name}" is at ${offset}, where no member begins`);
    symbols.push({ name, member });
  };
  if (kind === 'bsd') {
    reader.require(0, 4, 'archive index');
    const tableSize = reader.u32(0);
    reader.require(4, tableSize + 4, 'archive index');
    const strings = 8 + tableSize;
    const stringsEnd = strings + reader.u32(4 + tableSize);
    reader.require(strings, stringsEnd - strings, 'archive index strings');
    for (let i = 0; i + 8 <= tableSize; i += 8) {
      add(reader.string(strings + reader.u32(4 + i), stringsEnd, 'archive index name'), reader.u32(8 + i));
    }
    return symbols;
  }
  const word = kind === 'gnu' ? 4 : 8;
  const read = (offset: number) => (word === 4 ? view.getUint32(offset, false) : Number(view.getBigUint64(offset, false)));
  reader.require(0, word, 'archive index');
  const count = read(0);
  reader.require(word, count * word, 'archive index');
  let string = word + count * word;
  for (let i = 0; i < count; i++) {
    const name = reader.string(string, bytes.length, 'archive index name');
    add(name, read(word + i * word));
    string += name.length + 1;
  }
  return symbols;
}

/** A GNU archive with a symbol index. `symbols` of a member are the names that the index lists for it. */
export function writeArchive(members: readonly { name: string; bytes: Uint8Array; symbols?: readonly string[] }[]): Uint8Array {
  let longNames = '';
  const names = members.map(({ name }) => {
    if (name.length < 16 && !name.includes('/')) return `${name}/`;
    const at = longNames.length;
    longNames += `${name}/\n`;
    return `/${at}`;
  });
  const even = (size: number) => size + (size & 1);
  const entries = members.flatMap((member, i) => (member.symbols ?? []).map((name) => ({ name, member: i })));
  const indexSize = 4 + entries.length * 4 + entries.reduce((sum, { name }) => sum + name.length + 1, 0);
  let total = 8 + HEADER_SIZE + even(indexSize) + (longNames ? HEADER_SIZE + even(longNames.length) : 0);
  const offsets = members.map(({ bytes }) => {
    const offset = total;
    total += HEADER_SIZE + even(bytes.length);
    return offset;
  });
  const out = Buffer.alloc(total, 0x0a);
  let at = out.write('!<arch>\n', 0, 'latin1');
  const put = (name: string, bytes: Uint8Array) => {
    out.write(
      `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'644'.padEnd(8)}${String(bytes.length).padEnd(10)}\`\n`,
      at,
      'latin1',
    );
    out.set(bytes, at + HEADER_SIZE);
    at += HEADER_SIZE + even(bytes.length);
  };
  const index = Buffer.alloc(indexSize);
  index.writeUInt32BE(entries.length, 0);
  let string = 4 + entries.length * 4;
  entries.forEach((entry, i) => {
    index.writeUInt32BE(offsets[entry.member] as number, 4 + i * 4);
    string += index.write(`${entry.name}\0`, string, 'latin1');
  });
  put('/', index);
  if (longNames) put('//', Buffer.from(longNames, 'latin1'));
  members.forEach((member, i) => {
    put(names[i] as string, member.bytes);
  });
  return out;
}

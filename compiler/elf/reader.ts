/**
 * Reader of 64-bit little-endian ELF files: header, program headers, section headers.
 *
 * Specification: System V Application Binary Interface (gABI), chapter 4 "Object files" and 5 "Program loading".
 * Owns no copies: everything it returns refers to the bytes that it was given. Any input gives a result or an ElfError;
 * work and memory are proportional to the tables that really lie in the file.
 */
import { ByteReader } from './bytes.ts';
import { EHDR_SIZE, PHDR_SIZE, SHDR_SIZE, SHN_XINDEX, SHT_NOBITS, SHT_NULL, SHT_STRTAB } from './constants.ts';
import { ElfError } from './error.ts';

export interface ProgramHeader {
  type: number;
  flags: number;
  offset: number;
  virtualAddress: number;
  physicalAddress: number;
  fileSize: number;
  memorySize: number;
  align: number;
}

export interface SectionHeader {
  index: number;
  name: string;
  type: number;
  /** Low 32 bits of sh_flags; no defined flag lies above them. */
  flags: number;
  address: number;
  offset: number;
  size: number;
  link: number;
  info: number;
  align: number;
  entrySize: number;
}

export interface ElfFile {
  reader: ByteReader;
  type: number;
  machine: number;
  entry: number;
  flags: number;
  osAbi: number;
  programHeaderOffset: number;
  programHeaders: ProgramHeader[];
  sections: SectionHeader[];
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** Reads headers and, unless `sections: false`, the section headers. */
export function readElf(bytes: Uint8Array, options: { sections?: boolean } = {}): ElfFile {
  const reader = new ByteReader(bytes);
  if (!isElf(bytes)) throw new ElfError('not-elf', 0, 'Cannot read ELF file: it does not begin with 7f 45 4c 46');
  reader.require(0, EHDR_SIZE, 'ELF header');
  if (bytes[4] !== 2) throw new ElfError('not-64-bit', 4, `Cannot read ELF file: class ${bytes[4]}, expected 2 (64-bit)`);
  if (bytes[5] !== 1) {
    throw new ElfError('not-little-endian', 5, `Cannot read ELF file: data encoding ${bytes[5]}, expected 1 (little-endian)`);
  }
  if (bytes[6] !== 1) throw new ElfError('malformed', 6, `Cannot read ELF file: version ${bytes[6]}, expected 1`);
  const file: ElfFile = {
    reader,
    type: reader.u16(16),
    machine: reader.u16(18),
    entry: reader.u64(24, 'entry address'),
    flags: reader.u32(48),
    osAbi: bytes[7] ?? 0,
    programHeaderOffset: reader.u64(32, 'program header offset'),
    programHeaders: [],
    sections: [],
  };
  file.programHeaders = readProgramHeaders(reader, file.programHeaderOffset, reader.u16(54), reader.u16(56));
  if (options.sections !== false) {
    file.sections = readSections(reader, reader.u64(40, 'section header offset'), reader.u16(58), reader.u16(60), reader.u16(62));
  }
  return file;
}

function readProgramHeaders(reader: ByteReader, table: number, entrySize: number, count: number): ProgramHeader[] {
  if (count === 0) return [];
  if (entrySize !== PHDR_SIZE) {
    throw new ElfError('malformed', 54, `Cannot read program headers: entry size ${entrySize}, expected ${PHDR_SIZE}`);
  }
  reader.require(table, count * PHDR_SIZE, 'program headers');
  const headers: ProgramHeader[] = [];
  for (let i = 0, at = table; i < count; i++, at += PHDR_SIZE) {
    const type = reader.u32(at);
    headers.push({
      type,
      flags: reader.u32(at + 4),
      offset: reader.u64(at + 8, 'segment offset'),
      virtualAddress: reader.u64(at + 16, 'segment address'),
      physicalAddress: reader.u64(at + 24, 'segment physical address'),
      fileSize: reader.u64(at + 32, 'segment file size'),
      memorySize: reader.u64(at + 40, 'segment memory size'),
      align: reader.u64(at + 48, 'segment alignment'),
    });
  }
  return headers;
}

function readSections(reader: ByteReader, table: number, entrySize: number, count: number, nameTable: number): SectionHeader[] {
  if (table === 0) return [];
  if (entrySize !== SHDR_SIZE) {
    throw new ElfError('malformed', 58, `Cannot read section headers: entry size ${entrySize}, expected ${SHDR_SIZE}`);
  }
  reader.require(table, SHDR_SIZE, 'section headers');
  // gABI: numbers that do not fit the header are in section 0.
  const realCount = count === 0 ? reader.u64(table + 32, 'section count') : count;
  const realNames = nameTable === SHN_XINDEX ? reader.u32(table + 40) : nameTable;
  reader.require(table, realCount * SHDR_SIZE, 'section headers');
  const sections: SectionHeader[] = [];
  for (let i = 0, at = table; i < realCount; i++, at += SHDR_SIZE) {
    sections.push({
      index: i,
      name: '',
      type: reader.u32(at + 4),
      flags: reader.u32(at + 8),
      address: reader.u64(at + 16, 'section address'),
      offset: reader.u64(at + 24, 'section offset'),
      size: reader.u64(at + 32, 'section size'),
      link: reader.u32(at + 40),
      info: reader.u32(at + 44),
      align: reader.u64(at + 48, 'section alignment'),
      entrySize: reader.u64(at + 56, 'section entry size'),
    });
  }
  const names = realNames === 0 ? undefined : sections[realNames];
  if (realNames !== 0 && names?.type !== SHT_STRTAB) {
    throw new ElfError('malformed', 62, `Cannot read section names: section ${realNames} is not a string table`);
  }
  if (names) {
    reader.require(names.offset, names.size, 'section name table');
    for (let i = 1; i < realCount; i++) {
      const section = sections[i] as SectionHeader;
      if (section.type === SHT_NULL) continue;
      section.name = reader.string(names.offset + reader.u32(table + i * SHDR_SIZE), names.offset + names.size, `name of section ${i}`);
    }
  }
  return sections;
}

/** The bytes of a section; empty for SHT_NOBITS. */
export function sectionBytes(file: ElfFile, section: SectionHeader): Uint8Array {
  if (section.type === SHT_NOBITS || section.type === SHT_NULL) return file.reader.bytes.subarray(0, 0);
  return file.reader.slice(section.offset, section.size, `section "${section.name}"`);
}

export function segmentBytes(file: ElfFile, segment: ProgramHeader): Uint8Array {
  return file.reader.slice(segment.offset, segment.fileSize, 'segment');
}

export function findSection(file: ElfFile, name: string): SectionHeader | undefined {
  return file.sections.find((section) => section.name === name);
}

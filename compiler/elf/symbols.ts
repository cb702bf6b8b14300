/**
 * Symbol tables (gABI chapter 4, "Symbol Table"). Entries are read from the file's bytes at access: no copy is made,
 * so that a table of a hundred thousand symbols costs nothing until it is used.
 */
import type { ByteReader } from './bytes.ts';
import { SHN_XINDEX, SHT_DYNSYM, SHT_STRTAB, SHT_SYMTAB, SHT_SYMTAB_SHNDX, SYM_SIZE } from './constants.ts';
import { ElfError } from './error.ts';
import type { ElfFile, SectionHeader } from './reader.ts';

export class SymbolTable {
  readonly count: number;
  /** Index of the first non-local symbol (sh_info). */
  readonly firstGlobal: number;
  private readonly reader: ByteReader;
  private readonly base: number;
  private readonly stringsStart: number;
  private readonly stringsEnd: number;
  private readonly extended: number;

  constructor(file: ElfFile, header: SectionHeader) {
    const reader = file.reader;
    if (header.entrySize !== SYM_SIZE || header.size % SYM_SIZE !== 0) {
      throw new ElfError(
        'malformed',
        header.offset,
        `Cannot read symbol table "${header.name}": entry size ${header.entrySize}, expected ${SYM_SIZE}`,
      );
    }
    reader.require(header.offset, header.size, 'symbol table');
    const strings = file.sections[header.link];
    if (strings?.type !== SHT_STRTAB) {
      throw new ElfError('malformed', header.offset, `Cannot read symbol table "${header.name}": its link is not a string table`);
    }
    reader.require(strings.offset, strings.size, 'symbol string table');
    this.reader = reader;
    this.base = header.offset;
    this.count = header.size / SYM_SIZE;
    this.firstGlobal = Math.min(header.info, this.count);
    this.stringsStart = strings.offset;
    this.stringsEnd = strings.offset + strings.size;
    const wide = file.sections.find((section) => section.type === SHT_SYMTAB_SHNDX && section.link === header.index);
    this.extended = 0;
    if (wide) {
      reader.require(wide.offset, this.count * 4, 'extended section indexes');
      this.extended = wide.offset;
    }
  }

  name(index: number): string {
    const at = this.entry(index);
    const name = this.reader.u32(at);
    if (name === 0) return '';
    return this.reader.string(this.stringsStart + name, this.stringsEnd, `name of symbol ${index}`);
  }
  binding(index: number): number {
    return (this.reader.bytes[this.entry(index) + 4] as number) >> 4;
  }
  type(index: number): number {
    return (this.reader.bytes[this.entry(index) + 4] as number) & 15;
  }
  visibility(index: number): number {
    return (this.reader.bytes[this.entry(index) + 5] as number) & 3;
  }
  /** st_shndx as in the file: SHN_XINDEX is not yet looked up. */
  rawSection(index: number): number {
    return this.reader.u16(this.entry(index) + 6);
  }
  /** The section index; reserved ones (SHN_ABS, SHN_COMMON) as they are, only when `rawSection` is below SHN_XINDEX. */
  section(index: number): number {
    const raw = this.rawSection(index);
    if (raw !== SHN_XINDEX) return raw;
    if (this.extended === 0) {
      throw new ElfError('malformed', this.entry(index), `Cannot read symbol ${index}: SHN_XINDEX without a SHT_SYMTAB_SHNDX section`);
    }
    return this.reader.u32(this.extended + index * 4);
  }
  value(index: number): number {
    return this.reader.u64(this.entry(index) + 8, 'symbol value');
  }
  bigValue(index: number): bigint {
    return this.reader.big64(this.entry(index) + 8);
  }
  size(index: number): number {
    return this.reader.u64(this.entry(index) + 16, 'symbol size');
  }

  private entry(index: number): number {
    if (!(index >= 0 && index < this.count)) {
      throw new ElfError('malformed', this.base, `Cannot read symbol ${index}: the table has ${this.count}`);
    }
    return this.base + index * SYM_SIZE;
  }
}

/** The file's .symtab (or .dynsym when asked), or undefined when it has none. */
export function readSymbols(file: ElfFile, kind: 'static' | 'dynamic' = 'static'): SymbolTable | undefined {
  const type = kind === 'static' ? SHT_SYMTAB : SHT_DYNSYM;
  const header = file.sections.find((section) => section.type === type);
  return header && new SymbolTable(file, header);
}

/**
 * Writer of 64-bit little-endian ELF structures: header, program and section headers, symbols, string tables.
 * Each function writes at an offset into bytes that the caller has laid out; sizes are in constants.ts.
 */
import { EHDR_SIZE, PHDR_SIZE, SHDR_SIZE, SHN_LORESERVE, SHN_XINDEX } from './constants.ts';
import type { ProgramHeader, SectionHeader } from './reader.ts';

export function setU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000) >>> 0, true);
}

export interface ElfHeaderFields {
  type: number;
  machine: number;
  entry: number;
  programHeaderOffset: number;
  programHeaderCount: number;
  sectionHeaderOffset: number;
  sectionHeaderCount: number;
  sectionNameIndex: number;
}

/** When the section count or name index needs more than 16 bits the caller's section 0 carries it (`firstSection`). */
export function writeElfHeader(view: DataView, header: ElfHeaderFields): void {
  view.setUint32(0, 0x7f454c46, false);
  view.setUint32(4, 0x02010100, false);
  view.setUint16(16, header.type, true);
  view.setUint16(18, header.machine, true);
  view.setUint32(20, 1, true);
  setU64(view, 24, header.entry);
  setU64(view, 32, header.programHeaderOffset);
  setU64(view, 40, header.sectionHeaderOffset);
  view.setUint16(52, EHDR_SIZE, true);
  view.setUint16(54, PHDR_SIZE, true);
  view.setUint16(56, header.programHeaderCount, true);
  view.setUint16(58, SHDR_SIZE, true);
  view.setUint16(60, header.sectionHeaderCount < SHN_LORESERVE ? header.sectionHeaderCount : 0, true);
  view.setUint16(62, header.sectionNameIndex < SHN_LORESERVE ? header.sectionNameIndex : SHN_XINDEX, true);
}

export function writeProgramHeader(view: DataView, offset: number, header: ProgramHeader): void {
  view.setUint32(offset, header.type, true);
  view.setUint32(offset + 4, header.flags, true);
  setU64(view, offset + 8, header.offset);
  setU64(view, offset + 16, header.virtualAddress);
  setU64(view, offset + 24, header.physicalAddress);
  setU64(view, offset + 32, header.fileSize);
  setU64(view, offset + 40, header.memorySize);
  setU64(view, offset + 48, header.align);
}

export function writeSectionHeader(
  view: DataView,
  offset: number,
  nameOffset: number,
  header: Omit<SectionHeader, 'index' | 'name'>,
): void {
  view.setUint32(offset, nameOffset, true);
  view.setUint32(offset + 4, header.type, true);
  setU64(view, offset + 8, header.flags);
  setU64(view, offset + 16, header.address);
  setU64(view, offset + 24, header.offset);
  setU64(view, offset + 32, header.size);
  view.setUint32(offset + 40, header.link, true);
  view.setUint32(offset + 44, header.info, true);
  setU64(view, offset + 48, header.align);
  setU64(view, offset + 56, header.entrySize);
}

export interface SymbolFields {
  nameOffset: number;
  binding: number;
  type: number;
  visibility: number;
  section: number;
  value: bigint | number;
  size: number;
}

export function writeSymbol(view: DataView, offset: number, symbol: SymbolFields): void {
  view.setUint32(offset, symbol.nameOffset, true);
  view.setUint8(offset + 4, (symbol.binding << 4) | symbol.type);
  view.setUint8(offset + 5, symbol.visibility);
  view.setUint16(offset + 6, symbol.section, true);
  if (typeof symbol.value === 'bigint') view.setBigUint64(offset + 8, BigInt.asUintN(64, symbol.value), true);
  else setU64(view, offset + 8, symbol.value);
  setU64(view, offset + 16, symbol.size);
}

/** A growing string table; equal strings share one place. */
export class StringTable {
  private readonly offsets = new Map<string, number>([['', 0]]);
  private readonly parts: string[] = ['\0'];
  private length = 1;

  add(text: string): number {
    const known = this.offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.length;
    this.offsets.set(text, offset);
    this.parts.push(text, '\0');
    this.length += text.length + 1;
    return offset;
  }

  bytes(): Uint8Array {
    return Buffer.from(this.parts.join(''), 'latin1');
  }
}

/**
 * Relocation tables: RELA (gABI chapter 4, "Relocation") and RELR (gABI, "SHT_RELR": relative relocations as addresses
 * and bitmaps). Entries of a RELA table are read at access.
 */
import type { ByteReader } from './bytes.ts';
import { RELA_SIZE } from './constants.ts';
import { ElfError } from './error.ts';
import type { ElfFile, SectionHeader } from './reader.ts';

export class RelaTable {
  readonly count: number;
  private readonly reader: ByteReader;
  private readonly base: number;

  constructor(file: ElfFile, header: SectionHeader) {
    if (header.entrySize !== RELA_SIZE || header.size % RELA_SIZE !== 0) {
      throw new ElfError(
        'malformed',
        header.offset,
        `Cannot read relocations "${header.name}": entry size ${header.entrySize}, expected ${RELA_SIZE}`,
      );
    }
    file.reader.require(header.offset, header.size, 'relocations');
    this.reader = file.reader;
    this.base = header.offset;
    this.count = header.size / RELA_SIZE;
  }

  /** r_offset; callers check it against the section's size. Too large values come back as Infinity. */
  offset(index: number): number {
    const at = this.base + index * RELA_SIZE;
    const high = this.reader.u32(at + 4);
    return high >= 0x200000 ? Number.POSITIVE_INFINITY : high * 0x1_0000_0000 + this.reader.u32(at);
  }
  type(index: number): number {
    return this.reader.u32(this.base + index * RELA_SIZE + 8);
  }
  symbol(index: number): number {
    return this.reader.u32(this.base + index * RELA_SIZE + 12);
  }
  /** The addend when it is a safe integer, else undefined (then `bigAddend` has it). */
  addend(index: number): number | undefined {
    return this.reader.signed64(this.base + index * RELA_SIZE + 16);
  }
  bigAddend(index: number): bigint {
    return BigInt.asIntN(64, this.reader.big64(this.base + index * RELA_SIZE + 16));
  }
}

/** Addresses (even, ascending, distinct) as a RELR table: an address, then bitmaps of the 63 words after it. */
export function encodeRelr(addresses: readonly number[]): Uint8Array {
  const words: bigint[] = [];
  let i = 0;
  while (i < addresses.length) {
    const first = addresses[i] as number;
    if (first % 2 !== 0) throw new ElfError('malformed', first, `Cannot encode RELR address 0x${first.toString(16)}: odd`);
    words.push(BigInt(first));
    i++;
    let base = first + 8;
    for (;;) {
      let bitmap = 0n;
      for (; i < addresses.length; i++) {
        const delta = (addresses[i] as number) - base;
        if (delta < 0 || delta >= 63 * 8 || delta % 8 !== 0) break;
        bitmap |= 1n << BigInt(delta / 8 + 1);
      }
      if (bitmap === 0n) break;
      words.push(bitmap | 1n);
      base += 63 * 8;
    }
  }
  const bytes = new Uint8Array(words.length * 8);
  const view = new DataView(bytes.buffer);
  words.forEach((word, index) => {
    view.setBigUint64(index * 8, word, true);
  });
  return bytes;
}

export function decodeRelr(bytes: Uint8Array): number[] {
  if (bytes.length % 8 !== 0) throw new ElfError('malformed', 0, `Cannot read RELR table: ${bytes.length} bytes, expected a multiple of 8`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const addresses: number[] = [];
  let base = 0;
  for (let at = 0; at < bytes.length; at += 8) {
    const word = view.getBigUint64(at, true);
    if ((word & 1n) === 0n) {
      if (word >= 1n << 53n) throw new ElfError('out-of-range', at, 'Cannot read RELR table: address too large, expected less than 2^53');
      addresses.push(Number(word));
      base = Number(word) + 8;
    } else {
      for (let bit = 1n; bit < 64n; bit++) if ((word >> bit) & 1n) addresses.push(base + (Number(bit) - 1) * 8);
      base += 63 * 8;
    }
  }
  return addresses;
}

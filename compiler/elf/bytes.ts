/**
 * Bounds-checked little-endian access to a file's bytes.
 *
 * Rule: 64-bit quantities that are used as sizes, offsets or addresses must be below 2^53 and come back as numbers;
 * anything larger is an ElfError. Where a full 64-bit value is meaningful (symbol values, addends) `signed64` gives
 * the exact value as a number when it fits, and `big64` always does.
 */
import { ElfError } from './error.ts';

const TWO_32 = 0x1_0000_0000;

export class ByteReader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  private readonly buffer: Buffer;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** Throws unless [offset, offset + size) lies in the file. */
  require(offset: number, size: number, what: string): void {
    if (!(offset >= 0 && size >= 0 && offset + size <= this.bytes.length)) {
      throw new ElfError(
        'truncated',
        Math.min(offset, this.bytes.length),
        `Cannot read ${what}: bytes ${offset}..${offset + size} of a file of ${this.bytes.length}, expected them inside`,
      );
    }
  }

  slice(offset: number, size: number, what: string): Uint8Array {
    this.require(offset, size, what);
    return this.bytes.subarray(offset, offset + size);
  }

  u16(offset: number): number {
    return this.view.getUint16(offset, true);
  }

  u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  /** An unsigned 64-bit quantity that must be below 2^53. */
  u64(offset: number, what: string): number {
    const high = this.view.getUint32(offset + 4, true);
    if (high >= 0x200000) {
      throw new ElfError(
        'out-of-range',
        offset,
        `Cannot use ${what} "0x${this.big64(offset).toString(16)}": too large, expected less than 2^53`,
      );
    }
    return high * TWO_32 + this.view.getUint32(offset, true);
  }

  /** The two's-complement value when it is a safe integer, else undefined. */
  signed64(offset: number): number | undefined {
    const value = this.view.getInt32(offset + 4, true) * TWO_32 + this.view.getUint32(offset, true);
    return Number.isSafeInteger(value) ? value : undefined;
  }

  big64(offset: number): bigint {
    return this.view.getBigUint64(offset, true);
  }

  /** The NUL-ended string at `offset`, which must end before `limit`. One char per byte, so that any name round-trips. */
  string(offset: number, limit: number, what: string): string {
    if (!(offset >= 0 && offset < limit && limit <= this.bytes.length)) {
      throw new ElfError('malformed', Math.max(0, offset), `Cannot read ${what}: its string lies outside the string table`);
    }
    const end = this.bytes.indexOf(0, offset);
    if (end < 0 || end >= limit) {
      throw new ElfError('malformed', offset, `Cannot read ${what}: its string does not end, expected a NUL in the string table`);
    }
    return this.buffer.toString('latin1', offset, end);
  }

  latin1(offset: number, end: number): string {
    return this.buffer.toString('latin1', offset, end);
  }
}

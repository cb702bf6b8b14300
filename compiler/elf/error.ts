/** The one error of compiler/elf: what was wrong with the bytes, and where. */

export type ElfErrorCode =
  | 'not-elf'
  | 'not-64-bit'
  | 'not-little-endian'
  | 'truncated'
  | 'out-of-range'
  | 'malformed'
  | 'not-archive'
  | 'thin-archive';

export class ElfError extends Error {
  override readonly name = 'ElfError';
  readonly code: ElfErrorCode;
  /** Byte offset in the file at which the reader gave up. */
  readonly offset: number;

  constructor(code: ElfErrorCode, offset: number, message: string, options?: ErrorOptions) {
    super(`${message} (at offset 0x${offset.toString(16)})`, options);
    this.code = code;
    this.offset = offset;
  }
}

/** The one error of compiler/elf: what was wrong with the bytes, and where. */

export type ElfErrorCode =
  | 'not-elf' // the magic number is another
  | 'not-64-bit' // ELF class 32
  | 'not-little-endian' // big-endian ELF
  | 'truncated' // a table or section lies beyond the end of the file
  | 'out-of-range' // a number that is larger than it can be
  | 'malformed' // a field or table that contradicts the format
  | 'not-archive' // no ar archive
  | 'thin-archive'; // an archive that holds only names of files

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

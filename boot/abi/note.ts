/**
 * Finds hull's image note in an ELF file, reading little of it. Owns: the decision "this file is a hull image". Rules: it works on
 * an open file by positioned reads, trusts no number of it, and reads at most a page, the program headers and 64 KiB of notes.
 * It is deliberately not compiler/elf: starting a machine must not load the toolchain. Format: gABI, "ELF Header", "Program
 * Header", "Note Section".
 */
import { readSync } from 'node:fs';
import { ABI_VERSION, NOTE_IMAGE } from './constants.ts';

export interface ImageNote {
  readonly version: number;
  readonly features: number;
  /** Bytes: the image and what it needs to start. */
  readonly leastMemory: number;
  /** The instruction set; absent: x86-64's. */
  readonly isa?: 'aarch64';
}

const PT_NOTE = 4;
const EM_AARCH64 = 183;
const NOTES_MAX = 65536;
const HEADERS_MAX = 65536;

/** Reads up to `size` bytes at `position`; fewer at the end of the file. */
function readAt(fd: number, position: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  let done = 0;
  while (done < size) {
    const count = readSync(fd, bytes, done, size - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

export function parseImageNote(notes: Buffer): ImageNote | undefined {
  let at = 0;
  while (at + 12 <= notes.length) {
    const nameSize = notes.readUInt32LE(at);
    const descSize = notes.readUInt32LE(at + 4);
    const type = notes.readUInt32LE(at + 8);
    const desc = at + 12 + Math.ceil(nameSize / 4) * 4;
    if (desc + descSize > notes.length) return undefined;
    if (type === NOTE_IMAGE && nameSize === 5 && descSize >= 16 && notes.toString('latin1', at + 12, at + 17) === 'hull\0') {
      return {
        version: notes.readUInt32LE(desc),
        features: notes.readUInt32LE(desc + 4),
        leastMemory: Number(notes.readBigUInt64LE(desc + 8)),
      };
    }
    at = desc + Math.ceil(descSize / 4) * 4;
  }
  return undefined;
}

/** The note of the ELF64 file behind `fd`, or undefined when it is no hull image (which says nothing about what it is). */
export function readImageNote(fd: number): ImageNote | undefined {
  return readNoteFrom((position, size) => readAt(fd, position, size));
}

/** The same of bytes that are somewhere else; `read` gives fewer at the end. */
export function readNoteFrom(read: (position: number, size: number) => Buffer): ImageNote | undefined {
  const page = read(0, 4096);
  if (page.length < 64 || page.readUInt32BE(0) !== 0x7f454c46 || page[4] !== 2 || page[5] !== 1) return undefined;
  const offset = Number(page.readBigUInt64LE(32));
  const entrySize = page.readUInt16LE(54);
  const size = entrySize * page.readUInt16LE(56);
  if (entrySize < 56 || size > HEADERS_MAX || offset > Number.MAX_SAFE_INTEGER - size) return undefined;
  const headers = offset + size <= page.length ? page.subarray(offset, offset + size) : read(offset, size);
  for (let at = 0; at + entrySize <= headers.length; at += entrySize) {
    if (headers.readUInt32LE(at) !== PT_NOTE) continue;
    const position = Number(headers.readBigUInt64LE(at + 8));
    const length = Number(headers.readBigUInt64LE(at + 32));
    if (length > NOTES_MAX || position > Number.MAX_SAFE_INTEGER - length) continue;
    const notes = position + length <= page.length ? page.subarray(position, position + length) : read(position, length);
    const note = parseImageNote(notes);
    if (note !== undefined) return page.readUInt16LE(18) === EM_AARCH64 ? { ...note, isa: 'aarch64' } : note;
  }
  return undefined;
}

export function isSupportedNote(note: ImageNote): boolean {
  return note.version === ABI_VERSION;
}

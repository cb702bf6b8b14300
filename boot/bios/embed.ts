/**
 * A kernel that brings its boot module along: for VMMs that start an ELF file by its PVH note (QEMU -kernel, Firecracker, Xen) and are told nothing else. Owns: the added segment and the
 * code in it. Formats: gABI, "ELF Header", "Program Header", "Note Section"; Xen's docs/misc/pvh.pandoc and hvm/start_info.h. Rule: a VMM that brings a module keeps its own.
 *
 * The file's program headers move to its end, with one more: a segment behind the image's memory, which holds the new entry, a module list and the module.
 */
import { BootError } from '../errors.ts';

const PAGE = 4096;
const HEADER = { programHeaders: 32, sectionHeaders: 40, headerSize: 54, headerCount: 56, sectionHeaderSize: 58 } as const;
const PROGRAM_HEADER = 56;
const LOAD = 1;
const NOTE = 4;
const NOTE_ENTRY = 18;
/** Of the segment: entry, hvm_modlist_entry, then on a page of its own the module. */
const LIST_AT = 64;

const toPage = (at: number) => Math.ceil(at / PAGE) * PAGE;

/** 32-bit code; %ebx: hvm_start_info, of which 12 is the count of modules and 16 their list. */
function entryCode(list: number, entry: number): Buffer {
  const word = (value: number) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
  const set = [0xc7, 0x43, 12, ...word(1), 0xc7, 0x43, 16, ...word(list), 0xc7, 0x43, 20, ...word(0)]; // movl $value, offset(%ebx)
  return Buffer.from([
    ...[0x83, 0x7b, 12, 0], // cmpl $0, 12(%ebx)
    ...[0x75, set.length], // jne over
    ...set,
    ...[0xb8, ...word(entry)], // movl $entry, %eax
    ...[0xff, 0xe0], // jmp *%eax
  ]);
}

interface Note {
  /** Where in the file the entry's address is. */
  readonly at: number;
  readonly entry: number;
}

function findEntry(kernel: Buffer, headers: readonly Buffer[]): Note | undefined {
  for (const header of headers.filter((each) => each.readUInt32LE(0) === NOTE)) {
    const start = Number(header.readBigUInt64LE(8));
    const end = start + Number(header.readBigUInt64LE(32));
    for (let at = start; at + 12 <= end; ) {
      const [nameSize, size, type] = [kernel.readUInt32LE(at), kernel.readUInt32LE(at + 4), kernel.readUInt32LE(at + 8)];
      const body = at + 12 + Math.ceil(nameSize / 4) * 4;
      if (type === NOTE_ENTRY && nameSize === 4 && size === 8 && kernel.toString('latin1', at + 12, at + 16) === 'Xen\0') return { at: body, entry: Number(kernel.readBigUInt64LE(body)) };
      at = body + Math.ceil(size / 4) * 4;
    }
  }
  return undefined;
}

/** What the image is before and behind the root's bytes, of which there are rootSize. */
export function embedModule(kernelFile: Uint8Array, module: Uint8Array, rootSize: number): { readonly head: Buffer; readonly tail: Buffer } {
  const kernel = Buffer.from(kernelFile);
  const at = Number(kernel.readBigUInt64LE(HEADER.programHeaders));
  const count = kernel.readUInt16LE(HEADER.headerCount);
  const headers = Array.from({ length: count }, (_, i) => kernel.subarray(at + i * PROGRAM_HEADER, at + (i + 1) * PROGRAM_HEADER));
  const note = findEntry(kernel, headers);
  if (note === undefined || kernel.readUInt16LE(HEADER.headerSize) !== PROGRAM_HEADER) throw new BootError('image-invalid', 'Cannot put a boot module into the image: no PVH entry in it, expected an image made by hull');
  const end = headers.filter((each) => each.readUInt32LE(0) === LOAD).reduce((most, each) => Math.max(most, Number(each.readBigUInt64LE(24) + each.readBigUInt64LE(40))), 0);
  const segment = toPage(end);
  const moduleAt = segment + PAGE;
  const size = PAGE + module.length + rootSize;
  if (segment + size > 0xffffffff) throw new BootError('image-invalid', `Cannot put ${size} bytes into the image: it would end above 4 GiB, expected a smaller root file system; raw and qcow2 images keep it on the disk`);

  const front = Buffer.alloc(PAGE);
  front.set(entryCode(segment + LIST_AT, note.entry));
  front.writeBigUInt64LE(BigInt(moduleAt), LIST_AT);
  front.writeBigUInt64LE(BigInt(module.length + rootSize), LIST_AT + 8);
  kernel.writeBigUInt64LE(BigInt(segment), note.at);

  const own = Buffer.alloc(PROGRAM_HEADER);
  const fileAt = toPage(kernel.length);
  own.writeUInt32LE(LOAD, 0);
  own.writeUInt32LE(7, 4);
  for (const [i, value] of [fileAt, segment, segment, size, size, PAGE].entries()) own.writeBigUInt64LE(BigInt(value), 8 + i * 8);
  // Section headers would lie in the middle now: hull's images for machines are stripped of them anyway.
  kernel.writeBigUInt64LE(BigInt(fileAt + size), HEADER.programHeaders);
  kernel.writeUInt16LE(count + 1, HEADER.headerCount);
  kernel.fill(0, HEADER.sectionHeaders, HEADER.sectionHeaders + 8);
  kernel.fill(0, HEADER.sectionHeaderSize, 64);
  return { head: Buffer.concat([kernel, Buffer.alloc(fileAt - kernel.length), front, module]), tail: Buffer.concat([...headers, own]) };
}

/** ELF notes (gABI chapter 5, "Note Section"): u32 name size, u32 descriptor size, u32 type, then both, padded. */
import { ElfError } from './error.ts';

export interface ElfNote {
  name: string;
  type: number;
  descriptor: Uint8Array;
}

/** `align` is the padding of name and descriptor: 4 nearly everywhere, 8 in .note.gnu.property. */
export function readNotes(bytes: Uint8Array, align: 4 | 8 = 4): ElfNote[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pad = (size: number) => Math.ceil(size / align) * align;
  const notes: ElfNote[] = [];
  let at = 0;
  while (at + 12 <= bytes.length) {
    const nameSize = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    const descriptorAt = at + pad(12 + nameSize);
    if (descriptorAt + size > bytes.length) throw new ElfError('truncated', at, 'Cannot read note: it reaches beyond its section');
    const name = Buffer.from(bytes.subarray(at + 12, at + 12 + nameSize))
      .toString('latin1')
      .replace(/\0.*$/s, '');
    notes.push({ name, type: view.getUint32(at + 8, true), descriptor: bytes.subarray(descriptorAt, descriptorAt + size) });
    at = descriptorAt + pad(size);
  }
  return notes;
}

export function encodeNote(note: ElfNote): Uint8Array {
  const name = Buffer.from(`${note.name}\0`, 'latin1');
  const pad = (size: number) => Math.ceil(size / 4) * 4;
  const bytes = new Uint8Array(12 + pad(name.length) + pad(note.descriptor.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, name.length, true);
  view.setUint32(4, note.descriptor.length, true);
  view.setUint32(8, note.type, true);
  bytes.set(name, 12);
  bytes.set(note.descriptor, 12 + pad(name.length));
  return bytes;
}

/**
 * Function ranges out of .eh_frame.
 *
 * Owns: the walk over call-frame records, only as far as it takes to know where each function begins and ends. Stripped programs
 * keep this table, because unwinding needs it. Format: LSB Core, "Exception Frames"; pointer encodings: DWARF EH (DW_EH_PE_*).
 * Rule: a malformed record ends the walk; ranges found until then stay. The caller treats everything else as code of no known shape.
 */

/** `isEntry`: the table says that it begins as a called function does, with nothing but the return address on the stack. The cold part of a function does not. */
export type FrameRange = { start: number; end: number; isEntry: boolean };

const cieId = 0;
const encodingOmitted = 0xff;
const encodingAbsolute = 0x00;
const encodingPcRelative = 0x10;

/** Lists the code ranges that the frame description entries of one .eh_frame section cover. */
export function readFrameRanges(section: Uint8Array, address: number): FrameRange[] {
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  const encodings = new Map<number, number>();
  const augmented = new Set<number>();
  const ranges: FrameRange[] = [];
  let at = 0;
  while (at + 8 <= section.length) {
    const length = view.getUint32(at, true);
    if (length === 0) {
      // A terminator ends one input file's table; link editors may leave further records behind it.
      at += 4;
      continue;
    }
    if (length === 0xffffffff || at + 4 + length > section.length || length < 4) break;
    const next = at + 4 + length;
    const id = view.getUint32(at + 4, true);
    if (id === cieId) {
      encodings.set(at, readPointerEncoding(section, at + 8, next));
      if (section[at + 9] === 0x7a) augmented.add(at); // "z…": augmentation data has a size
    } else {
      const encoding = encodings.get(at + 4 - id) ?? encodingOmitted;
      const range = readRange(view, at + 8, next, address, encoding, augmented.has(at + 4 - id));
      if (range) ranges.push(range);
    }
    at = next;
  }
  return ranges;
}

/** The FDE pointer encoding of a common information entry: the "R" of its augmentation string, else absolute. */
function readPointerEncoding(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const version = bytes[at++];
  const augmentation = at;
  while (at < end && bytes[at] !== 0) at++;
  const letters = String.fromCharCode(...bytes.subarray(augmentation, Math.min(at, augmentation + 8)));
  at++;
  // A signal frame's range begins before its code (unwinders look up the return address less one): no function bound.
  if (letters.includes('S')) return encodingOmitted;
  if (!letters.startsWith('z')) return letters === '' ? encodingAbsolute : encodingOmitted;
  at = skipLeb(bytes, at, end); // code alignment
  at = skipLeb(bytes, at, end); // data alignment
  at = version === 1 ? at + 1 : skipLeb(bytes, at, end); // return address register
  at = skipLeb(bytes, at, end); // augmentation size
  for (const letter of letters.slice(1)) {
    if (letter === 'R') return bytes[at] ?? encodingOmitted;
    if (letter === 'L') at += 1;
    else if (letter === 'P') at += 1 + pointerSize(bytes[at] ?? encodingOmitted);
    else if (letter !== 'B') return encodingOmitted;
  }
  return encodingAbsolute;
}

function skipLeb(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && (bytes[at] ?? 0) & 0x80) at++;
  return at + 1;
}

function pointerSize(encoding: number): number {
  const form = encoding & 0x07;
  return form === 2 ? 2 : form === 3 ? 4 : 8;
}

function readRange(
  view: DataView,
  at: number,
  end: number,
  address: number,
  encoding: number,
  isAugmented: boolean,
): FrameRange | undefined {
  const application = encoding & 0x70;
  if (encoding === encodingOmitted || encoding & 0x80) return undefined;
  if (application !== encodingAbsolute && application !== encodingPcRelative) return undefined;
  const size = pointerSize(encoding);
  if (size === 2 || at + 2 * size > end) return undefined;
  const signed = (encoding & 0x08) !== 0;
  const first =
    size === 8
      ? Number(view.getBigInt64(at, true))
      : signed
        ? view.getInt32(at, true)
        : view.getUint32(at, true);
  const start = application === encodingPcRelative ? address + at + first : first;
  const length = size === 8 ? Number(view.getBigUint64(at + 8, true)) : view.getUint32(at + 4, true);
  if (!Number.isSafeInteger(start) || !(length > 0) || !Number.isSafeInteger(start + length)) return undefined;
  return { start, end: start + length, isEntry: beginsAsCalled(view, at + 2 * size, end, isAugmented) };
}

const advanceOpcodes = new Set([0x02, 0x03, 0x04, 0x1d]);

/** Whether the first thing that the table says is about a place behind the beginning (DWARF 5, 6.4.2: DW_CFA_advance_loc; nops are padding). */
function beginsAsCalled(view: DataView, start: number, end: number, isAugmented: boolean): boolean {
  let at = start;
  if (isAugmented) {
    let size = 0;
    for (let shift = 0; at < end; shift += 7) {
      const byte = view.getUint8(at++);
      size |= (byte & 0x7f) << shift;
      if (!(byte & 0x80)) break;
    }
    at += size;
  }
  while (at < end && view.getUint8(at) === 0) at++;
  if (at >= end) return true;
  const opcode = view.getUint8(at);
  return opcode >> 6 === 1 || advanceOpcodes.has(opcode);
}

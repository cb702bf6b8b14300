/**
 * Where `br` leads inside a function.
 *
 * Owns: the tables of distances that compilers make for switch: 1, 2 or 4 bytes each, counted from a place in the code or from the table, mostly in
 * instructions. Tables of addresses are pointers in data, which the references have.
 * Rule: where the address is computed and the table is not understood, every instruction of the region is a target. An address that is loaded, or that the
 * function was called with, is another function's.
 */
import type { Executable, Region } from '../../analysis-isa.ts';
import { addend, adrpTarget, adrTarget, field, isAddImmediate, isAdr, isAdrp, isCopy, isWide, lr, readAccess, rm, rn, sp, wordAt, writtenBy } from './words.ts';

const mostWords = 2048;
const mostEntries = 4096;

export function findJumpTargets(executable: Executable, region: Region, index: number): Iterable<number> {
  const jump = wordAt(region.bytes, index * 4);
  if (rn(jump) === lr) return [];
  const computed = findComputed(region, index, rn(jump));
  if (computed === undefined) return [];
  const table = computed < 0 ? undefined : readTable(region, computed);
  const targets = table && readTargets(executable, region, table);
  return targets ?? everyInstruction(region, table);
}

/** Of the region, or as far as the table's distances reach. */
function* everyInstruction({ bytes, start }: Region, table?: Table): Generator<number> {
  const reach = table ? 2 ** (8 * table.width + table.shift) : Infinity;
  const base = table ? table.base - start : 0;
  const first = Math.max(0, base - reach);
  const end = Math.min(bytes.length, base + reach + 4);
  for (let at = first - (first % 4); at + 4 <= end; at += 4) yield at;
}

/** The last instruction before one, in the order of addresses, that writes a register; not before a function's beginning, which makes room on the stack. */
function findWriter({ bytes }: Region, before: number, register: number): number | undefined {
  for (let index = before - 1; index >= 0 && before - index <= mostWords; index--) {
    const word = wordAt(bytes, index * 4);
    if ((writtenBy(word) >>> register) & 1) return index;
    const access = (word & 0x0a0003e0) === 0x080003e0 ? readAccess(word) : undefined;
    if (access?.base === sp && !access.isLoad && (access.writeBack ?? 0) < 0) return undefined;
  }
  return undefined;
}

const isRegisterAdd = (word: number) => (word & 0xff200000) >>> 0 === 0x8b000000 || (word & 0xffe00000) >>> 0 === 0x8b200000;

/** The addition of registers that makes the address; undefined: it is no address of this region; negative: it is made in another way. */
function findComputed(region: Region, before: number, register: number): number | undefined {
  const index = findWriter(region, before, register);
  if (index === undefined) return undefined;
  const word = wordAt(region.bytes, index * 4);
  if (isRegisterAdd(word)) return index;
  if (isCopy(word)) return findComputed(region, index, rm(word));
  if (isAdr(word)) return -1;
  if (isAddImmediate(word)) {
    // An adrp before it: the address of a function, as in a linker's stub.
    const base = findWriter(region, index, rn(word));
    return base !== undefined && isAdrp(wordAt(region.bytes, base * 4)) ? undefined : -1;
  }
  // Loaded; unscrambled, as the C library keeps its pointers; or left by a call.
  const isLoaded = (field(word, 25, 4) & 5) === 4;
  const isUnscrambled = (word & 0xffe00000) >>> 0 === 0xca000000;
  return isLoaded || isUnscrambled || field(word, 26, 3) === 5 ? undefined : -1;
}

/** `address`: undefined where it is not known. */
type Table = { base: number; address: number | undefined; width: number; isSigned: boolean; shift: number; count: number };

function readTable(region: Region, index: number): Table | undefined {
  const add = wordAt(region.bytes, index * 4);
  const isExtended = field(add, 21, 1) === 1;
  // An extension to a byte, a half or a word, signed; or none.
  const extension = isExtended ? field(add, 13, 3) : 3;
  const shift = isExtended ? field(add, 10, 3) : field(add, 10, 6);
  if (!isExtended && field(add, 22, 2) !== 0) return undefined;
  for (const [base, distance] of [[rn(add), rm(add)], [rm(add), rn(add)]] as const) {
    if (isExtended && distance !== rm(add)) continue;
    const baseAddress = findAddress(region, index, base);
    const loader = findWriter(region, index, distance);
    if (baseAddress === undefined || loader === undefined) continue;
    const load = wordAt(region.bytes, loader * 4);
    // A load with a register as offset.
    if ((load & 0x3f200c00) !== 0x38200800 || field(load, 22, 2) === 0) continue;
    const address = findAddress(region, loader, rn(load));
    const width = 1 << field(load, 30, 2);
    if (width > 4 || (extension & 3) < field(load, 30, 2)) continue;
    const isSigned = field(load, 22, 2) >= 2 || (extension >= 4 && (extension & 3) === field(load, 30, 2));
    return { base: baseAddress, address, width, isSigned, shift, count: findCount(region, loader, rm(load)) };
  }
  return undefined;
}

/** What adr, or adrp and add, put into a register. */
function findAddress(region: Region, before: number, register: number): number | undefined {
  const index = findWriter(region, before, register);
  if (index === undefined) return undefined;
  const word = wordAt(region.bytes, index * 4);
  if (isAdr(word)) return adrTarget(word, region.start + index * 4);
  if (isAdrp(word)) return adrpTarget(word, region.start + index * 4);
  if (!isAddImmediate(word) || !isWide(word)) return undefined;
  const page = findWriter(region, index, rn(word));
  if (page === undefined) return undefined;
  const first = wordAt(region.bytes, page * 4);
  return isAdrp(first) ? adrpTarget(first, region.start + page * 4) + addend(word) : undefined;
}

/** How many entries there are, by what the index is compared with: the largest of what comes near before. */
function findCount({ bytes }: Region, before: number, register: number): number {
  let most = -1;
  for (let index = before - 1; index >= 0 && before - index <= 48; index--) {
    const word = wordAt(bytes, index * 4);
    if ((word & 0x7f80001f) === 0x7100001f && rn(word) === register) most = Math.max(most, field(word, 10, 12) * (field(word, 22, 1) ? 4096 : 1));
  }
  return most < 0 ? mostEntries : Math.min(most + 1, mostEntries);
}

function readTargets(executable: Executable, region: Region, table: Table): Set<number> | undefined {
  const { address, width, count } = table;
  if (address === undefined) return undefined;
  const segment = executable.segments.find((item) => address >= item.address && address < item.address + item.fileSize);
  if (!segment || segment.writable) return undefined;
  const view = Buffer.from(executable.bytes.buffer, executable.bytes.byteOffset, executable.bytes.byteLength);
  const found = new Set<number>();
  const end = segment.offset + segment.fileSize;
  let at = segment.offset + (address - segment.address);
  for (let entry = 0; entry < count && at + width <= end; entry++, at += width) {
    const distance = table.isSigned ? view.readIntLE(at, width) : view.readUIntLE(at, width);
    const target = table.base + distance * 2 ** table.shift - region.start;
    if (target >= 0 && target < region.bytes.length && target % 4 === 0) found.add(target);
    else if (count === mostEntries) break;
  }
  return found;
}

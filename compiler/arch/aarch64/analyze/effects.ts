/**
 * What one A64 instruction does to one tracked value, seen backwards.
 *
 * Owns: the meaning of instructions as far as constants travel: moves, arithmetic on constants, conditional selection, loads and stores of the frame. A location
 * is a register 0..30 or a stack slot at the stack pointer (31) or the frame pointer (29). Linux reads a call's number as an int, out of x8.
 * Rule: what is not known for certain is `unknown`. Assumes the procedure call standard (AAPCS64) at calls: x19 to x29 and the stack pointer survive; Linux
 * changes x0 alone.
 */
import {
  baseOfSlot,
  type CallConvention,
  type CodeReader,
  displacementOfSlot,
  flow,
  isSlot,
  type Location,
  makeSlot,
  moved,
  readFromMemory,
  shiftSlot,
  type Step,
  unknown,
} from '../../analysis-isa.ts';
import {
  type Access,
  addend,
  adrpTarget,
  adrTarget,
  field,
  flowOf,
  fp,
  isAddImmediate,
  isAdr,
  isAdrp,
  isMoveWide,
  isNop,
  isSvc,
  isWide,
  logicalImmediate,
  lr,
  rd,
  readAccess,
  rm,
  rn,
  sp,
  wordAt,
  writtenBy,
  zr,
} from './words.ts';

const isKept = (location: Location) => location >= 19 && location <= fp;
const isFrame = (register: number) => register === sp || register === fp;
const fitsWord = (width: number) => width === 4 || width === 8;

export class WordReader implements CodeReader {
  #convention: CallConvention;

  constructor(convention: CallConvention) {
    this.#convention = convention;
  }

  free(): void {}

  isPadding(bytes: Uint8Array, offset: number): boolean {
    const word = wordAt(bytes, offset);
    return isNop(word) || word === 0;
  }

  isGate(): boolean {
    return true; // an aligned word is one instruction
  }

  stepBack(bytes: Uint8Array, offset: number, location: Location, stackEscapes: boolean, addressBase?: number): Step {
    if (offset + 4 > bytes.length) return unknown('undecodable bytes');
    const word = wordAt(bytes, offset);
    if (flowOf(word) === flow.call) return this.#passCall(location, stackEscapes);
    if (isSvc(word)) {
      if (location === 0) return unknown('the result of a system call');
      return isSlot(location) && stackEscapes ? unknown('memory that a system call may write') : moved(location);
    }
    if (isSlot(location)) return slotBefore(word, location, stackEscapes);
    if (((writtenBy(word) >>> location) & 1) === 0) return moved(location);
    return writeOf(word, location, addressBase === undefined ? undefined : addressBase + offset) ?? unknown('computed otherwise');
  }

  #passCall(location: Location, stackEscapes: boolean): Step {
    if (!this.#convention.preservesAcrossCalls) return unknown('the result of a function');
    if (isSlot(location)) return stackEscapes ? unknown('memory that a function may write') : moved(location);
    return isKept(location) ? moved(location) : unknown('the result of a function');
  }
}

/** The value of these registers, of which `zr` is zero, through a function. */
function combine(registers: readonly number[], compute: (first: number, second: number) => number[], isAddress = false): Step {
  if (registers.includes(sp) || registers.includes(lr)) return unknown('an address');
  const from = registers.filter((register) => register !== zr);
  const [first] = registers;
  if (from.length === 0) return { kind: 'values', values: compute(0, 0) };
  const bound = registers.length === 2 && first === zr ? (value: number) => compute(0, value) : from.length === 1 ? (value: number) => compute(value, 0) : compute;
  return { kind: 'computed', from, compute: bound, ...(isAddress && { isAddress }) };
}

const orZero = (register: number) => (register === 31 ? zr : register);
const copyOf = (register: number): Step => (register === zr ? { kind: 'values', values: [0] } : register === sp || register === lr ? unknown('an address') : moved(register));

/** What an instruction that writes the location puts there, where that is understood. `address`: of the instruction, while addresses count as constants. */
function writeOf(word: number, location: Location, address: number | undefined): Step | undefined {
  const access = readAccess(word);
  if (access) return loadOf(access, location);
  if (rd(word) !== location) return undefined;
  switch (field(word, 25, 4)) {
    case 8:
    case 9:
      return immediateOf(word, address);
    case 5:
    case 13:
      return arithmeticOf(word, address);
    case 4:
    case 6:
    case 12:
    case 14:
      return unknown(readFromMemory);
    default:
      return undefined;
  }
}

function loadOf(access: Access, location: Location): Step | undefined {
  const { base, registers, width, isLoad } = access;
  if (!isLoad || (access.writeBack !== undefined && base === location)) return undefined;
  if (!isFrame(base) || !fitsWord(width)) return unknown(readFromMemory);
  const at = access.offset + (registers[0] === location ? 0 : width);
  return shiftSlot(makeSlot(base, 0), at);
}

function immediateOf(word: number, address: number | undefined): Step | undefined {
  if (isAdr(word) || isAdrp(word)) {
    if (address === undefined) return unknown('an address');
    return { kind: 'values', values: [isAdr(word) ? adrTarget(word, address) : adrpTarget(word, address)] };
  }
  if (isMoveWide(word)) return moveWideOf(word, address !== undefined);
  if (isAddImmediate(word) || (field(word, 24, 5) === 0x11 && field(word, 29, 1) === 1 && field(word, 23, 1) === 0)) {
    const by = addend(word);
    if (by === 0) return address !== undefined && !isWide(word) ? unknown('a computed address') : copyOf(rn(word));
    return combine([rn(word)], (value) => [value + by], isWide(word) && by > 0);
  }
  if (field(word, 23, 6) === 0x24) return logicalOf(word);
  if (field(word, 23, 6) === 0x26) return bitfieldOf(word, address !== undefined);
  return undefined;
}

function moveWideOf(word: number, isAddress: boolean): Step {
  const shift = field(word, 21, 2) * 16;
  const part = field(word, 5, 16);
  const low = shift < 32 ? part << shift : 0;
  const kind = field(word, 29, 2);
  if (isAddress && ((kind === 0 && isWide(word)) || (shift >= 32 && part !== 0))) return unknown('a number of more than 32 bits');
  if (kind === 0) return { kind: 'values', values: [~low] };
  if (kind === 2) return { kind: 'values', values: [low] };
  if (kind !== 3) return unknown('undecodable bytes');
  if (shift >= 32) return moved(rd(word));
  return combine([rd(word)], (old) => [(old & ~(0xffff << shift)) | low]);
}

function logicalOf(word: number): Step | undefined {
  const mask = logicalImmediate(word);
  if (mask === undefined) return undefined;
  const from = orZero(rn(word));
  return combine([from], logicalOperation(field(word, 29, 2), (value) => [value, mask]));
}

function logicalOperation(kind: number, operands: (first: number, second: number) => [number, number]): (first: number, second: number) => number[] {
  return (first, second) => {
    const [left, right] = operands(first, second);
    return [kind === 1 ? left | right : kind === 2 ? left ^ right : left & right];
  };
}

/** The forms that cut, extend or shift to the left. */
function bitfieldOf(word: number, isAddress: boolean): Step | undefined {
  const [kind, immr, imms] = [field(word, 29, 2), field(word, 16, 6), field(word, 10, 6)];
  if ((kind !== 0 && kind !== 2) || rn(word) === 31) return undefined;
  const from = rn(word);
  if (immr === 0) {
    if (imms >= 31) return isAddress ? unknown('a computed address') : moved(from);
    const unused = 31 - imms;
    return combine([from], (value) => [kind === 2 ? (value << unused) >>> unused : (value << unused) >> unused]);
  }
  const last = isWide(word) ? 63 : 31;
  if (kind === 2 && imms + 1 === immr) {
    const shift = last - imms;
    return combine([from], (value) => [shift < 32 ? value << shift : 0]);
  }
  return undefined;
}

function arithmeticOf(word: number, address: number | undefined): Step | undefined {
  const group = field(word, 24, 5);
  const [first, second] = [orZero(rn(word)), orZero(rm(word))];
  const amount = field(word, 10, 6);
  const isLeft = field(word, 22, 2) === 0 && (amount < 32 || isWide(word));
  const shift = (value: number) => (amount < 32 ? value << amount : 0);
  if (group === 0x0a && isLeft) {
    // Logical operations; with bit 21 the second operand is inverted. orr with zero is mov.
    const kind = field(word, 29, 2);
    const isInverted = field(word, 21, 1) === 1;
    if (kind === 1 && first === zr && !isInverted && amount === 0) {
      return address !== undefined && !isWide(word) ? unknown('a computed address') : copyOf(second);
    }
    return combine([first, second], logicalOperation(kind, (left, right) => [left, isInverted ? ~shift(right) : shift(right)]));
  }
  if (group === 0x0b && field(word, 21, 1) === 0 && isLeft) {
    const isSub = field(word, 30, 1) === 1;
    return combine([first, second], (left, right) => [isSub ? left - shift(right) : left + shift(right)]);
  }
  if (group === 0x1a && field(word, 21, 3) === 4 && field(word, 29, 1) === 0) return selectionOf(word, first, second);
  return undefined;
}

/** csel, csinc, csinv, csneg. */
function selectionOf(word: number, first: number, second: number): Step {
  const kind = field(word, 30, 1) * 2 + field(word, 10, 1);
  if (kind === 0 && first !== zr && second !== zr && first !== lr && second !== lr) return { kind: 'either', locations: [first, second] };
  const change = [(value: number) => value, (value: number) => value + 1, (value: number) => ~value, (value: number) => -value][kind] as (value: number) => number;
  return combine([first, second], (left, right) => [left, change(right)]);
}

/** Whether a frame pointer or stack pointer is changed by a constant, or set from the other one: what it was. */
function frameChange(word: number, base: number): { from: number; by: number } | undefined {
  if (isAddImmediate(word) && isWide(word) && rd(word) === base && isFrame(rn(word))) return { from: rn(word), by: addend(word) };
  const access = readAccess(word);
  if (access?.writeBack !== undefined && access.base === base) return { from: base, by: access.writeBack };
  return undefined;
}

function slotBefore(word: number, location: Location, stackEscapes: boolean): Step {
  const base = baseOfSlot(location);
  const written = writtenBy(word);
  const access = readAccess(word);
  let before = location;
  if ((written >>> base) & 1) {
    const change = frameChange(word, base);
    // A load into the base by the same instruction would have the last word.
    if (!change || (access?.isLoad && !access.isVector && access.registers.includes(base))) return unknown('a stack pointer that is not followed');
    const shifted = shiftSlot(makeSlot(change.from, displacementOfSlot(location)), change.by);
    if (shifted.kind !== 'moved') return shifted;
    before = shifted.location;
  }
  if (!isAccess(word)) return mayWriteMemory(word) && stackEscapes ? unknown('memory written through a pointer') : moved(before);
  if (!access) {
    // Whatever it is, it goes by a register.
    if (isPlainLoad(word)) return moved(before);
    if (isFrame(rn(word))) return unknown('an indexed stack slot');
    return stackEscapes ? unknown('memory written through a pointer') : moved(before);
  }
  return access.isLoad || access.isPrefetch ? moved(before) : storeOf(access, before, stackEscapes);
}

function storeOf(access: Access, slot: Location, stackEscapes: boolean): Step {
  const { base, registers, width, isVector } = access;
  if (!isFrame(base)) return stackEscapes ? unknown('memory written through a pointer') : moved(slot);
  if (base !== baseOfSlot(slot)) return unknown('an indexed stack slot');
  const wanted = displacementOfSlot(slot);
  for (const [index, register] of registers.entries()) {
    const at = access.offset + index * width;
    if (at >= wanted + 4 || at + width <= wanted) continue;
    if (at !== wanted || isVector || !fitsWord(width)) return unknown('a stack slot that is written in part');
    return copyOf(orZero(register));
  }
  return moved(slot);
}

const isAccess = (word: number) => (field(word, 25, 4) & 5) === 4;
/** Literals, and loads with a register as offset. */
const isPlainLoad = (word: number) =>
  (word & 0x3b000000) === 0x18000000 || ((word & 0x3b200c00) === 0x38200800 && (field(word, 26, 1) ? field(word, 22, 1) === 1 : field(word, 22, 2) !== 0));

/** Instructions outside of loads and stores that write memory: zeroing a cache line, and whatever is not understood. */
const mayWriteMemory = (word: number) => (word & 0xfff80000) >>> 0 === 0xd5080000 || (field(word, 25, 4) & 12) === 0;

/** A pointer to the frame in another register, or in memory that is none of the frame. */
export function makesStackPointer(word: number): boolean {
  const group = field(word, 25, 4);
  if (isAddImmediate(word)) return isFrame(rn(word)) && !isFrame(rd(word));
  if (group === 8 || group === 9) {
    const setsFlags = (word & 0x3f800000) === 0x31000000;
    const reads = !isAdr(word) && !isAdrp(word) && !isMoveWide(word) && (rn(word) === fp || (setsFlags && rn(word) === sp));
    return reads && rd(word) !== 31;
  }
  if (group === 5 || group === 13) {
    const readsSp = (word & 0x1fe00000) === 0x0b200000 && rn(word) === sp;
    return (readsSp || rn(word) === fp || rm(word) === fp) && rd(word) !== 31;
  }
  if (!isAccess(word)) return group === 0 || group === 2 ? word >>> 16 !== 0 : false;
  const access = readAccess(word);
  if (!access) return !isPlainLoad(word) && (rd(word) === fp || field(word, 10, 5) === fp || rm(word) === fp);
  return !access.isLoad && !access.isVector && access.registers.includes(fp) && access.base !== sp;
}

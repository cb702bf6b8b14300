/**
 * A64 instructions as far as the analysis reads them: where control goes, which addresses are made, and which registers are written.
 *
 * Owns: nothing but the encodings (Arm Architecture Reference Manual for A-profile, C4.1 "A64 instruction set encoding"). A word is a number of 32 bits, signed as
 * a DataView or a shift gives it. Rule: what is not known to leave a register alone is taken to write it.
 */
import { flow } from '../../analysis-isa.ts';

/** Register 31 is the stack pointer in some instructions and zero in others; here it is the stack pointer, and zero is `zr`. */
export const sp = 31;
export const fp = 29;
export const lr = 30;
export const zr = 32;

export const everything = -1;

export const wordAt = (bytes: Uint8Array, offset: number): number =>
  (bytes[offset] as number) | ((bytes[offset + 1] as number) << 8) | ((bytes[offset + 2] as number) << 16) | ((bytes[offset + 3] as number) << 24);

export const field = (word: number, low: number, width: number): number => (word >>> low) & ((1 << width) - 1);
const signed = (word: number, low: number, width: number): number => (word << (32 - low - width)) >> (32 - width);
const matches = (word: number, mask: number, value: number): boolean => ((word & mask) >>> 0) === value;

export const rd = (word: number): number => word & 31;
export const rn = (word: number): number => field(word, 5, 5);
export const rt2 = (word: number): number => field(word, 10, 5);
export const rm = (word: number): number => field(word, 16, 5);

export const isSvc = (word: number) => matches(word, 0xffe0001f, 0xd4000001);
export const isNop = (word: number) => word >>> 0 === 0xd503201f;
/** A landing place of indirect branches; does nothing else. */
export const isBti = (word: number) => matches(word, 0xffffff3f, 0xd503241f);

/** How control leaves the instruction. */
export function flowOf(word: number): number {
  if (matches(word, 0x7c000000, 0x14000000)) return word < 0 ? flow.call : flow.jump; // b, bl
  if (isConditional(word)) return flow.branch;
  if (matches(word, 0xfe000000, 0xd6000000)) {
    const kind = field(word, 21, 3); // br, blr, ret, eret, drps; bit 24: with a modifier
    return kind === 0 ? flow.indirect : kind === 1 ? flow.call : flow.end;
  }
  if (matches(word, 0xff000000, 0x55000000)) return flow.end; // ret with the address to authenticate against
  if (matches(word, 0xffe0001f, 0xd4200000)) return flow.halt; // brk
  if (matches(word, 0xffff0000, 0)) return flow.halt; // udf
  return flow.next;
}

/** b.cond, bc.cond, cbz, cbnz, tbz, tbnz, cb. */
const isConditional = (word: number) =>
  matches(word, 0xff000000, 0x54000000) || matches(word, 0x7c000000, 0x34000000) || matches(word, 0x7e000000, 0x74000000);

/** Where a direct jump or call goes, by its address; undefined for anything else. */
export function targetOf(word: number, address: number): number | undefined {
  if (matches(word, 0x7c000000, 0x14000000)) return address + signed(word, 0, 26) * 4;
  if (!isConditional(word)) return undefined;
  if (matches(word, 0x7e000000, 0x36000000)) return address + signed(word, 5, 14) * 4; // tbz
  if (matches(word, 0x7e000000, 0x74000000)) return address + signed(word, 5, 9) * 4;
  return address + signed(word, 5, 19) * 4;
}

export const isAdr = (word: number) => matches(word, 0x9f000000, 0x10000000);
export const isAdrp = (word: number) => matches(word, 0x9f000000, 0x90000000);
const distanceOf = (word: number) => signed(word, 5, 19) * 4 + field(word, 29, 2);
export const adrTarget = (word: number, address: number): number => address + distanceOf(word);
export const adrpTarget = (word: number, address: number): number => address - (address % 4096) + distanceOf(word) * 4096;

/** add or sub of an immediate, which sets no flags. */
export const isAddImmediate = (word: number) => matches(word, 0x3f800000, 0x11000000);
export const isWide = (word: number) => word < 0;
/** What is added: negative for sub. */
export function addend(word: number): number {
  const amount = field(word, 10, 12) * (field(word, 22, 1) ? 4096 : 1);
  return field(word, 30, 1) ? -amount : amount;
}

/** mov between 64-bit registers. */
export const isCopy = (word: number) => matches(word, 0xffe0ffe0, 0xaa0003e0);

/** ldr of a whole 64-bit register, from a register and an offset: the offset in bytes. */
export const isLoad64 = (word: number) => matches(word, 0xffc00000, 0xf9400000);
export const load64Offset = (word: number): number => field(word, 10, 12) * 8;
/** ldr of a 64-bit register from a literal. */
export const isLoadLiteral64 = (word: number) => matches(word, 0xff000000, 0x58000000);
export const literalTarget = (word: number, address: number): number => address + signed(word, 5, 19) * 4;

/** movn, movz, movk: opcode 0, 2, 3. */
export const isMoveWide = (word: number) => matches(word, 0x1f800000, 0x12800000);

/** The mask of a logical immediate as its low 32 bits (DecodeBitMasks of the manual); undefined where it is none. */
export function logicalImmediate(word: number): number | undefined {
  const [n, immr, imms] = [field(word, 22, 1), field(word, 16, 6), field(word, 10, 6)];
  if (n && !isWide(word)) return undefined;
  const length = 31 - Math.clz32((n << 6) | (~imms & 0x3f));
  if (length < 1) return undefined;
  const size = 1 << length;
  const [ones, rotate] = [(imms & (size - 1)) + 1, immr & (size - 1)];
  if (ones === size) return undefined;
  let mask = 0;
  // Bit i is set where, rotated back, it lies among the ones.
  for (let bit = 0; bit < 32; bit++) if (((bit + rotate) & (size - 1)) < ones) mask |= 1 << bit;
  return mask;
}

/** Loads and stores of one register or a pair, at a register and an offset that is in the instruction. Widths in bytes. */
export type Access = {
  isLoad: boolean;
  /** Of vector registers: what they hold is not followed. */
  isVector: boolean;
  registers: number[];
  width: number;
  base: number;
  /** Where the access is, from the base as it was before. */
  offset: number;
  /** What is added to the base; undefined: it stays. */
  writeBack: number | undefined;
  /** A load extends with the sign, a store cuts: all the same for the low 32 bits when it is at least 4 wide. */
  isPrefetch: boolean;
};

export function readAccess(word: number): Access | undefined {
  const isVector = field(word, 26, 1) === 1;
  const base = rn(word);
  if (matches(word, 0x3a000000, 0x28000000)) {
    // Pairs: no-allocate, post-indexed, offset, pre-indexed.
    const [opc, mode, isLoad] = [field(word, 30, 2), field(word, 23, 2), field(word, 22, 1) === 1];
    if (opc === 3 || (!isVector && opc === 1 && !isLoad)) return undefined; // unallocated; stgp, which writes tags
    const width = isVector ? 4 << opc : opc === 2 ? 8 : 4;
    const by = signed(word, 15, 7) * width;
    const registers = [rd(word), rt2(word)];
    return { isLoad, isVector, registers, width, base, offset: mode === 1 ? 0 : by, writeBack: mode === 1 || mode === 3 ? by : undefined, isPrefetch: false };
  }
  if (!matches(word, 0x3a000000, 0x38000000)) return undefined;
  const [size, opc] = [field(word, 30, 2), field(word, 22, 2)];
  const width = isVector && opc >= 2 ? 16 : 1 << size;
  if (isVector && opc >= 2 && size !== 0) return undefined;
  const isLoad = isVector ? (opc & 1) === 1 : opc !== 0;
  const isPrefetch = !isVector && size === 3 && opc === 2;
  const shape = { isLoad, isVector, registers: [rd(word)], width, base, isPrefetch };
  if (field(word, 24, 1)) return { ...shape, offset: field(word, 10, 12) * width, writeBack: undefined };
  if (field(word, 21, 1)) return undefined;
  const [by, mode] = [signed(word, 12, 9), field(word, 10, 2)];
  return { ...shape, offset: mode === 1 ? 0 : by, writeBack: mode === 1 || mode === 3 ? by : undefined };
}

const bit = (register: number): number => 1 << register;
/** Of a register field in which 31 is zero. */
const bitUnlessZero = (register: number): number => (register === 31 ? 0 : 1 << register);

/** The registers that an instruction may write, as bits 0 to 30 and 31 for the stack pointer; calls are the caller's matter. */
export function writtenBy(word: number): number {
  switch (field(word, 25, 4)) {
    case 8:
    case 9:
      return writtenByImmediate(word);
    case 10:
    case 11:
      return writtenBySystem(word);
    case 4:
    case 6:
    case 12:
    case 14:
      return writtenByAccess(word);
    case 5:
    case 13:
      return writtenByArithmetic(word);
    case 7:
    case 15:
      return writtenByVector(word);
    case 0:
      return matches(word, 0xffff0000, 0) ? 0 : everything;
    default:
      return everything; // SVE, SME, and what is not allocated
  }
}

function writtenByImmediate(word: number): number {
  // add, sub and the logical operations write the stack pointer, those that set flags write zero.
  const isSum = matches(word, 0x1f800000, 0x11000000) || matches(word, 0x1f800000, 0x11800000);
  const isLogical = matches(word, 0x1f800000, 0x12000000);
  const setsFlags = isSum ? field(word, 29, 1) === 1 : isLogical && field(word, 29, 2) === 3;
  if ((isSum || isLogical) && !setsFlags) return bit(rd(word));
  if (matches(word, 0xff800000, 0xf3800000)) return bitUnlessZero(rd(word)) | bit(lr); // authenticates the return address
  return bitUnlessZero(rd(word));
}

function writtenBySystem(word: number): number {
  if (matches(word, 0x7c000000, 0x14000000)) return word < 0 ? bit(lr) : 0;
  if (isConditional(word) || matches(word, 0xfe000000, 0xd6000000) || matches(word, 0xff000000, 0x55000000)) return 0;
  if (matches(word, 0xff000000, 0xd4000000)) return isSvc(word) ? bit(0) : matches(word, 0xffe0001f, 0xd4200000) ? 0 : everything;
  if (matches(word, 0xfffff01f, 0xd503201f)) {
    // Hints; pointer authentication and checks of features write registers of their own.
    const hint = field(word, 5, 7);
    return hint < 7 || (hint >= 16 && hint < 24) || (hint >= 32 && hint < 40) ? 0 : bit(16) | bit(17) | bit(lr);
  }
  if (matches(word, 0xffff0000, 0xd5030000)) return matches(word, 0xfffff000, 0xd5033000) ? 0 : bitUnlessZero(rd(word)); // barriers
  if (matches(word, 0xffe00000, 0xd5200000)) return bitUnlessZero(rd(word)); // mrs, sysl
  if (matches(word, 0xffe00000, 0xd5000000)) return 0; // msr, sys
  return everything;
}

function writtenByAccess(word: number): number {
  const isVector = field(word, 26, 1) === 1;
  // What readAccess reads, without its object: this is asked for each instruction on the way back.
  if (matches(word, 0x3a000000, 0x28000000)) {
    const [opc, isLoad] = [field(word, 30, 2), field(word, 22, 1) === 1];
    if (opc !== 3 && (isVector || opc !== 1 || isLoad)) {
      const base = field(word, 23, 1) ? bit(rn(word)) : 0;
      return isLoad && !isVector ? base | bitUnlessZero(rd(word)) | bitUnlessZero(rt2(word)) : base;
    }
  } else if (matches(word, 0x3a000000, 0x38000000)) {
    const [size, opc, isIndexed] = [field(word, 30, 2), field(word, 22, 2), field(word, 24, 1) === 0];
    if (!(isVector && opc >= 2 && size !== 0) && !(isIndexed && field(word, 21, 1))) {
      const base = isIndexed && field(word, 10, 1) ? bit(rn(word)) : 0;
      return isVector || opc === 0 || (size === 3 && opc === 2) ? base : base | bitUnlessZero(rd(word));
    }
  }
  if (matches(word, 0x3b000000, 0x18000000)) return isVector || field(word, 30, 2) === 3 ? 0 : bitUnlessZero(rd(word)); // literals; prfm
  // A register as offset.
  if (matches(word, 0x3b200c00, 0x38200800)) return isVector || field(word, 22, 2) === 0 ? 0 : bitUnlessZero(rd(word));
  // Structures of vector registers: the base may move.
  if (matches(word, 0xbe000000, 0x0c000000)) return field(word, 23, 1) ? bit(rn(word)) : 0;
  // Exclusive, ordered, atomic, tagged, copies of memory: any register that is named.
  return bitUnlessZero(rd(word)) | bit(rn(word)) | bitUnlessZero(rt2(word)) | bitUnlessZero(rm(word));
}

function writtenByArithmetic(word: number): number {
  if (matches(word, 0x1fe00000, 0x1a400000)) return 0; // ccmp
  // The extended form of add and sub writes the stack pointer.
  if (matches(word, 0x3fe00000, 0x0b200000)) return bit(rd(word));
  return bitUnlessZero(rd(word));
}

/** Of the vector instructions these write a general register: conversions, fmov, umov and smov. */
function writtenByVector(word: number): number {
  const isConversion = matches(word, 0x7f20fc00, 0x1e200000) || matches(word, 0x7f200000, 0x1e000000);
  const isMove = matches(word, 0xbfe08400, 0x0e000400) && [5, 7].includes(field(word, 11, 4));
  return isConversion || isMove ? bitUnlessZero(rd(word)) : 0;
}

/**
 * What the linker needs to know of an instruction set. Everything else in compiler/link is the same for all.
 *
 * A relocation is planned once, before layout (`plan`: which value it takes, whether the instruction around it can be
 * rewritten so that no table slot is needed), and applied once, after it (`rewrite` for rewritten ones; the linker itself
 * stores plain values).
 */

/** What value a relocation takes. Numbers of `Expression.rewritten` and above are the ISA's own. */
export const Expression = {
  none: 0,
  /** S + A */
  absolute: 1,
  /** S + A - P */
  relative: 2,
  /** address of S's slot + A - GOT */
  slotOffset: 3,
  /** address of S's slot + A - P */
  slotRelative: 4,
  /** S + A - GOT */
  gotOffset: 5,
  /** GOT + A - P */
  gotRelative: 6,
  /** S + A - thread pointer */
  threadOffset: 7,
  /** S + A - start of the TLS block */
  blockOffset: 8,
  /** address of the slot holding S's thread offset + A - P */
  threadSlotRelative: 9,
  /** size of S + A */
  size: 10,
  /** page of S + A - page of P; a page here is one of 4096 bytes */
  pageRelative: 11,
  /** S + A, of which the instruction takes the place in its page */
  pageOffset: 12,
  /** The two for the address of S's slot, and for that of the slot holding S's thread offset. */
  slotPageRelative: 13,
  slotPageOffset: 14,
  threadSlotPageRelative: 15,
  threadSlotPageOffset: 16,
  rewritten: 32,
} as const;

export type RangeCheck = 'none' | 'signed' | 'unsigned' | 'either';

export interface RelocationKind {
  name: string;
  expression: number;
  /** Bytes stored: 0, 1, 2, 4 or 8. */
  width: number;
  check: RangeCheck;
  /** The value goes into a field of an instruction, by `storeField`, instead of being stored as it is. */
  field?: number;
}

export interface PlanInput {
  data: Uint8Array;
  offset: number;
  type: number;
  addend: number;
  /** Type of the relocation that follows, 0 when none; for sequences of two. */
  nextType: number;
  /** Distance to it. */
  nextDistance: number;
  /** The image may be moved at run time. */
  movable: boolean;
  /** The symbol's value is a constant that does not move (absolute, or weak and undefined). */
  constant: boolean;
  /** The constant, or the address as far as known: used only to see that it fits 31 bits. */
  small: boolean;
  /** The same for 32 bits without a sign. */
  smallUnsigned: boolean;
  ifunc: boolean;
  /** The next relocation has the same symbol, and an addend of 0. */
  nextSame: boolean;
  /** What `pairsWhole` said of the section. */
  paired: boolean;
}

export interface Plan {
  expression: number;
  /** The next relocation belongs to the rewritten sequence and is not applied. */
  skipNext: boolean;
  /** Set when the bytes around the relocation cannot be handled. */
  problem?: string;
}

export interface RewriteInput {
  view: DataView;
  /** Position of the relocated field in `view`, and its address. */
  at: number;
  place: number;
  addend: number;
  /** Address of the symbol, or the constant. */
  value: number;
  /** value - thread pointer, for TLS symbols. */
  threadOffset: number;
  /** The relocation's type. */
  type: number;
}

export interface StubCode {
  bytes: Uint8Array;
  /** Offset of each entry, as the input was ordered. */
  entries: number[];
  /** Branches to the target, as relocations. */
  branches: { offset: number; type: number; addend: number }[];
}

/** Code that refers to one symbol. */
export interface MadeCode {
  bytes: Uint8Array;
  relocations: readonly { offset: number; type: number; addend: number }[];
}

/** What a branch goes through whose target is too far away. */
export interface Veneer extends MadeCode {
  /** How far a branch reaches, in bytes, in both directions. */
  reach: number;
  /** Relocations of this type are such branches. */
  branches(type: number): boolean;
}

export interface LinkIsa {
  name: string;
  machine: number;
  pageSize: number;
  /** Relocation types that the linker itself uses in the tables that it makes. */
  word64: number;
  threadOffset64: number;
  irelative: number;
  /** The kind of a type, or undefined when it may not occur in objects. */
  kind(type: number): RelocationKind | undefined;
  relocationName(type: number): string;
  plan(input: PlanInput, kind: RelocationKind, out: Plan): void;
  /** Rewrites the instruction; returns the value that did not fit, or undefined. */
  rewrite(expression: number, input: RewriteInput): number | undefined;
  /** Puts the value into an instruction's field; false when it does not fit. For kinds with a field. */
  storeField?(view: DataView, at: number, field: number, value: bigint): boolean;
  /** All loads from the GOT in a section can be rewritten, each with the relocation that follows it. */
  pairsWhole?(data: Uint8Array, relocations: { count: number; offset(i: number): number; type(i: number): number }): boolean;
  /** The thread pointer of a TLS block at [start, end), whose alignment is `align`, in link-time addresses. */
  threadPointer(start: number, end: number, align: number): number;
  /** Entry points that pass each number to one common function. */
  absentStubs(numbers: readonly number[]): StubCode;
  /** A jump through a table slot. */
  slotJump: MadeCode;
  /** For ISAs whose branches do not reach the whole image. */
  veneer?: Veneer;
  /** Of images: their entry, their link address, where RAM begins, and the least of it with which a VMM can place what it passes. */
  image: { entry: string; base: number; memoryStart: number; leastMemory: number };
  /** Padding between functions. */
  fill: number;
  /** System call numbers of Linux on this ISA: name by number. */
  syscallNames: readonly (string | undefined)[];
  syscallNumber(name: string): number | undefined;
}

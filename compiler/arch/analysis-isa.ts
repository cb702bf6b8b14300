/**
 * What the analysis of programs needs to know of an instruction set, and the shapes in which the two talk. Everything else in compiler/analyze is the same
 * for all.
 *
 * Rule for every ISA: what is not known for certain is said to be so, never guessed. An instruction that is not understood changes every location.
 */

/** What the analysis needs of an executable. The caller has validated it: ranges lie inside `bytes`, addresses are safe integers. */
export type Executable = {
  /** As the folders of compiler/arch are named. */
  machine: 'x86_64' | 'aarch64';
  bytes: Uint8Array;
  entry: number;
  positionIndependent: boolean;
  /** File offset at which ELF header and program headers are over; a multiple of 8. */
  headersEnd: number;
  segments: {
    address: number;
    offset: number;
    fileSize: number;
    memorySize: number;
    executable: boolean;
    writable: boolean;
  }[];
  sections: { name: string; address: number; offset: number; size: number; executable: boolean }[];
  functions: { name: string; address: number; size: number }[];
};

/** How control leaves an instruction. */
export const flow = { next: 0, end: 1, jump: 2, branch: 3, indirect: 4, call: 5, invalid: 6, halt: 7 } as const;

/** Decoded instructions of one region. Index i: the i-th instruction in address order. */
export type Code = {
  count: number;
  /** Address of instruction i, relative to the region's start; entry `count` is the region's size. */
  offsets: Uint32Array;
  flows: Uint8Array;
  /** Direct jumps inside the region: target offset -> indexes of the jumping instructions. */
  jumps: Map<number, number[]>;
  /** Direct jumps and calls, by index -> absolute target. */
  targets: Map<number, number>;
  indirectJumps: number[];
  /** Offsets that jump tables of this region lead to -> indexes of the jumps that may use these. */
  tableTargets: ReadonlyMap<number, readonly number[]>;
  hasInvalid: boolean;
  /** Some instruction makes a pointer to the stack frame: stores through pointers and calls may then change it. */
  stackEscapes: boolean;
};

export type Region = {
  start: number;
  end: number;
  isFunction: boolean;
  /** It begins as a called function does; a part of a function, split off by the compiler, does not. */
  isEntry: boolean;
  bytes: Uint8Array;
  code: Code | undefined;
  neverReturns?: boolean;
};

export type CodeRange = { start: number; end: number; bytes: Uint8Array };

/** Index of the instruction that the byte at an offset belongs to. */
export function findHolder(code: Code, offset: number): number {
  let low = 0;
  let high = code.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((code.offsets[middle] as number) <= offset) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** A register by the ISA's own number, below 32, or a stack slot (makeSlot). */
export type Location = number;

const slotBias = 0x800000;
const slotBase = 0x1000000;

/** The 4 bytes at base + displacement, base being the stack or frame pointer as it is at the point where the location is used. */
export const makeSlot = (base: number, displacement: number): Location => base * slotBase + slotBias + displacement;
export const isSlot = (location: Location): boolean => location >= slotBase;
export const baseOfSlot = (location: Location): number => Math.floor(location / slotBase);
export const displacementOfSlot = (location: Location): number => (location % slotBase) - slotBias;

/**
 * What one instruction did to one value, seen backwards. Values are 32 bits wide, because that is what the kernel reads of a call's number; only arithmetic
 * that gives the same low 32 bits at any width counts.
 */
export type Step =
  /** The value was in `location` before the instruction. */
  | { kind: 'moved'; location: Location }
  /** One of these constants. */
  | { kind: 'values'; values: number[] }
  /** Either of these, as a condition has it. */
  | { kind: 'either'; locations: Location[] }
  /** Computed from the values that these had before. `isAddress`: it is how this ISA makes an address, so that the result still is one. */
  | { kind: 'computed'; from: Location[]; compute: (first: number, second: number) => number[]; isAddress?: true }
  | { kind: 'unknown'; reason: string };

export const unknown = (reason: string): Step => ({ kind: 'unknown', reason });
export const moved = (location: Location): Step => ({ kind: 'moved', location });
/** The reason of a value that no instruction holds. */
export const readFromMemory = 'read from memory';

export function shiftSlot(location: Location, by: number): Step {
  const displacement = displacementOfSlot(location) + by;
  if (displacement < -0x400000 || displacement > 0x400000) return unknown('a stack slot far away');
  return moved(makeSlot(baseOfSlot(location), displacement));
}

export type CallConvention = {
  /** Whether registers and stack slots survive calls, as the ISA's C convention has it. Go's own convention saves nothing. */
  preservesAcrossCalls: boolean;
};

export type GateKind = 'syscall' | 'legacy';

/** Reads single instructions, when a trace passes them. One per analysis. */
export interface CodeReader {
  /** Where the value of `location` after the instruction came from. `addressBase`: where the bytes lie, when addresses count as constants. */
  stepBack(bytes: Uint8Array, offset: number, location: Location, stackEscapes: boolean, addressBase?: number): Step;
  /** Does nothing, and is there for alignment. */
  isPadding(bytes: Uint8Array, offset: number): boolean;
  /** Whether the instruction of `size` bytes at `offset` is the gate whose bytes were found at `gate`. */
  isGate(bytes: Uint8Array, offset: number, size: number, gate: number, kind: GateKind): boolean;
  free(): void;
}

/** Kinds of references to code. */
export const reference = { call: 0, jump: 1, address: 2, pointer: 3 } as const;

/** A place that uses an imported name: calls it, or takes its address. */
export type UseKind = 'call' | 'taken';

/** What a region's instructions refer to, told to whoever draws the call graph. */
export type EdgeScan = {
  /** Where code lies. */
  low: number;
  high: number;
  /** Whether it makes a difference that an address is made, or a word read. */
  concerns(address: number): boolean;
  isSlot(word: number): boolean;
  /** A call or jump out of the region, or an address that is taken. */
  lead(from: number, target: number, site: number, kind: UseKind): void;
  /** An address that is made. */
  refer(from: number, target: number, site: number): void;
  /** A word of memory at a fixed place that is read, or called by. */
  readSlot(from: number, word: number, site: number, kind: UseKind): void;
};

/** The numbers of what is made with these calls, without the program's own instructions: number -> the call that brings it. */
export function findImpliedCalls({ impliedCalls, syscallNumber }: Pick<AnalysisIsa, 'impliedCalls' | 'syscallNumber'>, has: (number: number) => boolean): Map<number, number> {
  const found = new Map<number, number>();
  for (const [name, implied] of Object.entries(impliedCalls)) {
    const cause = syscallNumber(name);
    if (cause === undefined || !has(cause)) continue;
    for (const number of implied.flatMap((each) => syscallNumber(each) ?? [])) found.set(number, cause);
  }
  return found;
}

export interface AnalysisIsa {
  name: Executable['machine'];
  /** e_machine. */
  elfMachine: number;
  /** Every instruction begins at a multiple of this. */
  alignment: number;
  registers: {
    stack: number;
    /** That of a call's number, and of its arguments. */
    call: Location;
    callArguments: readonly Location[];
    functionArguments: readonly Location[];
  };
  syscallNumber(name: string): number | undefined;
  /** A call by name -> what code that the kernel gives to the program (its vDSO) makes once the program made that call. */
  impliedCalls: Readonly<Record<string, readonly string[]>>;
  /** Bytes that a call puts onto the stack. */
  returnAddressSize: number;
  /** How far jumps reach that `findReferences` does not look for; 0: there are none. */
  shortJumpReach: number;
  /** Code holds absolute addresses as plain 32-bit operands. */
  hasAddressOperands: boolean;
  /** Dynamic relocations whose word is an address of the file itself: the addend. */
  relativeRelocations: ReadonlySet<number>;
  loader: {
    /** The folder's name for this ISA in Debian's layout. */
    triple: string;
    platform: string;
    /** Below each folder of libraries: where better versions for some CPUs may lie. */
    hwcaps: readonly string[];
    /** musl's path file. */
    muslPaths: string;
  };
  openReader(convention: CallConvention): CodeReader;
  decodeRegion(executable: Executable, region: Region): Code;
  /** Where the bytes of gates to the kernel are, instructions or not. */
  findGates(bytes: Uint8Array): { offset: number; kind: GateKind }[];
  /** Every call, jump and taken address that leads into [low, high); `site` is the first byte of the reference. */
  findReferences(executable: Executable, ranges: readonly CodeRange[], regions: readonly Region[], low: number, high: number, add: (site: number, target: number, kind: number) => void): void;
  readEdges(executable: Executable, region: Region, index: number, scan: EdgeScan): void;
  /** Code that jumps to where a word of memory says: the word, and where it can be entered. */
  findStubs(range: CodeRange, isSlot: (word: number) => boolean): { word: number; starts: number[] }[];
  /** Nothing but what fills room between functions. */
  isPadding(bytes: Uint8Array): boolean;
  /** Offsets in the file of instructions that the image must have otherwise (compiler/analyze/index.ts, halts). */
  findHalts(executable: Executable, ranges: readonly CodeRange[], regions: readonly Region[], codeOf: (region: Region) => Code, reader: CodeReader): number[];
}

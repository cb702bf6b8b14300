/**
 * The code of an executable as regions: stretches that are decoded as a whole.
 *
 * Owns: the executable ranges, their division into functions (symbols, .eh_frame) and gaps between them, and the decoded
 * instructions of those regions that somebody asked for. Nothing is decoded before it is needed.
 * Rules: every executable byte lies in exactly one region. Overlapping functions are one region. Addresses are numbers: Linux programs live below 2^47.
 */
import { Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register } from 'iced-x86';
import { type CodeRange, readFrameRanges } from './eh-frame.ts';

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
  /** Offsets that jump tables of this region lead to. */
  tableTargets: Set<number>;
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

export type CodeMap = {
  executable: Executable;
  ranges: { start: number; end: number; bytes: Uint8Array }[];
  regions: Region[];
  /** Sorted by address, for naming sites. */
  names: { address: number; end: number; name: string }[];
};

export function mapCode(executable: Executable): CodeMap {
  const ranges = findExecutableRanges(executable);
  const functions = findFunctions(executable);
  const regions: Region[] = [];
  for (const range of ranges) {
    let at = range.start;
    const add = (start: number, end: number, isFunction: boolean, isEntry: boolean) => {
      const bytes = range.bytes.subarray(start - range.start, end - range.start);
      regions.push({ start, end, isFunction, isEntry, bytes, code: undefined });
    };
    for (const item of functions) {
      if (item.end <= range.start || item.start >= range.end) continue;
      const start = Math.max(item.start, range.start);
      const end = Math.min(item.end, range.end);
      if (start > at) add(at, start, false, false);
      if (end > start) add(start, end, true, item.isEntry && start === item.start);
      at = end;
    }
    if (at < range.end) add(at, range.end, false, false);
  }
  const names = executable.functions
    .map(({ address, size, name }) => ({ address, end: address + size, name }))
    .sort((a, b) => a.address - b.address);
  return { executable, ranges, regions, names };
}

/** Executable bytes: sections when the file has them (a text segment may also hold read-only data), else whole segments. */
function findExecutableRanges(executable: Executable): CodeMap['ranges'] {
  const cut = (start: number, offset: number, size: number) => ({
    start,
    end: start + size,
    bytes: executable.bytes.subarray(offset, offset + size),
  });
  const result: CodeMap['ranges'] = [];
  for (const segment of executable.segments) {
    if (!segment.executable || segment.fileSize === 0) continue;
    const end = segment.address + segment.fileSize;
    const inside = executable.sections.filter(
      (section) =>
        section.executable && section.size > 0 && section.address >= segment.address && section.address + section.size <= end,
    );
    if (inside.length === 0) result.push(cut(segment.address, segment.offset, segment.fileSize));
    for (const section of inside) {
      result.push(cut(section.address, segment.offset + (section.address - segment.address), section.size));
    }
  }
  result.sort((a, b) => a.start - b.start);
  // Overlapping ranges would put one byte into two regions; the later one gives way.
  const separate: CodeMap['ranges'] = [];
  for (const range of result) {
    const least = separate.at(-1)?.end ?? 0;
    if (range.end <= least) continue;
    separate.push(range.start >= least ? range : { start: least, end: range.end, bytes: range.bytes.subarray(least - range.start) });
  }
  return separate;
}

/** Function ranges from symbols and unwind tables, sorted, overlapping ones merged. */
function findFunctions(executable: Executable): CodeRange[] {
  const all: CodeRange[] = [];
  for (const { address, size } of executable.functions) if (size > 0) all.push({ start: address, end: address + size, isEntry: true });
  for (const section of executable.sections) {
    if (section.name !== '.eh_frame') continue;
    const bytes = executable.bytes.subarray(section.offset, section.offset + section.size);
    for (const range of readFrameRanges(bytes, section.address)) all.push(range);
  }
  all.sort((a, b) => a.start - b.start || a.end - b.end);
  const merged: CodeRange[] = [];
  for (const range of all) {
    const last = merged.at(-1);
    if (last && range.start < last.end) last.end = Math.max(last.end, range.end);
    else merged.push({ ...range });
  }
  return merged;
}

/** Index of the region that holds an address, or -1. */
export function findRegion(map: CodeMap, address: number): number {
  let low = 0;
  let high = map.regions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((map.regions[middle] as Region).end <= address) low = middle + 1;
    else high = middle;
  }
  const region = map.regions[low];
  return region && region.start <= address ? low : -1;
}

/** The function symbol that covers an address, as name or name+0xoffset. */
export function nameAddress(map: CodeMap, address: number): string | undefined {
  let low = 0;
  let high = map.names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((map.names[middle]?.address ?? 0) <= address) low = middle + 1;
    else high = middle;
  }
  const symbol = map.names[low - 1];
  if (!symbol || (address >= symbol.end && address !== symbol.address)) return undefined;
  return symbol.name;
}

export function getCode(map: CodeMap, region: Region): Code {
  region.code ??= decodeRegion(map, region);
  return region.code;
}

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

function decodeRegion(map: CodeMap, region: Region): Code {
  const { bytes, start } = region;
  const offsets = new Uint32Array(bytes.length + 1);
  const flows = new Uint8Array(bytes.length);
  const jumps = new Map<number, number[]>();
  const targets = new Map<number, number>();
  const indirectJumps: number[] = [];
  const tables: number[] = [];
  let hasInvalid = false;
  let stackEscapes = false;
  let count = 0;
  let at = 0;
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const instruction = new Instruction();
  decoder.ip = BigInt(start);
  while (at < bytes.length) {
    decoder.decodeOut(instruction);
    offsets[count] = at;
    let kind: number = flow.next;
    switch (instruction.flowControl) {
      case FlowControl.Next:
      case FlowControl.XbeginXabortXend:
        break;
      case FlowControl.UnconditionalBranch:
      case FlowControl.ConditionalBranch: {
        kind = instruction.flowControl === FlowControl.UnconditionalBranch ? flow.jump : flow.branch;
        const target = Number(instruction.nearBranchTarget);
        targets.set(count, target);
        const list = jumps.get(target - start);
        if (list) list.push(count);
        else jumps.set(target - start, [count]);
        break;
      }
      case FlowControl.Call:
        kind = instruction.isCallNear ? flow.call : flow.next; // syscall counts as a call in iced
        if (kind === flow.call) targets.set(count, Number(instruction.nearBranchTarget));
        break;
      case FlowControl.IndirectCall:
        kind = flow.call;
        break;
      case FlowControl.IndirectBranch:
        kind = flow.indirect;
        indirectJumps.push(count);
        break;
      case FlowControl.Return:
        kind = flow.end;
        break;
      case FlowControl.Exception:
        kind = instruction.isInvalid ? flow.invalid : flow.halt;
        if (kind === flow.invalid) hasInvalid = true;
        break;
      case FlowControl.Interrupt:
        break;
    }
    if (instruction.mnemonic === Mnemonic.Hlt) kind = flow.next;
    const isLea = instruction.mnemonic === Mnemonic.Lea;
    if (isLea && instruction.isIpRelMemoryOperand) tables.push(Number(instruction.ipRelMemoryAddress));
    if (!stackEscapes) stackEscapes = makesStackPointer(instruction, isLea);
    flows[count++] = kind;
    // An invalid instruction is skipped by one byte; decoding finds its way back within a few instructions.
    if (kind === flow.invalid) {
      at += 1;
      decoder.position = at;
      decoder.ip = BigInt(start + at);
    } else {
      at += instruction.length;
    }
  }
  offsets[count] = bytes.length;
  instruction.free();
  decoder.free();
  const tableTargets = indirectJumps.length > 0 ? readJumpTables(map.executable, region, tables) : new Set<number>();
  return {
    count,
    offsets: offsets.slice(0, count + 1),
    flows: flows.slice(0, count),
    jumps,
    targets,
    indirectJumps,
    tableTargets,
    hasInvalid,
    stackEscapes,
  };
}

const isStackRegister = (register: number) =>
  register === Register.RSP || register === Register.ESP || register === Register.RBP || register === Register.EBP;

/** A pointer into the frame is made by lea, by a copy of rsp, or by pushing rsp; a copy of rbp may be the same. */
function makesStackPointer(instruction: Instruction, isLea: boolean): boolean {
  const isCopy = instruction.mnemonic === Mnemonic.Mov && instruction.op1Kind === OpKind.Register;
  if (!isLea && !isCopy && instruction.mnemonic !== Mnemonic.Push && instruction.mnemonic !== Mnemonic.Add) return false;
  if (isLea) return isStackRegister(instruction.memoryBase) && !isStackRegister(instruction.op0Register);
  if (instruction.mnemonic === Mnemonic.Push) return instruction.op0Register === Register.RSP;
  if (instruction.op1Kind !== OpKind.Register || !isStackRegister(instruction.op1Register)) return false;
  return instruction.op0Kind !== OpKind.Register || !isStackRegister(instruction.op0Register);
}

const mostTableEntries = 4096;

/** Jump tables of position-independent code: 32-bit distances from the table to code of the same region. */
function readJumpTables(executable: Executable, region: Region, tables: number[]): Set<number> {
  const found = new Set<number>();
  const view = new DataView(executable.bytes.buffer, executable.bytes.byteOffset, executable.bytes.byteLength);
  for (const table of tables) {
    const segment = executable.segments.find((item) => table >= item.address && table < item.address + item.fileSize);
    if (!segment) continue;
    let at = segment.offset + (table - segment.address);
    const end = Math.min(segment.offset + segment.fileSize, at + 4 * mostTableEntries);
    for (; at + 4 <= end; at += 4) {
      const target = table + view.getInt32(at, true);
      if (target < region.start || target >= region.end) break;
      found.add(target - region.start);
    }
  }
  return found;
}

/**
 * Whether a call of this address never comes back: the function has no return, and no jump by which another would return for it.
 * Its last instruction must not run on into what follows; a call there is of a function that never returns either.
 */
export function neverReturns(map: CodeMap, address: number | undefined): boolean {
  if (address === undefined) return false;
  const region = map.regions[findRegion(map, address)];
  if (!region?.isFunction || region.start !== address) return false;
  if (region.neverReturns !== undefined) return region.neverReturns;
  const code = getCode(map, region);
  let result = code.count > 0 && code.indirectJumps.length === 0 && !code.hasInvalid;
  for (let index = 0; result && index < code.count; index++) {
    const kind = code.flows[index];
    if (kind === flow.end) result = false;
    if (kind !== flow.jump && kind !== flow.branch) continue;
    const target = code.targets.get(index) ?? 0;
    if (target < region.start || target >= region.end) result = false;
  }
  const last = code.flows[code.count - 1];
  region.neverReturns = result && (last === flow.call || last === flow.halt || last === flow.jump);
  return region.neverReturns;
}

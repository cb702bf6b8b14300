/**
 * Who calls whom inside one loadable file.
 *
 * Owns: one pass over its instructions. A call, a jump and a lea to code are edges; an operand relative to the instruction pointer that meets a word
 * which the loader fills in is a use of that name. In a region that does not decode cleanly each byte that could begin a reference counts as one.
 * What holds: a node is a region of the code map; whoever takes a function's address counts as calling it; pointers in data are roots, and so is code
 * that nothing is seen to lead to, unless it is padding, or begins as a called function does: landing pads, and whatever has no known bounds.
 */
import { Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind } from 'iced-x86';
import { type CodeMap, findRegion, type Region } from './code-map.ts';
import type { SharedObject } from './shared-object.ts';

/** A place that uses an imported name: calls it, or takes its address. */
export type ImportUse = { name: string; address: number; kind: 'call' | 'taken' };

export type CallGraph = {
  /** Region -> regions that it leads to. */
  edges: Set<number>[];
  /** Region -> names that it uses. */
  imports: Set<string>[];
  /** Uses of the names that the caller wants to look at more closely. */
  uses: ImportUse[];
  /** Strings that code refers to, of those that the caller wants: region -> text. */
  strings: Map<number, Set<string>>;
  roots: Set<number>;
  /** Names that only data uses. */
  rootImports: Set<string>;
};

export type CallGraphQuery = {
  wantsUse(name: string): boolean;
  /** Null: strings are not looked at. */
  wantsString: ((text: string) => boolean) | null;
};

export function buildCallGraph(object: SharedObject, map: CodeMap, query: CallGraphQuery): CallGraph {
  const { regions, ranges, executable } = map;
  const graph: CallGraph = {
    edges: regions.map(() => new Set()),
    imports: regions.map(() => new Set()),
    uses: [],
    strings: new Map(),
    roots: new Set(),
    rootImports: new Set(),
  };
  const stubs = findStubs(object, map);
  const plt = executable.sections.filter(({ name }) => name.startsWith('.plt'));
  const isStubCode = (address: number) => plt.some((item) => address >= item.address && address < item.address + item.size);
  const use = (region: number, name: string, address: number, kind: ImportUse['kind']) => {
    (graph.imports[region] as Set<string>).add(name);
    if (query.wantsUse(name)) graph.uses.push({ name, address, kind });
  };

  // After this: edges, uses of names through stubs and through their words, and strings.
  const usedSlots = new Set<number>();
  const text = query.wantsString === null ? undefined : makeStringReader(object);
  const lead = (from: number, target: number, site: number, kind: ImportUse['kind']) => {
    const stub = stubs.get(target);
    if (stub !== undefined) use(from, stub, site, kind);
    else if (!isStubCode(target)) {
      const to = findRegion(map, target);
      if (to >= 0 && to !== from) (graph.edges[from] as Set<number>).add(to);
    }
  };
  const refer = (from: number, target: number, site: number, isLea: boolean) => {
    if (target >= low && target < high) lead(from, target, site, 'taken');
    if (isLea && text !== undefined) {
      const found = text(target);
      if (found !== undefined && query.wantsString?.(found)) {
        const known = graph.strings.get(from);
        if (known) known.add(found);
        else graph.strings.set(from, new Set([found]));
      }
    }
  };
  const readSlot = (from: number, word: number, site: number, kind: ImportUse['kind']) => {
    const name = object.slots.get(word);
    if (name === undefined) return;
    usedSlots.add(word);
    use(from, name, site, kind);
  };
  const low = ranges[0]?.start ?? 0;
  const high = ranges.at(-1)?.end ?? 0;
  const scan: Scan = { lead, refer, readSlot };
  const reader = new RegionReader();
  try {
    for (const [index, region] of regions.entries()) {
      if (isStubCode(region.start) || (!region.isFunction && isPadding(region.bytes))) continue;
      if (!reader.read(region, index, scan)) scanBytes(region, index, scan, low, high);
    }
  } finally {
    reader.free();
  }
  for (const word of stubs.words) usedSlots.add(word);

  addFallThrough(map, graph, isStubCode);
  addRoots(object, map, graph, usedSlots, isStubCode);
  return graph;
}

type Scan = {
  /** A call or jump, or an address that is taken. */
  lead(from: number, target: number, site: number, kind: ImportUse['kind']): void;
  /** An operand at a distance from rip. */
  refer(from: number, target: number, site: number, isLea: boolean): void;
  readSlot(from: number, word: number, site: number, kind: ImportUse['kind']): void;
};

/** Reads regions instruction by instruction. */
class RegionReader {
  #instruction = new Instruction();

  free(): void {
    this.#instruction.free();
  }

  /** False when the bytes do not decode cleanly; what was told until then stands. */
  read(region: Region, index: number, scan: Scan): boolean {
    const { bytes, start } = region;
    const instruction = this.#instruction;
    const decoder = new Decoder(64, bytes, DecoderOptions.None);
    decoder.ip = BigInt(start);
    try {
      for (let at = 0; at < bytes.length; ) {
        decoder.decodeOut(instruction);
        const { length, flowControl } = instruction;
        if (flowControl === FlowControl.Exception && instruction.isInvalid) return false;
        const site = start + at;
        const end = at + length;
        if (isNearBranch(flowControl) && instruction.op0Kind === OpKind.NearBranch64) {
          const target = Number(instruction.nearBranchTarget);
          if (target < start || target >= region.end) scan.lead(index, target, site, 'call');
        } else if (mayReferToRip(bytes, at, end) && instruction.isIpRelMemoryOperand) {
          const target = Number(instruction.ipRelMemoryAddress);
          const isLea = instruction.mnemonic === Mnemonic.Lea;
          if (isLea) scan.refer(index, target, site, true);
          const isCall = flowControl === FlowControl.IndirectCall || flowControl === FlowControl.IndirectBranch;
          scan.readSlot(index, target, site, isCall ? 'call' : 'taken');
        }
        at = end;
      }
    } finally {
      decoder.free();
    }
    return true;
  }
}

const isNearBranch = (flow: FlowControl) =>
  flow === FlowControl.Call || flow === FlowControl.UnconditionalBranch || flow === FlowControl.ConditionalBranch;

/** ModRM with the mode of rip-relative operands; somewhere in the instruction, for all that the bytes tell. */
function mayReferToRip(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start + 1; at + 4 < end; at++) if (((bytes[at] as number) & 0xc7) === 0x05) return true;
  return false;
}

/** For bytes that are not all code: whatever could be a reference is one. */
function scanBytes(region: Region, index: number, scan: Scan, low: number, high: number): void {
  const { bytes, start } = region;
  for (let at = 1; at + 4 <= bytes.length; at++) {
    const before = bytes[at - 1] as number;
    const distance = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
    const target = start + at + 4 + distance;
    const isJump = before === 0xe8 || before === 0xe9 || (before & 0xf0) === 0x80;
    if (isJump && target >= low && target < high) scan.lead(index, target, start + at - 1, 'taken');
    if ((before & 0xc7) !== 0x05) continue;
    scan.refer(index, target, start + at - 2, true);
    // An immediate of 1, 2 or 4 bytes may stand behind the distance.
    for (const word of [target, target + 1, target + 2, target + 4]) scan.readSlot(index, word, start + at - 2, 'taken');
  }
}

/** Stubs of the procedure linkage table: where one begins -> the name to which it jumps. */
function findStubs(object: SharedObject, map: CodeMap): Map<number, string> & { words: Set<number> } {
  const stubs = Object.assign(new Map<number, string>(), { words: new Set<number>() });
  for (const { bytes, start } of map.ranges) {
    const code = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = code.indexOf('\xff\x25', 0, 'latin1'); at >= 0 && at + 6 <= code.length; at = code.indexOf('\xff\x25', at + 1, 'latin1')) {
      const word = start + at + 6 + code.readInt32LE(at + 2);
      const name = object.slots.get(word);
      if (name === undefined) continue;
      // jmp; bnd jmp; endbr64 before either.
      const isBound = code[at - 1] === 0xf2;
      const isMarked = (offset: number) => offset >= 4 && code.readUInt32LE(offset - 4) === 0xfa1e0ff3;
      const first = isBound ? at - 1 : at;
      const starts = isMarked(first) ? [first, first - 4] : [first];
      // A tail call in a function looks the same: a stub is aligned.
      if ((start + (starts.at(-1) as number)) % 8 !== 0) continue;
      for (const offset of starts) stubs.set(start + offset, name);
      stubs.words.add(word);
    }
  }
  return stubs;
}

/** Code without known bounds may run on into what follows, and be run into. */
function addFallThrough(map: CodeMap, graph: CallGraph, isStubCode: (address: number) => boolean): void {
  const { regions } = map;
  let before = -1;
  for (const [index, region] of regions.entries()) {
    if (isStubCode(region.start) || (!region.isFunction && isPadding(region.bytes))) continue;
    const last = regions[before];
    if (last && (!region.isFunction || !last.isFunction) && region.start - last.end < 64) (graph.edges[before] as Set<number>).add(index);
    before = index;
  }
}

function addRoots(object: SharedObject, map: CodeMap, graph: CallGraph, usedSlots: ReadonlySet<number>, isStubCode: (address: number) => boolean): void {
  const reached = new Set<number>();
  for (const targets of graph.edges) for (const target of targets) reached.add(target);
  for (const address of [...object.starts, ...object.pointers]) {
    const region = findRegion(map, address);
    if (region >= 0) graph.roots.add(region);
  }
  for (const { address } of object.exports) {
    const region = findRegion(map, address);
    if (region >= 0) reached.add(region);
  }
  for (const [index, region] of map.regions.entries()) {
    if (reached.has(index) || isStubCode(region.start)) continue;
    if (region.isFunction ? region.isEntry : isPadding(region.bytes)) continue;
    graph.roots.add(index);
  }
  for (const [word, name] of object.slots) if (!usedSlots.has(word)) graph.rootImports.add(name);
}

/** Nothing but no-ops, int3 and zero bytes. */
export function isPadding(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] as number;
    if (byte === 0x90 || byte === 0xcc || byte === 0 || byte === 0x66 || byte === 0x2e) at++;
    else if (byte === 0x0f && bytes[at + 1] === 0x1f) {
      // nop with an operand: ModRM, perhaps SIB, perhaps a displacement.
      const modrm = bytes[at + 2] ?? 0;
      const mode = modrm >> 6;
      if (mode === 3) return false;
      at += 3 + ((modrm & 7) === 4 ? 1 : 0) + (mode === 1 ? 1 : mode === 2 ? 4 : 0);
    } else return false;
  }
  return true;
}

const longestString = 256;

/** Printable text at an address of a segment without code, or undefined. */
function makeStringReader({ executable }: SharedObject): (address: number) => string | undefined {
  const { bytes } = executable;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return (address) => {
    const segment = executable.segments.find((item) => !item.executable && address >= item.address && address < item.address + item.fileSize);
    if (!segment) return undefined;
    const start = segment.offset + (address - segment.address);
    const end = text.indexOf(0, start);
    return end > start && end - start < longestString ? text.toString('latin1', start, end) : undefined;
  };
}

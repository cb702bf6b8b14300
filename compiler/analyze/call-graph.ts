/**
 * Who calls whom inside one loadable file.
 *
 * Owns: one pass over its instructions. A call, a jump and a lea to code are edges; an operand relative to the instruction pointer that meets a word
 * which the loader fills in is a use of that name. In a region that does not decode cleanly each byte that could begin a reference counts as one.
 * What holds: a node is a region of the code map; whoever takes a function's address counts as calling it; pointers in data are roots, and so is code
 * that nothing is seen to lead to, unless it is padding, or begins as a called function does: landing pads, and whatever has no known bounds.
 */
import type { EdgeScan, UseKind } from '../arch/analysis-isa.ts';
import { type CodeMap, findRegion } from './code-map.ts';
import type { SharedObject } from './shared-object.ts';

/** A place that uses an imported name. */
export type ImportUse = { name: string; address: number; kind: UseKind };

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
  const { regions, ranges, executable, isa } = map;
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
  const use = (region: number, name: string, address: number, kind: UseKind) => {
    (graph.imports[region] as Set<string>).add(name);
    if (query.wantsUse(name)) graph.uses.push({ name, address, kind });
  };

  // After this: edges, uses of names through stubs and through their words, and strings.
  const usedSlots = new Set<number>();
  const text = query.wantsString === null ? undefined : makeStringReader(object);
  const lead = (from: number, target: number, site: number, kind: UseKind) => {
    const stub = stubs.get(target);
    if (stub !== undefined) use(from, stub, site, kind);
    else if (!isStubCode(target)) {
      const to = findRegion(map, target);
      if (to >= 0 && to !== from) (graph.edges[from] as Set<number>).add(to);
    }
  };
  const refer = (from: number, target: number, site: number) => {
    if (target >= low && target < high) lead(from, target, site, 'taken');
    if (text !== undefined) {
      const found = text(target);
      if (found !== undefined && query.wantsString?.(found)) {
        const known = graph.strings.get(from);
        if (known) known.add(found);
        else graph.strings.set(from, new Set([found]));
      }
    }
  };
  const readSlot = (from: number, word: number, site: number, kind: UseKind) => {
    const name = object.slots.get(word);
    if (name === undefined) return;
    usedSlots.add(word);
    use(from, name, site, kind);
  };
  const low = ranges[0]?.start ?? 0;
  const high = ranges.at(-1)?.end ?? 0;
  const isWanted = (found: string | undefined) => found !== undefined && query.wantsString?.(found) === true;
  const concerns = (address: number) => (address >= low && address < high) || (text !== undefined && isWanted(text(address)));
  const scan: EdgeScan = { low, high, concerns, isSlot: (word) => object.slots.has(word), lead, refer, readSlot };
  for (const [index, region] of regions.entries()) {
    if (isStubCode(region.start) || (!region.isFunction && isa.isPadding(region.bytes))) continue;
    isa.readEdges(executable, region, index, scan);
  }
  for (const word of stubs.words) usedSlots.add(word);

  addFallThrough(map, graph, isStubCode);
  addRoots(object, map, graph, usedSlots, isStubCode);
  return graph;
}

/** Stubs of the procedure linkage table: where one can be entered -> the name to which it jumps. */
function findStubs(object: SharedObject, map: CodeMap): Map<number, string> & { words: Set<number> } {
  const stubs = Object.assign(new Map<number, string>(), { words: new Set<number>() });
  for (const range of map.ranges) {
    for (const { word, starts } of map.isa.findStubs(range, (address) => object.slots.has(address))) {
      for (const start of starts) stubs.set(start, object.slots.get(word) as string);
      stubs.words.add(word);
    }
  }
  return stubs;
}

/** Code without known bounds may run on into what follows, and be run into. */
function addFallThrough(map: CodeMap, graph: CallGraph, isStubCode: (address: number) => boolean): void {
  const { regions, isa } = map;
  let before = -1;
  for (const [index, region] of regions.entries()) {
    if (isStubCode(region.start) || (!region.isFunction && isa.isPadding(region.bytes))) continue;
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
    if (region.isFunction ? region.isEntry : map.isa.isPadding(region.bytes)) continue;
    graph.roots.add(index);
  }
  for (const [word, name] of object.slots) if (!usedSlots.has(word)) graph.rootImports.add(name);
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

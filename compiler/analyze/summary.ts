/**
 * What each function of a loadable file can do: the system calls, names and doubts that its own call graph leads to.
 *
 * Owns: the facts of one file, closed over its call graph. A summary depends on nothing but the file's bytes, so it can be kept by their digest; what a
 * name means is the closure's matter (closure.ts). Rules: uncertain is a doubt, and a doubt means any call. An executable is not looked at function by
 * function: what its linker kept counts as used, so that it costs no time.
 *
 * Names with a meaning of their own are looked at where they are called, for the constant that they get: syscall(2) for its number, dlopen and dlmopen for a
 * library, dlsym and dlvsym for a name, mmap, mprotect and pkey_mprotect for PROT_EXEC.
 */
import { buildCallGraph, type CallGraph, type ImportUse } from './call-graph.ts';
import { type CodeReader, findHolder, readFromMemory, type Region } from '../arch/analysis-isa.ts';
import { type CodeMap, findRegion, getCode, mapCode, nameAddress } from './code-map.ts';
import { scanReferences } from './references.ts';
import { type SharedObject, readSharedObject } from './shared-object.ts';
import { findSites } from './system-call-sites.ts';
import { type Doubt, Tracer } from './trace.ts';

/** Lists of indexes into the summary's own tables. */
export type Effect = { calls: number[]; names: number[]; doubts: number[]; strings: number[] };

export type ObjectSummary = {
  needed: string[];
  soname: string | undefined;
  searchPaths: string[];
  interpreter: string | undefined;
  names: string[];
  doubts: string[];
  /** Names of libraries and of their folders, in functions that may load them. */
  strings: string[];
  effects: Effect[];
  /** Name -> effects of what has it. */
  exports: Record<string, number[]>;
  /** The effect of loading it, or of running it. */
  root: number;
  /** Call number -> a function that makes it. */
  places: Record<string, string>;
};

const protExec = 4;
const numberLimit = 0x1000;
/** Imported name -> which argument decides, and what is looked for. */
const watched = new Map<string, { argument: number; kind: 'number' | 'library' | 'symbol' | 'protection' }>([
  ['syscall', { argument: 0, kind: 'number' }],
  ['dlopen', { argument: 0, kind: 'library' }],
  ['dlmopen', { argument: 1, kind: 'library' }],
  ['dlsym', { argument: 1, kind: 'symbol' }],
  ['dlvsym', { argument: 1, kind: 'symbol' }],
  ['mmap', { argument: 2, kind: 'protection' }],
  ['mmap64', { argument: 2, kind: 'protection' }],
  ['mprotect', { argument: 2, kind: 'protection' }],
  ['pkey_mprotect', { argument: 2, kind: 'protection' }],
]);

/** Text that names a library, a pattern for names, or a folder of libraries. */
const isLibraryText = (text: string) => /\.so(\.|%|$)/.test(text) || /^\/[^ %]*lib[^ %]*\/[^ %]+$/.test(text);

/** Many files as one: each counts whole. For plug-ins, of which any may be loaded. */
export function mergeSummaries(summaries: readonly ObjectSummary[]): ObjectSummary {
  const unite = <T>(pick: (summary: ObjectSummary) => readonly T[]): T[] => [...new Set(summaries.flatMap(pick))];
  const [names, doubts, strings] = [unite((item) => item.names), unite((item) => item.doubts), unite((item) => item.strings)];
  const range = (list: readonly string[]) => list.map((_, index) => index);
  const calls = unite((item) => item.effects.flatMap((effect) => effect.calls)).sort((a, b) => a - b);
  return {
    needed: unite((item) => item.needed),
    soname: undefined,
    searchPaths: unite((item) => item.searchPaths),
    interpreter: undefined,
    names,
    doubts,
    strings,
    effects: [{ calls, names: range(names), doubts: range(doubts), strings: range(strings) }],
    exports: Object.fromEntries(unite((item) => Object.keys(item.exports)).map((name) => [name, [0]])),
    root: 0,
    places: Object.assign({}, ...summaries.map(({ places }) => places)) as Record<string, string>,
  };
}

type FactKind = 'calls' | 'names' | 'doubts' | 'strings';
type Facts = Set<number>;

/** Every fact has a number, so that sets of them are sets of bits. */
class FactTable {
  readonly facts: { kind: FactKind; value: number | string }[] = [];
  #numbers = new Map<string, number>();

  of(kind: FactKind, value: number | string): number {
    const key = `${kind}${value}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.facts.length);
    return this.facts.push({ kind, value }) - 1;
  }
}

/** `whole`: all of the file counts as used, as for an executable. */
export function summarizeObject(bytes: Uint8Array, path: string, whole = false): ObjectSummary {
  const object = readSharedObject(bytes, path);
  // After this: regions, and everything that leads to code. For an executable only where something in it must be looked at.
  const map = mapCode(object.executable);
  const reader = map.isa.openReader({ preservesAcrossCalls: true });
  try {
    let tracer: Tracer | undefined;
    const getTracer = () => (tracer ??= new Tracer(map, scanReferences(map, object.pointers), reader));
    const work: Work = { object, map, reader, table: new FactTable(), isLibc: isLibc(object), places: {}, getTracer };
    const isProgram = whole || (object.interpreter !== undefined && !work.isLibc);
    return isProgram ? summarizeProgram(work) : summarizeLibrary(work);
  } finally {
    reader.free();
  }
}

type Work = {
  object: SharedObject;
  map: CodeMap;
  reader: CodeReader;
  table: FactTable;
  isLibc: boolean;
  places: Record<string, string>;
  getTracer(): Tracer;
};

const isLibc = (object: SharedObject) => object.exports.some(({ name }) => name === '__libc_start_main');

/** All of it counts as used. */
function summarizeProgram(work: Work): ObjectSummary {
  const { object, map, table } = work;
  const facts: Facts = new Set();
  for (const name of object.imports) facts.add(table.of('names', name));
  for (const name of object.slots.values()) facts.add(table.of('names', name));
  findCalls(work, () => facts);
  if ([...watched.keys()].some((name) => object.imports.has(name))) {
    const graph = buildCallGraph(object, map, { wantsUse: (name) => watched.has(name), wantsString: null });
    const seen = new Set(graph.uses.map(({ name }) => name));
    for (const use of graph.uses) judgeUse(work, use, facts);
    for (const name of watched.keys()) {
      if (!object.imports.has(name)) continue;
      if (graph.rootImports.has(name)) facts.add(table.of('doubts', `a pointer to ${name} exists`));
      else if (!seen.has(name)) facts.add(table.of('doubts', `${name} is used in a way that is not seen`));
    }
  }
  return pack(work, [toBits(table, facts)], new Map(object.exports.map(({ name }) => [name, [0]])), 0);
}

function summarizeLibrary(work: Work): ObjectSummary {
  const { object, map, table } = work;
  const graph = buildCallGraph(object, map, {
    wantsUse: (name) => watched.has(name),
    wantsString: work.isLibc ? isLibraryText : null,
  });
  const facts: Facts[] = map.regions.map(() => new Set());
  const at = (region: number) => facts[region] as Facts;
  for (const [region, names] of graph.imports.entries()) for (const name of names) at(region).add(table.of('names', name));
  for (const [region, texts] of graph.strings) for (const text of texts) at(region).add(table.of('strings', text));
  findCalls(work, at);
  // The C library itself makes memory executable for libraries and for stacks that have to be, never for code of its own making.
  for (const use of graph.uses) {
    if (work.isLibc && watched.get(use.name)?.kind === 'protection') continue;
    judgeUse(work, use, at(findRegion(map, use.address)));
  }
  const root: Facts = new Set();
  for (const name of graph.rootImports) {
    root.add(table.of('names', name));
    if (watched.has(name)) root.add(table.of('doubts', `a pointer to ${name} exists`));
  }
  facts.push(root);
  graph.edges.push(graph.roots);
  const exports = new Map<string, number[]>();
  for (const { name, address } of object.exports) {
    const region = findRegion(map, address);
    if (region < 0) continue;
    const list = exports.get(name);
    if (!list) exports.set(name, [region]);
    else if (!list.includes(region)) list.push(region);
  }
  return pack(work, closeFacts(table, facts, graph), exports, facts.length - 1);
}

/**
 * glibc changes the user of all threads by a structure that goes to each: the one number of a system call that it reads from memory. nptl(7): "C library/kernel
 * differences"; the calls are those that POSIX wants to act on the process.
 */
const broadcastCalls = ['setuid', 'setgid', 'setreuid', 'setregid', 'setgroups', 'setresuid', 'setresgid'];
const isFromMemory = (doubt: Doubt) => doubt.reason === readFromMemory;

/** The instructions that enter the kernel; what they do goes to the facts of the region that holds them. */
function findCalls(work: Work, factsOf: (region: number) => Facts): void {
  const { object, map, reader, table } = work;
  const { isa } = map;
  const [firstArgument] = isa.registers.functionArguments;
  const syscallFunctions = new Set(object.exports.filter(({ name }) => name === 'syscall').map(({ address }) => address));
  for (const site of findSites(map, reader)) {
    if (site.kind === 'legacy') continue; // hull does not answer it, whoever makes it
    const facts = factsOf(site.region);
    const place = nameAddress(map, site.address) ?? `0x${site.address.toString(16)}`;
    if (site.kind === 'doubtful') {
      facts.add(table.of('doubts', `the bytes around a system call do not decode, at ${place}`));
      continue;
    }
    const { values, doubts } = work.getTracer().trace(site.region, site.index, isa.registers.call);
    const numbers = [...values.keys()];
    // What syscall(2) gets is looked at where it is called.
    const isPassed = (doubt: Doubt) => doubt.parameter === firstArgument && syscallFunctions.has(doubt.address) && !object.pointers.has(doubt.address);
    const open = doubts.filter((doubt) => !isPassed(doubt));
    if (work.isLibc && object.soname === 'libc.so.6' && open.length > 0 && open.every(isFromMemory)) numbers.push(...broadcastCalls.flatMap((name) => isa.syscallNumber(name) ?? []));
    else for (const doubt of open) facts.add(table.of('doubts', `the number of a system call is not known: ${doubt.reason}, in ${place}`));
    for (const number of numbers) addCall(work, facts, number, place);
  }
}

function addCall({ table, places }: Work, facts: Facts, number: number, place: string): void {
  if (number >= numberLimit) return;
  facts.add(table.of('calls', number));
  places[number] ??= place;
}

/** What a use of a watched name adds to the facts around it. */
function judgeUse(work: Work, use: ImportUse, facts: Facts): void {
  const { map, table } = work;
  const { argument, kind } = watched.get(use.name) as { argument: number; kind: string };
  const location = map.isa.registers.functionArguments[argument] as number;
  const place = nameAddress(map, use.address) ?? `0x${use.address.toString(16)}`;
  const doubt = (text: string) => void facts.add(table.of('doubts', `${text}, at ${place}`));
  if (use.kind === 'taken') {
    doubt(`a pointer to ${use.name} exists`);
    return;
  }
  const regionIndex = findRegion(map, use.address);
  const region = map.regions[regionIndex] as Region;
  const index = findHolder(getCode(map, region), use.address - region.start);
  const tracer = work.getTracer();
  const isText = kind === 'library' || kind === 'symbol';
  const { values, doubts } = isText ? tracer.traceAddress(regionIndex, index, location) : tracer.trace(regionIndex, index, location);
  const isKnown = doubts.length === 0 && values.size > 0;
  if (kind === 'number') {
    for (const number of values.keys()) addCall(work, facts, number, place);
    if (!isKnown) doubt('syscall is called with a number that is not known');
  } else if (kind === 'protection') {
    if ([...values.keys()].some((value) => value & protExec)) doubt(`${use.name} makes memory executable: code can come later`);
    else if (!isKnown) doubt(`${use.name} is called with a protection that is not known: code can come later`);
  } else {
    for (const address of values.keys()) {
      if (address === 0 && kind === 'library') continue; // the program itself
      const text = readText(work.object, address);
      if (text === undefined) doubt(`${use.name} is called with a name that is not known`);
      else facts.add(table.of(kind === 'symbol' ? 'names' : 'strings', text));
    }
    if (!isKnown) doubt(`${use.name} is called with a name that is not known`);
  }
}

/** Text in memory that the program cannot write. */
function readText({ executable }: SharedObject, address: number): string | undefined {
  const segment = executable.segments.find((item) => address >= item.address && address < item.address + item.fileSize);
  if (!segment || segment.writable) return undefined;
  const start = segment.offset + (address - segment.address);
  const end = executable.bytes.indexOf(0, start);
  return end > start && end - start < 256 ? Buffer.from(executable.bytes.subarray(start, end)).toString('latin1') : undefined;
}

function toBits(table: FactTable, facts: Facts): Uint32Array {
  const bits = new Uint32Array((table.facts.length + 31) >>> 5);
  for (const fact of facts) bits[fact >>> 5] = (bits[fact >>> 5] as number) | (1 << (fact & 31));
  return bits;
}

/** Facts of each node and of all that it leads to. Nodes that lead to each other share theirs (Tarjan 1972, with a stack of our own). */
function closeFacts(table: FactTable, facts: readonly Facts[], graph: CallGraph): Uint32Array[] {
  const count = facts.length;
  const order = new Int32Array(count).fill(-1);
  const low = new Int32Array(count);
  const isOpen = new Uint8Array(count);
  const closed: Uint32Array[] = new Array(count);
  const open: number[] = [];
  let next = 0;
  const targets = graph.edges.map((set) => [...set]);
  const enter = (node: number) => {
    order[node] = low[node] = next++;
    open.push(node);
    isOpen[node] = 1;
    return { node, edge: 0 };
  };
  for (let start = 0; start < count; start++) {
    if (order[start] !== -1) continue;
    const path = [enter(start)];
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const { node } = top;
      const target = (targets[node] as number[])[top.edge++];
      if (target !== undefined) {
        if (order[target] === -1) path.push(enter(target));
        else if (isOpen[target]) low[node] = Math.min(low[node] as number, order[target] as number);
        continue;
      }
      path.pop();
      const parent = path.at(-1);
      if (parent) low[parent.node] = Math.min(low[parent.node] as number, low[node] as number);
      if (low[node] !== order[node]) continue;
      const members = open.splice(open.lastIndexOf(node));
      const all = new Uint32Array((table.facts.length + 31) >>> 5);
      const parts = new Set<Uint32Array>();
      for (const member of members) {
        isOpen[member] = 0;
        closed[member] = all;
        for (const fact of facts[member] as Facts) all[fact >>> 5] = (all[fact >>> 5] as number) | (1 << (fact & 31));
        for (const item of targets[member] as number[]) if (closed[item] && closed[item] !== all) parts.add(closed[item]);
      }
      for (const part of parts) for (let i = 0; i < all.length; i++) all[i] = (all[i] as number) | (part[i] as number);
    }
  }
  return closed;
}

/** The form that is kept: tables of texts, effects once each. */
function pack({ object, table, places }: Work, closed: readonly Uint32Array[], exports: ReadonlyMap<string, number[]>, root: number): ObjectSummary {
  const indexes = new Map<number, number>();
  const texts: Record<'names' | 'doubts' | 'strings', string[]> = { names: [], doubts: [], strings: [] };
  const effects: Effect[] = [];
  const byBits = new Map<Uint32Array, number>();
  const byKey = new Map<string, number>();
  const add = (bits: Uint32Array): number => {
    const same = byBits.get(bits);
    if (same !== undefined) return same;
    const key = bits.join();
    let index = byKey.get(key);
    if (index === undefined) {
      const effect: Effect = { calls: [], names: [], doubts: [], strings: [] };
      for (const [number, { kind, value }] of table.facts.entries()) {
        if (!((bits[number >>> 5] as number) & (1 << (number & 31)))) continue;
        if (kind === 'calls') effect.calls.push(value as number);
        else {
          const known = indexes.get(number) ?? texts[kind].push(value as string) - 1;
          indexes.set(number, known);
          effect[kind].push(known);
        }
      }
      index = effects.push(effect) - 1;
      byKey.set(key, index);
    }
    byBits.set(bits, index);
    return index;
  };
  const packed: Record<string, number[]> = {};
  for (const [name, nodes] of exports) packed[name] = [...new Set(nodes.map((node) => add(closed[node] as Uint32Array)))];
  const { needed, soname, searchPaths, interpreter } = object;
  return { needed, soname, searchPaths, interpreter, root: add(closed[root] as Uint32Array), effects, exports: packed, ...texts, places };
}

/**
 * The state that the passes share. Each pass adds what its header comment says and leaves the rest alone.
 *
 * Two scopes of names: the libOS's and the program's. A name is looked up in the scope of the file that mentions it, then in the other; so a
 * program may have its own `panic` or `memcpy` beside the libOS's. Executables only have the program's scope.
 */
import type { LinkIsa } from '../arch/link-isa.ts';
import type { SymbolTable } from '../elf/index.ts';
import { LinkError, type LinkErrorCode } from './error.ts';
import type { ComponentManifest } from './request.ts';

export type ScopeName = 'libos' | 'program';

/** Relocations of a section: a table of the file, or one that the linker made. */
export interface Relocations {
  readonly count: number;
  offset(index: number): number;
  type(index: number): number;
  symbol(index: number): number;
  addend(index: number): number | undefined;
  bigAddend(index: number): bigint;
}

export class MadeRelocations implements Relocations {
  readonly entries: { offset: number; type: number; symbol: number; addend: number }[] = [];
  get count(): number {
    return this.entries.length;
  }
  offset(index: number): number {
    return this.at(index).offset;
  }
  type(index: number): number {
    return this.at(index).type;
  }
  symbol(index: number): number {
    return this.at(index).symbol;
  }
  addend(index: number): number {
    return this.at(index).addend;
  }
  bigAddend(index: number): bigint {
    return BigInt(this.at(index).addend);
  }
  private at(index: number) {
    return this.entries[index] as { offset: number; type: number; symbol: number; addend: number };
  }
}

/** An SHF_MERGE section cut into strings or constants. */
export interface Pieces {
  /** Start of each piece in the input, ascending; then the section's size. */
  starts: number[];
  live: Uint8Array;
  /** After merging: where each piece is in `chunk`. */
  places: Float64Array;
  chunk: InputSection | undefined;
}

export class InputSection {
  live = false;
  why: InputSection | undefined;
  /** Text for a root of the mark chain, or how `why` refers to this. */
  reason = '';
  relocations: Relocations | undefined;
  /** Planned expression of each relocation; 255 = part of the sequence before. */
  plans: Uint8Array | undefined;
  pieces: Pieces | undefined;
  /** Branches that go through a veneer, by the relocation's index. */
  veneers: Map<number, LinkSymbol> | undefined;
  /** Sections kept or dropped together with this one. */
  group: InputSection[] | undefined;
  /** Sections with SHF_LINK_ORDER that describe this one. */
  dependents: InputSection[] | undefined;
  output: OutputSection | undefined;
  address = 0;

  readonly file: ObjectFile;
  readonly name: string;
  type: number;
  flags: number;
  align: number;
  size: number;
  entrySize: number;
  data: Uint8Array;

  constructor(
    file: ObjectFile,
    name: string,
    type: number,
    flags: number,
    align: number,
    size: number,
    entrySize: number,
    data: Uint8Array,
  ) {
    this.file = file;
    this.name = name;
    this.type = type;
    this.flags = flags;
    this.align = align;
    this.size = size;
    this.entrySize = entrySize;
    this.data = data;
  }
}

export class ObjectFile {
  readonly name: string;
  readonly scope: ScopeName;
  readonly component: Component | undefined;
  /** By section index of the file; undefined: not taken. */
  sections: (InputSection | undefined)[] = [];
  /** Section indexes that lost to the same COMDAT group of another file. */
  discarded: Set<number> | undefined;
  /** By symbol index. */
  symbols: LinkSymbol[] = [];
  table: SymbolTable | undefined;
  unwind: InputSection[] = [];

  constructor(name: string, scope: ScopeName, component: Component | undefined) {
    this.name = name;
    this.scope = scope;
    this.component = component;
  }
}

export const SymbolKind = { undefined: 0, lazy: 1, common: 2, defined: 3, absolute: 4, address: 5 } as const;
export type SymbolKind = (typeof SymbolKind)[keyof typeof SymbolKind];

export class LinkSymbol {
  kind: SymbolKind = SymbolKind.undefined;
  file: ObjectFile | undefined;
  section: InputSection | undefined;
  /** Offset in the section, size of a common's alignment, or final address (`address`). */
  value = 0;
  absolute = 0n;
  size = 0;
  type = 0;
  binding = 1;
  visibility = 0;
  /** Some live or eager reference is not weak. */
  strong = false;
  /** Reached by marking. */
  reached = false;
  lazy: Lazy | undefined;
  /** The symbol of the other scope that this one stands for. */
  alias: LinkSymbol | undefined;
  slot = -1;
  threadSlot = -1;
  /** The jump that stands for an indirect function. */
  indirect: LinkSymbol | undefined;
  isSection = false;
  readonly name: string;
  readonly scope: ScopeName;

  constructor(name: string, scope: ScopeName) {
    this.name = name;
    this.scope = scope;
  }
}

/** An archive member not yet taken, or a component not yet active. */
export type Lazy = { kind: 'member'; archive: LazyArchive; member: number } | { kind: 'component'; component: Component };

export interface LazyArchive {
  name: string;
  scope: ScopeName;
  members: { name: string; bytes: Uint8Array }[];
  taken: Uint8Array;
}

export interface Component {
  manifest: ComponentManifest;
  name: string;
  soft: Set<string>;
  members: { name: string; bytes: Uint8Array }[];
  active: boolean;
  why: InputSection | undefined;
  reason: string;
  order: number;
}

export interface OutputSection {
  name: string;
  type: number;
  flags: number;
  align: number;
  sections: InputSection[];
  address: number;
  size: number;
  fileOffset: number;
  segment: Segment;
  rank: number;
  index: number;
}

export interface Segment {
  name: string;
  flags: number;
  rank: number;
  outputs: OutputSection[];
  address: number;
  memorySize: number;
  fileSize: number;
  fileOffset: number;
  align: number;
}

/** A symbol whose address the layout decides. */
export interface Boundary {
  symbol: LinkSymbol;
  address: (context: LinkContext) => number;
}

export interface Options {
  kind: 'binary' | 'linked' | 'executable';
  gc: boolean;
  strip: boolean;
  entry: string;
  base: number;
  keep: string[];
  unwind: boolean;
  movable: boolean;
}

export class LinkContext {
  readonly isa: LinkIsa;
  readonly options: Options;
  readonly scopes: Record<ScopeName, Map<string, LinkSymbol>> = { libos: new Map(), program: new Map() };
  readonly comdats: Record<ScopeName, Map<string, ObjectFile>> = { libos: new Map(), program: new Map() };
  readonly objects: ObjectFile[] = [];
  readonly components = new Map<string, Component>();
  /** Sections and symbols that the linker makes itself. */
  readonly made: Record<ScopeName, ObjectFile>;
  readonly boundaries: Boundary[] = [];
  outputs: OutputSection[] = [];
  segments: Segment[] = [];
  /** Marking calls this when a definition that was already reached is replaced, and when a file arrives. */
  onReplaced: ((symbol: LinkSymbol) => void) | undefined;
  onFile: ((file: ObjectFile) => void) | undefined;
  syscalls: Set<string> = new Set();
  absent = new Map<string, number>();
  got: InputSection | undefined;
  needsGot = false;
  threadStart = 0;
  threadEnd = 0;
  threadPointer = 0;
  features = 0;
  leastMemory = 0;
  /** Nesting of archive members that ask for others, and those that have to wait. */
  depth = 0;
  postponed: { archive: LazyArchive; member: { name: string; bytes: Uint8Array } }[] = [];
  inputBytes = 0;
  /** The functions that .eh_frame covers, and where. */
  unwind: { section: InputSection; offset: number; symbol: LinkSymbol; addend: number }[] = [];
  unwindHeader: InputSection | undefined;
  /** Merged strings and constants. */
  chunks: InputSection[] = [];
  programPath: string | undefined;
  embedded: Uint8Array | undefined;
  relr: InputSection | undefined;
  relrAddresses: number[] = [];
  private readonly problems = new Map<LinkErrorCode, string[]>();

  constructor(isa: LinkIsa, options: Options) {
    this.isa = isa;
    this.options = options;
    this.made = { libos: new ObjectFile('<linker>', 'libos', undefined), program: new ObjectFile('<linker>', 'program', undefined) };
  }

  /** Notes a problem; the pass goes on to find more. */
  report(code: LinkErrorCode, text: string): void {
    const list = this.problems.get(code) ?? [];
    if (list.length < 100 && !list.includes(text)) list.push(text);
    this.problems.set(code, list);
  }

  /** Throws if problems were noted. */
  check(): void {
    for (const [code, texts] of this.problems) throw new LinkError(code, texts);
  }

  /** The symbol of that name in a scope, made when it is new. */
  intern(name: string, scope: ScopeName): LinkSymbol {
    const table = this.scopes[scope];
    let symbol = table.get(name);
    if (!symbol) {
      symbol = new LinkSymbol(name, scope);
      table.set(name, symbol);
    }
    return symbol;
  }
}

export function isDefined(symbol: LinkSymbol): boolean {
  return symbol.kind >= SymbolKind.common;
}

/** What a symbol stands for, across scopes. */
export function resolved(symbol: LinkSymbol): LinkSymbol {
  return symbol.alias ?? symbol;
}

/** The value is the same wherever the image lies: absolute, or weak and not there. */
export function isConstant(symbol: LinkSymbol): boolean {
  return symbol.kind === SymbolKind.absolute || !isDefined(symbol);
}

/** The address of a byte of an input section, also in a merged one. */
export function addressIn(section: InputSection, offset: number): number {
  const pieces = section.pieces;
  if (!pieces?.chunk) return section.address + offset;
  const piece = pieceAt(pieces, offset);
  return pieces.chunk.address + (pieces.places[piece] as number) + offset - (pieces.starts[piece] as number);
}

/** Index of the piece that holds `offset`; the last for one at or past the end. */
export function pieceAt(pieces: Pieces, offset: number): number {
  let low = 0;
  let high = pieces.starts.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((pieces.starts[middle] as number) <= offset) low = middle;
    else high = middle - 1;
  }
  return Math.max(low, 0);
}

/** Address of a symbol, 0 for what is weak and not there. Absolute ones may lie beyond 2^53: see `absolute`. */
export function symbolAddress(symbol: LinkSymbol): number {
  switch (symbol.kind) {
    case SymbolKind.defined:
      return symbol.section ? addressIn(symbol.section, symbol.value) : symbol.value;
    case SymbolKind.address:
      return symbol.value;
    case SymbolKind.absolute:
      return Number(BigInt.asIntN(64, symbol.absolute));
    default:
      return 0;
  }
}

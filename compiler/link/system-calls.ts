/**
 * System calls of an image: the table of binary images, and the stubs of absent calls.
 *
 * A table entry of a call that the program may make refers to sys_NAME like any other code; the others, and the calls that no component defines,
 * go to stubs that hand their number to sys_absent.
 */
import { SHF_ALLOC, SHF_EXECINSTR, SHT_PROGBITS, STT_FUNC } from '../elf/index.ts';
import { InputSection, type LinkContext, LinkSymbol, MadeRelocations, SymbolKind } from './context.ts';

/** What the libOS may offer for absent entries of the table: it finds the number where the system call's entry kept it. */
const COMMON_STUB = 'hull_syscall_absent';

/** The section and symbols of stubs for these numbers; the symbols become defined in it. */
function makeStubs(context: LinkContext, entries: readonly { symbol: LinkSymbol; number: number }[]): InputSection {
  const file = context.made.libos;
  const ordered = [...entries].sort((a, b) => a.number - b.number);
  const code = context.isa.absentStubs(ordered.map((entry) => entry.number));
  const section = new InputSection(file, '.text.hull_absent', SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 1, code.bytes.length, 0, code.bytes);
  const relocations = new MadeRelocations();
  const target = addReference(context, 'sys_absent');
  for (const { offset, type, addend } of code.branches) relocations.entries.push({ offset, type, symbol: target, addend });
  section.relocations = relocations;
  file.sections.push(section);
  ordered.forEach(({ symbol }, i) => {
    symbol.kind = SymbolKind.defined;
    symbol.file = file;
    symbol.section = section;
    symbol.value = code.entries[i] as number;
    symbol.size = (code.entries[i + 1] ?? code.bytes.length) - symbol.value;
    symbol.type = STT_FUNC;
    symbol.reached = true;
  });
  return section;
}

/** Index in the made file of a reference to a libOS symbol. */
export function addReference(context: LinkContext, name: string): number {
  const file = context.made.libos;
  const symbol = context.intern(name, 'libos');
  symbol.strong = true;
  return file.symbols.push(symbol) - 1;
}

export function makeAbsentStubs(context: LinkContext, symbols: readonly LinkSymbol[]): InputSection {
  // Both scopes may mention a call: one stub.
  const byName = new Map<string, LinkSymbol>();
  for (const symbol of symbols) {
    const first = byName.get(symbol.name);
    if (first) symbol.alias = first;
    else byName.set(symbol.name, symbol);
  }
  const entries = [...byName.values()].map((symbol) => ({ symbol, number: context.isa.syscallNumber(symbol.name.slice(4)) as number }));
  for (const { symbol, number } of entries) context.absent.set(symbol.name.slice(4), number);
  return makeStubs(context, entries);
}

/**
 * hull_syscall_table, hull_syscall_index, hull_syscall_count: defined when something refers to one of them. The table has each function once, entry 0 being
 * that of absent calls; the index, one 16-bit number a call up to the highest that is there, says which. So a program with few calls pays for few.
 */
export function makeSyscallTable(context: LinkContext): InputSection[] {
  const { isa } = context;
  const file = context.made.libos;
  const common = context.scopes.libos.get(COMMON_STUB);
  const numbers = isa.syscallNames.flatMap((name, number) => (name !== undefined && context.syscalls.has(name) ? [number] : []));
  const hasCommon = common !== undefined && common.kind !== SymbolKind.undefined;
  // Without a common stub each absent call has its own, and an entry.
  const entries = hasCommon ? numbers : isa.syscallNames.map((_, number) => number);
  const count = (entries.at(-1) ?? -1) + 1;
  const pointers = entries.length + 1;
  const section = (name: string, align: number, bytes: Uint8Array) => {
    const made = new InputSection(file, name, SHT_PROGBITS, SHF_ALLOC, align, bytes.length, 0, bytes);
    file.sections.push(made);
    return made;
  };
  const table = section('.data.rel.ro.hull_syscall_table', 8, new Uint8Array(pointers * 8));
  const indexBytes = new Uint8Array(count * 2);
  const indexView = new DataView(indexBytes.buffer);
  const index = section('.rodata.hull_syscall_index', 2, indexBytes);
  const relocations = new MadeRelocations();
  const stubs: { symbol: LinkSymbol; number: number }[] = [];
  const made = new Set(numbers);
  const point = (entry: number, symbol: number) => relocations.entries.push({ offset: entry * 8, type: isa.word64, symbol, addend: 0 });
  const addStub = (number: number) => {
    const stub = new LinkSymbol(`absent_${number}`, 'libos');
    stub.binding = 0;
    stubs.push({ symbol: stub, number });
    return file.symbols.push(stub) - 1;
  };
  entries.forEach((number, i) => {
    const name = isa.syscallNames[number];
    indexView.setUint16(number * 2, i + 1, true);
    point(i + 1, name !== undefined && made.has(number) ? addReference(context, `sys_${name}`) : addStub(number));
  });
  point(0, addReference(context, hasCommon ? COMMON_STUB : 'sys_absent'));
  table.relocations = relocations;
  const define = (name: string, place: InputSection | undefined, value: number) => {
    const symbol = context.intern(name, 'libos');
    symbol.lazy = undefined;
    symbol.file = file;
    symbol.reached = true;
    if (place) {
      symbol.kind = SymbolKind.defined;
      symbol.section = place;
      symbol.value = 0;
      symbol.size = place.size;
    } else {
      symbol.kind = SymbolKind.absolute;
      symbol.absolute = BigInt(value);
    }
  };
  define('hull_syscall_table', table, 0);
  define('hull_syscall_index', index, 0);
  define('hull_syscall_count', undefined, count);
  return stubs.length > 0 ? [table, index, makeStubs(context, stubs)] : [table, index];
}

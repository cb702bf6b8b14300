/**
 * System calls of an image: the table of binary images, and the stubs of absent calls.
 *
 * A table entry of a call that the program may make refers to sys_NAME like any other code; the others, and the calls that no component defines,
 * go to stubs that hand their number to sys_absent.
 */
import { SHF_ALLOC, SHF_EXECINSTR, SHT_PROGBITS, STT_FUNC } from '../elf/index.ts';
import { InputSection, type LinkContext, LinkSymbol, MadeRelocations, SymbolKind } from './context.ts';

/** What the libOS may offer for absent entries of the table: it finds the number where the ISA's system call instruction has it. */
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

/** hull_syscall_table: defined when something refers to it. */
export function makeSyscallTable(context: LinkContext, symbol: LinkSymbol): InputSection[] {
  const { isa } = context;
  const file = context.made.libos;
  const count = isa.syscallNames.length;
  const table = new InputSection(
    file,
    '.data.rel.ro.hull_syscall_table',
    SHT_PROGBITS,
    SHF_ALLOC,
    8,
    count * 8,
    0,
    new Uint8Array(count * 8),
  );
  const relocations = new MadeRelocations();
  const stubs: { symbol: LinkSymbol; number: number }[] = [];
  for (let number = 0; number < count; number++) {
    const name = isa.syscallNames[number];
    let index: number;
    const common = context.scopes.libos.get(COMMON_STUB);
    if (name !== undefined && context.syscalls.has(name)) index = addReference(context, `sys_${name}`);
    else if (common && common.kind !== SymbolKind.undefined) index = addReference(context, COMMON_STUB);
    else {
      const stub = new LinkSymbol(`absent_${number}`, 'libos');
      stub.binding = 0;
      stubs.push({ symbol: stub, number });
      index = file.symbols.push(stub) - 1;
    }
    relocations.entries.push({ offset: number * 8, type: isa.word64, symbol: index, addend: 0 });
  }
  table.relocations = relocations;
  file.sections.push(table);
  symbol.kind = SymbolKind.defined;
  symbol.file = file;
  symbol.section = table;
  symbol.value = 0;
  symbol.size = table.size;
  return stubs.length > 0 ? [table, makeStubs(context, stubs)] : [table];
}

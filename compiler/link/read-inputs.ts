/**
 * Pass: read objects and archives, and resolve names as they come.
 *
 * Rules of resolution, in one scope: the first strong definition wins and a second is an error; a strong one replaces a weak or a common one;
 * commons take the largest size and alignment; of weak ones the first stays. An archive member is taken when a strong reference meets its definition,
 * in whatever order the two come, so archives may depend on each other in cycles. Of COMDAT groups with one signature the first stays.
 * Input is checked here once: later passes rely on section indexes, symbol indexes and relocation offsets being in range.
 */
import {
  ElfError,
  type ElfFile,
  EM_X86_64,
  ET_REL,
  GRP_COMDAT,
  isArchive,
  isThinArchive,
  RelaTable,
  readArchive,
  readElf,
  readSymbols,
  SHF_ALLOC,
  SHF_COMPRESSED,
  SHF_EXCLUDE,
  SHF_LINK_ORDER,
  SHF_MERGE,
  SHF_STRINGS,
  SHN_ABS,
  SHN_COMMON,
  SHN_LORESERVE,
  SHN_UNDEF,
  SHN_XINDEX,
  SHT_GROUP,
  SHT_NOBITS,
  SHT_REL,
  SHT_RELA,
  STB_GLOBAL,
  STB_GNU_UNIQUE,
  STB_LOCAL,
  STB_WEAK,
  STT_SECTION,
  STT_TLS,
  type SymbolTable,
  sectionBytes,
} from '../elf/index.ts';
import {
  type Component,
  InputSection,
  isDefined,
  type Lazy,
  type LazyArchive,
  type LinkContext,
  LinkSymbol,
  ObjectFile,
  type ScopeName,
  SymbolKind,
} from './context.ts';
import { LinkError } from './error.ts';
import type { ComponentInput, LinkInput } from './request.ts';

const MAX_SECTION_SIZE = 2 ** 40;
const MAX_DEPTH = 200;

/** After it: every input is in `objects` or lazy; names of taken objects are resolved within their scope. */
export function readInputs(context: LinkContext, inputs: readonly LinkInput[]): void {
  for (const input of inputs) readInput(context, input);
}

function readInput(context: LinkContext, input: LinkInput): void {
  if (!isArchive(input.bytes) && !isThinArchive(input.bytes)) {
    addObject(context, input.name, input.bytes, 'program', undefined);
    return;
  }
  const archive = wrap(input.name, () => readArchive(input.bytes));
  const lazy: LazyArchive = { name: input.name, scope: 'program', members: archive.members, taken: new Uint8Array(archive.members.length) };
  if (input.whole) {
    archive.members.forEach((_, member) => {
      takeMember(context, lazy, member);
    });
    return;
  }
  const symbols = archive.symbols ?? indexMembers(input.name, archive.members);
  for (const { name, member } of symbols) addLazy(context, name, 'program', { kind: 'member', archive: lazy, member });
}

/** After it: every component's names are lazy in the libOS scope. */
export function readComponents(context: LinkContext, inputs: readonly ComponentInput[]): void {
  for (const input of inputs) {
    const { manifest } = input;
    const name = `${manifest.name}.a`;
    const archive = wrap(name, () => readArchive(input.archive));
    const component: Component = {
      manifest,
      name: manifest.name,
      // An unmodified executable may make any call that the analysis found: there is no reference that "only mentions" it.
      soft: new Set(context.options.kind === 'linked' ? (manifest.soft ?? []).map((call) => `sys_${call}`) : []),
      members: archive.members,
      active: false,
      why: undefined,
      reason: '',
      order: context.components.size,
    };
    if (context.components.has(manifest.name))
      throw new LinkError('bad-request', `Cannot link component "${manifest.name}": it is given twice`);
    context.components.set(manifest.name, component);
    if (manifest.programs !== undefined && manifest.programs !== context.options.kind) continue;
    for (const symbol of archive.symbols ?? indexMembers(name, archive.members)) {
      addLazy(context, symbol.name, 'libos', { kind: 'component', component });
    }
  }
}

/** Takes all objects of a component. */
export function loadComponent(context: LinkContext, component: Component): void {
  for (const member of component.members) addObject(context, `${component.name}.a(${member.name})`, member.bytes, 'libos', component);
}

/** Takes what stands behind a lazy symbol of the program. */
export function takeMember(context: LinkContext, archive: LazyArchive, index: number): void {
  if (archive.taken[index]) return;
  archive.taken[index] = 1;
  const member = archive.members[index];
  if (!member) return;
  // Depth first, as other linkers do, but not deeper than the stack bears.
  if (context.depth >= MAX_DEPTH) {
    context.postponed.push({ archive, member });
    return;
  }
  context.depth++;
  addObject(context, `${archive.name}(${member.name})`, member.bytes, archive.scope, undefined);
  context.depth--;
  if (context.depth > 0) return;
  for (let next = context.postponed.pop(); next; next = context.postponed.pop()) {
    context.depth++;
    addObject(context, `${next.archive.name}(${next.member.name})`, next.member.bytes, next.archive.scope, undefined);
    context.depth--;
  }
}

function wrap<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    throw new LinkError('bad-object', `Cannot link "${name}": ${error.message}`, { cause: error });
  }
}

/** The names that an archive without an index defines. */
function indexMembers(archiveName: string, members: readonly { name: string; bytes: Uint8Array }[]): { name: string; member: number }[] {
  return members.flatMap((entry, member) =>
    wrap(`${archiveName}(${entry.name})`, () => {
      const table = readSymbols(readElf(entry.bytes));
      const names: { name: string; member: number }[] = [];
      for (let i = table?.firstGlobal ?? 0; table && i < table.count; i++) {
        if (table.rawSection(i) !== SHN_UNDEF) names.push({ name: table.name(i), member });
      }
      return names;
    }),
  );
}

function addLazy(context: LinkContext, name: string, scope: ScopeName, lazy: Lazy): void {
  const symbol = context.intern(name, scope);
  if (symbol.kind !== SymbolKind.undefined) return;
  if (symbol.strong && lazy.kind === 'member') {
    takeMember(context, lazy.archive, lazy.member);
    return;
  }
  symbol.kind = SymbolKind.lazy;
  symbol.lazy = lazy;
}

/** Reads one object; after it its sections and symbols are in the context. */
export function addObject(
  context: LinkContext,
  name: string,
  bytes: Uint8Array,
  scope: ScopeName,
  component: Component | undefined,
): ObjectFile {
  const object = new ObjectFile(name, scope, component);
  context.inputBytes += bytes.length;
  const file = wrap(name, () => {
    const elf = readElf(bytes);
    checkObject(context, name, elf);
    object.table = readSymbols(elf);
    readSections(context, object, elf);
    return elf;
  });
  context.objects.push(object);
  wrap(name, () => {
    readNames(context, object, file);
  });
  context.onFile?.(object);
  return object;
}

function checkObject(context: LinkContext, name: string, elf: ElfFile): void {
  if (elf.machine !== context.isa.machine) {
    const machine =
      elf.machine === EM_X86_64 ? 'x86-64' : elf.machine === 183 ? 'AArch64' : elf.machine === 243 ? 'RISC-V' : `machine ${elf.machine}`;
    throw new LinkError('wrong-machine', `Cannot link "${name}": an object for ${machine}, expected ${context.isa.name}`);
  }
  if (elf.type !== ET_REL) {
    const type = elf.type === 2 ? 'an executable' : elf.type === 3 ? 'a shared object or PIE' : `type ${elf.type}`;
    throw new LinkError('bad-object', `Cannot link "${name}": ${type}, expected a relocatable object`);
  }
}

function isWanted(context: LinkContext, name: string): boolean {
  if (name === '.note.gnu.property' || name === '.note.GNU-stack') return false;
  if (context.options.kind === 'executable') return true;
  if (name === '.eh_frame') return context.options.unwind;
  return name !== '.note.hull' && name !== '.note.gnu.build-id' && name !== '.note.ABI-tag' && name !== '.comment';
}

function readSections(context: LinkContext, object: ObjectFile, elf: ElfFile): void {
  const table = object.table;
  const comdats = context.comdats[object.scope];
  const groups: number[][] = [];
  for (const header of elf.sections) {
    if (header.type !== SHT_GROUP) continue;
    const body = sectionBytes(elf, header);
    if (body.length < 4 || body.length % 4 !== 0)
      throw new ElfError('malformed', header.offset, `Cannot read section group "${header.name}": ${body.length} bytes`);
    const view = new DataView(body.buffer, body.byteOffset, body.length);
    const members: number[] = [];
    for (let at = 4; at < body.length; at += 4) {
      const member = view.getUint32(at, true);
      if (member >= elf.sections.length)
        throw new ElfError(
          'malformed',
          header.offset + at,
          `Cannot read section group "${header.name}": member ${member} of ${elf.sections.length} sections`,
        );
      members.push(member);
    }
    if (view.getUint32(0, true) & GRP_COMDAT) {
      if (!table) throw new ElfError('malformed', header.offset, 'Cannot read section group: no symbol table');
      const signature = table.name(header.info) || (elf.sections[table.section(header.info)]?.name ?? '');
      if (comdats.has(signature)) {
        object.discarded ??= new Set();
        for (const member of members) object.discarded.add(member);
        continue;
      }
      comdats.set(signature, object);
    }
    groups.push(members);
  }
  object.sections = new Array(elf.sections.length).fill(undefined);
  for (const header of elf.sections) {
    if (!(header.flags & SHF_ALLOC) || header.type === SHT_GROUP || header.type === SHT_RELA) continue;
    if (header.flags & SHF_EXCLUDE || object.discarded?.has(header.index) || !isWanted(context, header.name)) continue;
    if (header.flags & SHF_COMPRESSED)
      throw new ElfError('malformed', header.offset, `Cannot read section "${header.name}": compressed, expected plain bytes`);
    const align = header.align === 0 ? 1 : header.align;
    if (align > 2 ** 32 || !Number.isInteger(Math.log2(align)))
      throw new ElfError(
        'malformed',
        header.offset,
        `Cannot use alignment ${header.align} of section "${header.name}": expected a power of two`,
      );
    if (header.size > MAX_SECTION_SIZE)
      throw new ElfError('out-of-range', header.offset, `Cannot use section "${header.name}": ${header.size} bytes`);
    const data = sectionBytes(elf, header);
    const section = new InputSection(object, header.name, header.type, header.flags, align, header.size, header.entrySize, data);
    if (
      header.flags & SHF_MERGE &&
      (header.entrySize === 0 ||
        header.type === SHT_NOBITS ||
        header.size % header.entrySize !== 0 ||
        (header.flags & SHF_STRINGS && header.entrySize > 4))
    ) {
      section.flags &= ~(SHF_MERGE | SHF_STRINGS);
    }
    object.sections[header.index] = section;
    if (header.name === '.eh_frame') object.unwind.push(section);
  }
  for (const members of groups) {
    const sections = members.flatMap((member) => object.sections[member] ?? []);
    for (const section of sections) section.group = sections;
  }
  for (const header of elf.sections) {
    if (header.type === SHT_REL && object.sections[header.info]) {
      throw new ElfError('malformed', header.offset, `Cannot read relocations "${header.name}": without addends (REL), expected RELA`);
    }
    if (header.type === SHT_RELA) {
      const target = object.sections[header.info];
      if (!target) continue;
      if (target.relocations)
        throw new ElfError('malformed', header.offset, `Cannot read relocations "${header.name}": the section has some already`);
      const relocations = new RelaTable(elf, header);
      checkRelocations(context, relocations, target, table?.count ?? 0, header.offset);
      if (relocations.count > 0) {
        target.relocations = relocations;
        target.flags &= ~(SHF_MERGE | SHF_STRINGS);
      }
    }
    if (header.flags & SHF_LINK_ORDER) {
      const section = object.sections[header.index];
      const described = object.sections[header.link];
      if (section && described) {
        described.dependents ??= [];
        described.dependents.push(section);
      }
    }
  }
}

function checkRelocations(context: LinkContext, relocations: RelaTable, target: InputSection, symbols: number, at: number): void {
  for (let i = 0; i < relocations.count; i++) {
    const type = relocations.type(i);
    const kind = context.isa.kind(type);
    if (!kind)
      throw new LinkError(
        'unsupported',
        `Cannot link "${target.file.name}": relocation ${context.isa.relocationName(type)} in section "${target.name}", expected one that objects have`,
      );
    if (!(relocations.offset(i) + kind.width <= target.data.length)) {
      throw new ElfError(
        'malformed',
        at + i * 24,
        `Cannot apply relocation ${kind.name} in section "${target.name}": its place is outside the section`,
      );
    }
    if (relocations.symbol(i) >= Math.max(symbols, 1)) {
      throw new ElfError(
        'malformed',
        at + i * 24,
        `Cannot apply relocation ${kind.name} in section "${target.name}": symbol ${relocations.symbol(i)} of ${symbols}`,
      );
    }
  }
}

function readNames(context: LinkContext, object: ObjectFile, elf: ElfFile): void {
  const table = object.table;
  object.symbols = [new LinkSymbol('', object.scope)];
  (object.symbols[0] as LinkSymbol).kind = SymbolKind.absolute;
  if (!table) return;
  const wanted: LinkSymbol[] = [];
  for (let i = 1; i < table.count; i++) {
    const binding = table.binding(i);
    if (i < table.firstGlobal) {
      if (binding !== STB_LOCAL) throw new ElfError('malformed', 0, `Cannot read symbol ${i}: binding ${binding} among the local symbols`);
      object.symbols.push(readLocal(object, table, i, elf));
      continue;
    }
    const name = table.name(i);
    if (binding !== STB_GLOBAL && binding !== STB_WEAK && binding !== STB_GNU_UNIQUE)
      throw new ElfError('malformed', 0, `Cannot read symbol "${name}": binding ${binding}, expected global or weak`);
    if (name === '') throw new ElfError('malformed', 0, `Cannot read symbol ${i}: global without a name`);
    if (name.includes('@'))
      throw new LinkError('unsupported', `Cannot link "${object.name}": symbol version in "${name}", expected a plain name`);
    const symbol = context.intern(name, object.scope);
    object.symbols.push(symbol);
    const raw = table.rawSection(i);
    const index = table.section(i);
    const visibility = table.visibility(i);
    if (visibility !== 0) symbol.visibility = symbol.visibility === 0 ? visibility : Math.min(symbol.visibility, visibility);
    if (raw === SHN_UNDEF || (raw !== SHN_ABS && raw !== SHN_COMMON && object.discarded?.has(index))) {
      if (binding === STB_WEAK) continue;
      symbol.strong = true;
      symbol.file ??= object;
      if (symbol.kind === SymbolKind.lazy && symbol.lazy?.kind === 'member') wanted.push(symbol);
    } else {
      define(context, object, symbol, table, i, index, binding, elf);
    }
  }
  for (const symbol of wanted)
    if (symbol.kind === SymbolKind.lazy && symbol.lazy?.kind === 'member') takeMember(context, symbol.lazy.archive, symbol.lazy.member);
}

function checkIndex(table: SymbolTable, i: number, index: number, elf: ElfFile): void {
  const raw = table.rawSection(i);
  if (raw === SHN_ABS || raw === SHN_COMMON) return;
  if ((raw >= SHN_LORESERVE && raw !== SHN_XINDEX) || index >= elf.sections.length) {
    throw new ElfError('malformed', 0, `Cannot read symbol "${table.name(i)}": section ${index} of ${elf.sections.length}`);
  }
}

function readLocal(object: ObjectFile, table: SymbolTable, i: number, elf: ElfFile): LinkSymbol {
  const type = table.type(i);
  const index = table.section(i);
  checkIndex(table, i, index, elf);
  const symbol = new LinkSymbol(type === STT_SECTION ? (elf.sections[index]?.name ?? '') : table.name(i), object.scope);
  symbol.file = object;
  symbol.binding = STB_LOCAL;
  symbol.type = type;
  symbol.isSection = type === STT_SECTION;
  if (table.rawSection(i) === SHN_UNDEF) return symbol;
  if (table.rawSection(i) === SHN_ABS) {
    symbol.kind = SymbolKind.absolute;
    symbol.absolute = table.bigValue(i);
    return symbol;
  }
  const section = object.sections[index];
  if (!section) return symbol;
  symbol.kind = SymbolKind.defined;
  symbol.section = section;
  symbol.value = table.value(i);
  symbol.size = table.size(i);
  return symbol;
}

function define(
  context: LinkContext,
  object: ObjectFile,
  symbol: LinkSymbol,
  table: SymbolTable,
  i: number,
  index: number,
  binding: number,
  elf: ElfFile,
): void {
  checkIndex(table, i, index, elf);
  const raw = table.rawSection(i);
  const weak = binding === STB_WEAK;
  if (raw === SHN_COMMON) {
    const size = table.size(i);
    const align = table.value(i);
    if (symbol.kind === SymbolKind.common) {
      symbol.size = Math.max(symbol.size, size);
      symbol.value = Math.max(symbol.value, align);
      return;
    }
    if (isDefined(symbol) && symbol.binding !== STB_WEAK) return;
    take(symbol, object, table, i, SymbolKind.common);
    symbol.value = align;
    symbol.section = undefined;
    if (!Number.isInteger(Math.log2(align)) || align > 2 ** 32 || size > MAX_SECTION_SIZE)
      throw new ElfError('malformed', 0, `Cannot use common symbol "${symbol.name}": size ${size}, alignment ${align}`);
    return;
  }
  if (isDefined(symbol)) {
    if (weak) return;
    if (symbol.kind !== SymbolKind.common && symbol.binding !== STB_WEAK) {
      context.report(
        'duplicate-symbol',
        `Cannot link symbol "${symbol.name}": defined in "${symbol.file?.name ?? '<linker>'}" and in "${object.name}", expected one definition`,
      );
      return;
    }
  }
  const replaced = symbol.reached;
  take(symbol, object, table, i, raw === SHN_ABS ? SymbolKind.absolute : SymbolKind.defined);
  if (raw === SHN_ABS) {
    symbol.absolute = table.bigValue(i);
    symbol.section = undefined;
  } else {
    symbol.value = table.value(i);
    symbol.section = object.sections[index];
    // A definition in a section that is not taken (.comment, debugging): no address.
    if (!symbol.section) symbol.kind = SymbolKind.undefined;
    else if (symbol.value > symbol.section.size && symbol.type !== STT_TLS) {
      throw new ElfError(
        'malformed',
        0,
        `Cannot read symbol "${symbol.name}": value ${symbol.value} outside section "${symbol.section.name}" of ${symbol.section.size} bytes`,
      );
    }
  }
  if (replaced) context.onReplaced?.(symbol);
}

function take(symbol: LinkSymbol, object: ObjectFile, table: SymbolTable, i: number, kind: SymbolKind): void {
  symbol.kind = kind;
  symbol.file = object;
  symbol.binding = table.binding(i) === STB_WEAK ? STB_WEAK : STB_GLOBAL;
  symbol.type = table.type(i);
  symbol.size = table.size(i);
  symbol.lazy = undefined;
}

/**
 * Pass: plan each relocation of each live section.
 *
 * Decides which instruction sequences are rewritten, makes the slots (.got) and jumps (.iplt) that remain necessary, and reports what cannot be
 * linked: undefined symbols, 32-bit absolute addresses in an image that moves.
 * After it: `plans` of every live section are set, all sections that the linker makes exist, and only RELR's size is open.
 */
import {
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_TLS,
  SHF_WRITE,
  SHT_PROGBITS,
  STB_LOCAL,
  STB_WEAK,
  STT_FUNC,
  STT_GNU_IFUNC,
  STT_TLS,
} from '../elf/index.ts';
import { Expression, type Plan, type PlanInput } from '../arch/link-isa.ts';
import {
  type InputSection,
  isConstant,
  isDefined,
  type LinkContext,
  type LinkSymbol,
  LinkSymbol as LinkSymbolClass,
  MadeRelocations,
  resolved,
  SymbolKind,
} from './context.ts';
import { makeSection } from './layout.ts';

export const SKIPPED = 255;

export function planRelocations(context: LinkContext): void {
  for (const file of context.objects) for (const section of file.sections) if (section?.live) planSection(context, section);
  for (const file of [context.made.libos, context.made.program]) {
    for (let i = 0; i < file.sections.length; i++) {
      const section = file.sections[i];
      if (section?.live) planSection(context, section);
    }
  }
  if (context.needsGot) gotSection(context);
}

export function planSection(context: LinkContext, section: InputSection): void {
  const relocations = section.relocations;
  if (!relocations || section.plans) return;
  const { isa, options } = context;
  const { symbols, table } = section.file;
  const plans = new Uint8Array(relocations.count);
  section.plans = plans;
  const out: Plan = { expression: 0, skipNext: false };
  const input: PlanInput = {
    data: section.data,
    offset: 0,
    type: 0,
    addend: 0,
    nextType: 0,
    nextDistance: 0,
    movable: options.movable,
    constant: false,
    small: false,
    smallUnsigned: false,
    ifunc: false,
    nextSame: false,
    paired: isa.pairsWhole?.(section.data, relocations) ?? false,
  };
  const entrySection = options.movable ? context.scopes.libos.get(options.entry)?.section : undefined;
  for (let i = 0; i < relocations.count; i++) {
    if (plans[i] === SKIPPED) continue;
    const type = relocations.type(i);
    const kind = isa.kind(type);
    if (!kind) continue;
    const index = relocations.symbol(i);
    const reference = symbols[index] as LinkSymbol;
    let symbol = resolved(reference);
    if (!isDefined(symbol) && index !== 0 && kind.expression !== Expression.none) {
      const weak = table !== undefined && reference.binding !== STB_LOCAL && table.binding(index) === STB_WEAK;
      if (!weak && !isTlsHelper(context, symbol)) reportUndefined(context, section, relocations.offset(i), reference);
    }
    if (symbol.type === STT_GNU_IFUNC && isDefined(symbol)) {
      if (options.kind !== 'executable') {
        context.report(
          'unsupported',
          `Cannot link "${section.file.name}": "${symbol.name}" is an indirect function (IFUNC), expected an ordinary one in an image`,
        );
        continue;
      }
      symbol = jumpFor(context, symbol);
    }
    input.offset = relocations.offset(i);
    input.type = type;
    input.addend = relocations.addend(i) ?? Number.MAX_SAFE_INTEGER;
    input.nextType = i + 1 < relocations.count ? relocations.type(i + 1) : 0;
    input.nextDistance = i + 1 < relocations.count ? relocations.offset(i + 1) - input.offset : 0;
    input.constant = isConstant(symbol);
    input.small = !input.constant || isSmall(symbol);
    input.smallUnsigned = !input.constant || (symbol.kind === SymbolKind.absolute ? symbol.absolute : 0n) < 1n << 32n;
    input.nextSame = i + 1 < relocations.count && relocations.symbol(i + 1) === index && relocations.addend(i + 1) === 0;
    input.ifunc = false;
    isa.plan(input, kind, out);
    if (out.problem !== undefined) {
      context.report('unsupported', `Cannot apply relocation ${describe(context, section, i, reference)}: ${out.problem}`);
      continue;
    }
    if (
      isDefined(symbol) &&
      symbol.kind !== SymbolKind.absolute &&
      isThreadExpression(out.expression) !== (symbol.type === STT_TLS || isThreadSection(symbol)) &&
      out.expression !== Expression.size &&
      out.expression !== Expression.none
    ) {
      if (isThreadExpression(out.expression)) {
        context.report('bad-object', `Cannot apply relocation ${describe(context, section, i, reference)}: the symbol is not thread-local`);
        continue;
      }
    }
    plans[i] = out.expression;
    if (out.skipNext && i + 1 < relocations.count) plans[i + 1] = SKIPPED;
    switch (out.expression) {
      case Expression.slotOffset:
      case Expression.slotRelative:
      case Expression.slotPageRelative:
      case Expression.slotPageOffset:
        slotFor(context, symbol);
        break;
      case Expression.gotOffset:
      case Expression.gotRelative:
        context.needsGot = true;
        break;
      case Expression.threadSlotRelative:
        threadSlotFor(context, symbol);
        break;
      case Expression.absolute:
        if (options.movable && kind.width < 8 && !input.constant && section !== entrySection) {
          context.report(
            'relocation-overflow',
            `Cannot apply relocation ${describe(context, section, i, reference)}: ${kind.width * 8}-bit absolute address in an image that moves, expected code compiled with -fPIE`,
          );
        }
    }
  }
}

function isThreadExpression(expression: number): boolean {
  return expression === Expression.threadOffset || expression === Expression.threadSlotRelative;
}

function isThreadSection(symbol: LinkSymbol): boolean {
  return symbol.section !== undefined && (symbol.section.flags & SHF_TLS) !== 0;
}

function isSmall(symbol: LinkSymbol): boolean {
  if (symbol.kind !== SymbolKind.absolute) return true;
  const value = BigInt.asIntN(64, symbol.absolute);
  return value >= -0x8000_0000n && value <= 0x7fff_ffffn;
}

/** __tls_get_addr is only mentioned by sequences that are rewritten. */
function isTlsHelper(_context: LinkContext, symbol: LinkSymbol): boolean {
  return symbol.name === '__tls_get_addr';
}

export function describe(context: LinkContext, section: InputSection, i: number, symbol: LinkSymbol): string {
  const relocations = section.relocations;
  const at = relocations ? `${context.isa.relocationName(relocations.type(i))} at 0x${relocations.offset(i).toString(16)}` : '';
  return `${at} of section "${section.name}" in "${section.file.name}" against "${symbol.name || symbol.section?.name || 'absolute'}"`;
}

function reportUndefined(context: LinkContext, section: InputSection, offset: number, symbol: LinkSymbol): void {
  const where = `"${section.file.name}" (section "${section.name}" + 0x${offset.toString(16)})`;
  if (symbol.binding === STB_LOCAL) {
    if (section.name !== '.eh_frame' && section.name !== '.gcc_except_table') {
      context.report(
        'undefined-symbol',
        `Cannot link ${where}: it refers to a section that was left out (${symbol.name || 'discarded group'})`,
      );
    }
    return;
  }
  const similar = findSimilar(context, symbol.name);
  const hint = similar ? `; is "${similar}" meant?` : '';
  context.report('undefined-symbol', `Cannot link symbol "${symbol.name}": undefined, expected a definition for ${where}${hint}`);
}

/** A defined name at an edit distance of 1, or 2 for longer names. */
function findSimilar(context: LinkContext, name: string): string | undefined {
  const limit = name.length > 6 ? 2 : 1;
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const scope of ['program', 'libos'] as const) {
    for (const [candidate, symbol] of context.scopes[scope]) {
      if (symbol.kind === SymbolKind.undefined || candidate === name || Math.abs(candidate.length - name.length) > limit) continue;
      const distance = editDistance(candidate, name, bestDistance);
      if (distance < bestDistance) {
        best = candidate;
        bestDistance = distance;
      }
    }
  }
  return best;
}

function editDistance(a: string, b: string, limit: number): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const cost = Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1));
      next.push(cost);
      least = Math.min(least, cost);
    }
    if (least >= limit) return limit;
    row = next;
  }
  return row[b.length] as number;
}

function gotSection(context: LinkContext): InputSection {
  if (!context.got) {
    context.got = makeSection(context, 'program', '.got', SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 8, 0);
    context.got.relocations = new MadeRelocations();
  }
  return context.got;
}

/** Adds a slot whose content is a relocation of its own against the symbol. */
function addSlot(context: LinkContext, symbol: LinkSymbol, type: number): number {
  const got = gotSection(context);
  const offset = got.size;
  const { symbols } = got.file;
  if (symbols.length === 0) symbols.push(nullSymbol());
  const index = symbols.push(symbol) - 1;
  (got.relocations as MadeRelocations).entries.push({ offset, type, symbol: index, addend: 0 });
  got.size += 8;
  got.data = new Uint8Array(got.size);
  const expression = context.isa.kind(type)?.expression ?? 0;
  const plans = new Uint8Array((got.relocations as MadeRelocations).count);
  plans.set(got.plans ?? []);
  plans[plans.length - 1] = expression;
  got.plans = plans;
  return offset;
}

export function nullSymbol(): LinkSymbol {
  const symbol = new LinkSymbolClass('', 'program');
  symbol.kind = SymbolKind.absolute;
  return symbol;
}

/** One slot, which stays 0, for all weak references to what is absent. */
const absentSlots = new WeakMap<LinkContext, number>();

function slotFor(context: LinkContext, symbol: LinkSymbol): void {
  if (symbol.slot >= 0) return;
  if (isDefined(symbol) || symbol.alias) {
    symbol.slot = addSlot(context, symbol, context.isa.word64);
    return;
  }
  symbol.slot = absentSlots.get(context) ?? addSlot(context, symbol, context.isa.word64);
  absentSlots.set(context, symbol.slot);
}

function threadSlotFor(context: LinkContext, symbol: LinkSymbol): void {
  if (symbol.threadSlot < 0) symbol.threadSlot = addSlot(context, symbol, context.isa.threadOffset64);
}

/** The symbol that stands for an indirect function: a jump through a slot that the C library fills at start (IRELATIVE). */
function jumpFor(context: LinkContext, symbol: LinkSymbol): LinkSymbol {
  if (symbol.indirect) return symbol.indirect;
  const { isa } = context;
  const file = context.made.program;
  if (file.symbols.length === 0) file.symbols.push(nullSymbol());
  const slot = makeSection(context, 'program', '.got', SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 8, 8);
  const jump = makeSection(context, 'program', '.iplt', SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 8, isa.slotJump.bytes.length);
  jump.data.set(isa.slotJump.bytes);
  const slotSymbol = new LinkSymbolClass('', 'program');
  slotSymbol.kind = SymbolKind.defined;
  slotSymbol.section = slot;
  slotSymbol.binding = STB_LOCAL;
  const relocations = new MadeRelocations();
  const slotIndex = file.symbols.push(slotSymbol) - 1;
  for (const one of isa.slotJump.relocations) relocations.entries.push({ ...one, symbol: slotIndex });
  jump.relocations = relocations;
  planSection(context, jump);
  // The table entry: r_offset, r_info, r_addend. Its two addresses are relocations like any other.
  const entry = makeSection(context, 'program', '.rela.iplt', SHT_PROGBITS, SHF_ALLOC, 8, 24);
  new DataView(entry.data.buffer).setUint32(8, isa.irelative, true);
  const resolver = new LinkSymbolClass(symbol.name, 'program');
  resolver.kind = SymbolKind.defined;
  resolver.section = symbol.section;
  resolver.value = symbol.value;
  resolver.type = STT_FUNC;
  const addresses = new MadeRelocations();
  addresses.entries.push({ offset: 0, type: isa.word64, symbol: slotIndex, addend: 0 });
  addresses.entries.push({ offset: 16, type: isa.word64, symbol: file.symbols.push(resolver) - 1, addend: 0 });
  entry.relocations = addresses;
  planSection(context, entry);
  const stand = new LinkSymbolClass(symbol.name, 'program');
  stand.kind = SymbolKind.defined;
  stand.section = jump;
  stand.type = STT_FUNC;
  stand.binding = symbol.binding;
  stand.size = symbol.size;
  symbol.indirect = stand;
  return stand;
}

/** What a relocation's symbol means when it is applied. */
export function target(symbol: LinkSymbol): LinkSymbol {
  const meant = resolved(symbol);
  return meant.indirect ?? meant;
}

/**
 * Pass: addresses, with a veneer for each branch that does not reach its target.
 *
 * A veneer is a piece of code of the ISA's that jumps anywhere; it lies behind the section of the first branch that needs it, and serves all that
 * reach it. Veneers move what follows, so that further branches may need one: a fixed point, reached since they are only added.
 * After it: addresses are final, and `veneers` of a section says which of its branches go elsewhere than their relocation says.
 */
import type { Veneer } from '../arch/link-isa.ts';
import { Expression } from '../arch/link-isa.ts';
import { SHF_ALLOC, SHF_EXECINSTR, SHT_PROGBITS, STB_LOCAL, STT_FUNC } from '../elf/index.ts';
import { type InputSection, type LinkContext, LinkSymbol, MadeRelocations, type OutputSection, SymbolKind, symbolAddress } from './context.ts';
import { assignAddresses, makeSection } from './layout.ts';
import type { LayoutTarget } from './layout-target.ts';
import { planSection, target } from './plan-relocations.ts';

/** The veneers to each target. */
type Made = Map<LinkSymbol, { addend: number; stand: LinkSymbol }[]>;

export function settleBranches(context: LinkContext, layout: LayoutTarget): void {
  const { veneer } = context.isa;
  const made: Made = new Map();
  for (;;) {
    assignAddresses(context, layout);
    if (!veneer || !extendBranches(context, veneer, made)) return;
  }
}

function extendBranches(context: LinkContext, veneer: Veneer, made: Made): boolean {
  const outputs = context.outputs.filter((output) => output.flags & SHF_EXECINSTR);
  const start = Math.min(...outputs.map((output) => output.address));
  const end = Math.max(...outputs.map((output) => output.address + output.size));
  if (end - start < veneer.reach) return false;
  let added = false;
  for (const output of outputs) for (const section of [...output.sections]) added = extendSection(context, veneer, made, output, section) || added;
  return added;
}

function extendSection(context: LinkContext, veneer: Veneer, made: Made, output: OutputSection, section: InputSection): boolean {
  const { relocations, plans } = section;
  if (!relocations || !plans) return false;
  const { symbols } = section.file;
  let added = false;
  for (let i = 0; i < relocations.count; i++) {
    if (plans[i] !== Expression.relative || !veneer.branches(relocations.type(i))) continue;
    const place = section.address + relocations.offset(i);
    const reaches = (address: number) => address - place >= -veneer.reach && address - place < veneer.reach;
    const symbol = target(symbols[relocations.symbol(i)] as LinkSymbol);
    const addend = relocations.addend(i) ?? 0;
    const aim = symbolAddress(symbol) + addend;
    const through = section.veneers?.get(i);
    if (reaches(through ? symbolAddress(through) : aim)) continue;
    const known = made.get(symbol) ?? [];
    made.set(symbol, known);
    let stand = known.find((one) => one.addend === addend && reaches(symbolAddress(one.stand)))?.stand;
    if (!stand) {
      stand = makeVeneer(context, veneer, output, section, symbol, addend);
      known.push({ addend, stand });
      added = true;
    }
    section.veneers ??= new Map();
    section.veneers.set(i, stand);
  }
  return added;
}

/** Behind `section`; its address is set with the next layout, until when it is that section's end. */
function makeVeneer(
  context: LinkContext,
  veneer: Veneer,
  output: OutputSection,
  section: InputSection,
  symbol: LinkSymbol,
  addend: number,
): LinkSymbol {
  const made = makeSection(context, section.file.scope, '.text.veneer', SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 4, veneer.bytes.length);
  made.data.set(veneer.bytes);
  made.output = output;
  made.address = section.address + section.size;
  output.sections.splice(output.sections.indexOf(section) + 1, 0, made);
  const relocations = new MadeRelocations();
  const index = made.file.symbols.push(symbol) - 1;
  for (const one of veneer.relocations) relocations.entries.push({ ...one, symbol: index, addend: one.addend + addend });
  made.relocations = relocations;
  planSection(context, made);
  const stand = new LinkSymbol(`${symbol.name}.veneer`, section.file.scope);
  stand.kind = SymbolKind.defined;
  stand.section = made;
  stand.type = STT_FUNC;
  stand.binding = STB_LOCAL;
  stand.size = made.size;
  return stand;
}

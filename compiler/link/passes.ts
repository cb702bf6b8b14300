/** Small steps that both targets share. */
import { SHF_ALLOC, SHT_PROGBITS, STB_GLOBAL } from '../elf/index.ts';
import { type LinkContext, type ScopeName, SymbolKind, symbolAddress } from './context.ts';
import { makeMap, makeSymbolFile } from './describe-result.ts';
import { makeSection } from './layout.ts';
import { nullSymbol, target } from './plan-relocations.ts';
import type { ImageManifest, LinkResult } from './request.ts';

export function defineSymbols(context: LinkContext, defines: Record<string, bigint | number> | undefined, scope: ScopeName): void {
  for (const file of [context.made.libos, context.made.program]) if (file.symbols.length === 0) file.symbols.push(nullSymbol());
  for (const [name, value] of Object.entries(defines ?? {})) {
    const symbol = context.intern(name, scope);
    symbol.kind = SymbolKind.absolute;
    symbol.absolute = BigInt.asUintN(64, BigInt(value));
    symbol.binding = STB_GLOBAL;
    symbol.file = context.made[scope];
  }
}

/** .eh_frame_hdr (LSB Core): where .eh_frame is, and its functions by address. Room now, contents when addresses are known. */
export function makeUnwindHeader(context: LinkContext): void {
  if (context.unwind.length === 0) return;
  context.unwindHeader = makeSection(context, 'program', '.eh_frame_hdr', SHT_PROGBITS, SHF_ALLOC, 4, 12 + 8 * context.unwind.length);
}

export function fillUnwindHeader(context: LinkContext): void {
  const { unwindHeader, unwind } = context;
  const first = unwind[0];
  if (!unwindHeader || !first) return;
  const view = new DataView(unwindHeader.data.buffer);
  const here = unwindHeader.address;
  // Version 1; .eh_frame PC-relative, signed 32 bits; count unsigned 32 bits; table relative to this section, signed 32 bits.
  unwindHeader.data.set([1, 0x1b, 0x03, 0x3b]);
  view.setInt32(4, (first.section.output?.address ?? 0) - here - 4, true);
  view.setUint32(8, unwind.length, true);
  unwind
    .map(({ section, offset, symbol, addend }) => ({ start: symbolAddress(target(symbol)) + addend, record: section.address + offset }))
    .sort((a, b) => a.start - b.start)
    .forEach(({ start, record }, i) => {
      view.setInt32(12 + i * 8, start - here, true);
      view.setInt32(16 + i * 8, record - here, true);
    });
}

export function makeResult(context: LinkContext, image: Uint8Array, manifest: ImageManifest): LinkResult {
  let map: string | undefined;
  let symbols: string | undefined;
  return {
    image,
    manifest,
    get map() {
      map ??= makeMap(context);
      return map;
    },
    get symbols() {
      symbols ??= makeSymbolFile(context);
      return symbols;
    },
  };
}

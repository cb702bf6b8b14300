/** Small steps that both targets share. */
import { STB_GLOBAL, STB_LOCAL } from "../elf/index.ts";
import { type LinkContext, LinkSymbol, MadeRelocations, type ScopeName, SymbolKind } from "./context.ts";
import { makeMap, makeSymbolFile } from "./describe-result.ts";
import { makeSection } from "./layout.ts";
import { nullSymbol } from "./plan-relocations.ts";
import type { ImageManifest, LinkResult } from "./request.ts";

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

/** .eh_frame_hdr without a search table: just where .eh_frame is, which is what unwinders need to find it. */
export function makeUnwindHeader(context: LinkContext, type: number, flags: number): void {
	const first = context.objects.flatMap((file) => file.unwind).find((section) => section.live);
	if (!first) return;
	const section = makeSection(context, "program", ".eh_frame_hdr", type, flags, 4, 8);
	// Version 1; pointer is PC-relative, 4 bytes, signed; no count, no table.
	section.data.set([1, 0x1b, 0xff, 0xff]);
	const symbol = new LinkSymbol("", "program");
	symbol.kind = SymbolKind.defined;
	symbol.section = first;
	symbol.binding = STB_LOCAL;
	const relocations = new MadeRelocations();
	relocations.entries.push({ offset: 4, type: context.isa.slotJump.type, symbol: section.file.symbols.push(symbol) - 1, addend: 0 });
	section.relocations = relocations;
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

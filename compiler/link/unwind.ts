/**
 * .eh_frame (LSB Core, "Exception Frames"): only the records of live functions are kept, and keep in turn what they refer to
 * (language-specific data, personality routines).
 */
import { ElfError, SHF_ALLOC, SHT_PROGBITS, STB_LOCAL } from '../elf/index.ts';
import { type InputSection, type LinkContext, type LinkSymbol, MadeRelocations, resolved, SymbolKind } from './context.ts';
import { LinkError } from './error.ts';

interface UnwindRecord {
  offset: number;
  size: number;
  /** Offset of the common record; -1 when this is one. */
  common: number;
  relocations: number[];
  kept: boolean;
}

const parsed = new WeakMap<InputSection, UnwindRecord[]>();

function recordsOf(section: InputSection): UnwindRecord[] {
  const known = parsed.get(section);
  if (known) return known;
  const { data } = section;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const records: UnwindRecord[] = [];
  const fail = (at: number, what: string): never => {
    throw new LinkError('bad-object', `Cannot link "${section.file.name}": unwind record at ${at} in .eh_frame ${what}`, {
      cause: new ElfError('malformed', at, what),
    });
  };
  const commons = new Set<number>();
  for (let at = 0; at + 4 <= data.length; ) {
    const length = view.getUint32(at, true);
    if (length === 0) {
      at += 4;
      continue;
    }
    if (length === 0xffffffff || length < 4 || at + 4 + length > data.length) fail(at, 'has an impossible length');
    const id = view.getUint32(at + 4, true);
    const common = id === 0 ? -1 : at + 4 - id;
    if (id === 0) commons.add(at);
    else if (!commons.has(common)) fail(at, 'has no common record');
    records.push({ offset: at, size: 4 + length, common, relocations: [], kept: false });
    at += 4 + length;
  }
  const relocations = section.relocations;
  if (relocations) {
    const order = Array.from({ length: relocations.count }, (_, i) => i).sort((a, b) => relocations.offset(a) - relocations.offset(b));
    let current = 0;
    for (const i of order) {
      const at = relocations.offset(i);
      while (current < records.length && at >= (records[current] as UnwindRecord).offset + (records[current] as UnwindRecord).size)
        current++;
      if (current < records.length && at >= (records[current] as UnwindRecord).offset) records[current]?.relocations.push(i);
    }
  }
  parsed.set(section, records);
  return records;
}

/** Keeps the records whose functions are live, and follows their references. True when some were added. */
export function pendingUnwind(context: LinkContext, follow: (symbol: LinkSymbol, addend: number, from: InputSection) => void): boolean {
  let added = false;
  for (const file of context.objects) {
    for (const section of file.unwind) {
      const records = recordsOf(section);
      const byOffset = new Map(records.map((record) => [record.offset, record]));
      for (const record of records) {
        if (record.kept || record.common < 0 || !section.relocations) continue;
        const [first, ...rest] = record.relocations;
        if (first === undefined) continue;
        const target = file.symbols[section.relocations.symbol(first)];
        const fn = target && resolved(target);
        if (!fn?.section?.live || fn.kind !== SymbolKind.defined) continue;
        // A function of a discarded group that another file defines has its record there.
        if (fn.binding !== STB_LOCAL && fn.file !== file) continue;
        record.kept = true;
        added = true;
        const references = [...rest];
        const common = byOffset.get(record.common);
        if (common && !common.kept) {
          common.kept = true;
          references.push(...common.relocations);
        }
        for (const i of references) {
          const symbol = file.symbols[section.relocations.symbol(i)];
          if (symbol) follow(symbol, section.relocations.addend(i) ?? 0, section);
        }
      }
    }
  }
  return added;
}

/** Replaces each .eh_frame by one with only the kept records. After it: `unwind` sections are live and final. */
export function rewriteUnwind(context: LinkContext): void {
  let last: InputSection | undefined;
  for (const file of context.objects) {
    for (const section of file.unwind) {
      const kept = recordsOf(section).filter((record) => record.kept);
      section.live = kept.length > 0;
      if (kept.length === 0) continue;
      const places = new Map<number, number>();
      let size = 0;
      for (const record of kept) {
        places.set(record.offset, size);
        size += record.size;
      }
      const data = new Uint8Array(size);
      const view = new DataView(data.buffer);
      const made = new MadeRelocations();
      for (const record of kept) {
        const at = places.get(record.offset) as number;
        data.set(section.data.subarray(record.offset, record.offset + record.size), at);
        if (record.common >= 0) view.setUint32(at + 4, at + 4 - (places.get(record.common) as number), true);
        const relocations = section.relocations;
        for (const [order, i] of record.relocations.entries()) {
          if (!relocations) continue;
          const symbol = file.symbols[relocations.symbol(i)];
          if (order === 0 && record.common >= 0 && symbol)
            context.unwind.push({ section, offset: at, symbol, addend: relocations.addend(i) ?? 0 });
          made.entries.push({
            offset: relocations.offset(i) - record.offset + at,
            type: relocations.type(i),
            symbol: relocations.symbol(i),
            addend: relocations.addend(i) ?? 0,
          });
        }
      }
      section.data = data;
      section.size = size;
      section.relocations = made;
      section.align = 1;
      section.type = SHT_PROGBITS;
      section.flags = SHF_ALLOC;
      last = section;
    }
  }
  if (last) {
    // The end of the list.
    const data = new Uint8Array(last.size + 4);
    data.set(last.data);
    last.data = data;
    last.size = data.length;
  }
}

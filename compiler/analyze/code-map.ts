/**
 * The code of an executable as regions: stretches that are decoded as a whole.
 *
 * Owns: the executable ranges, their division into functions (symbols, .eh_frame) and gaps between them, and the decoded
 * instructions of those regions that somebody asked for. Nothing is decoded before it is needed.
 * Rules: every executable byte lies in exactly one region. Overlapping functions are one region. Addresses are numbers: Linux programs live below 2^47.
 */
import { type AnalysisIsa, type Code, type CodeRange, type Executable, flow, type Region } from '../arch/analysis-isa.ts';
import { type FrameRange, readFrameRanges } from './eh-frame.ts';
import { isas } from './isas.ts';

export type CodeMap = {
  executable: Executable;
  isa: AnalysisIsa;
  ranges: CodeRange[];
  regions: Region[];
  /** Sorted by address, for naming sites. */
  names: { address: number; end: number; name: string }[];
};

export function mapCode(executable: Executable): CodeMap {
  const isa = isas[executable.machine];
  const ranges = findExecutableRanges(executable, isa.alignment);
  const functions = findFunctions(executable);
  const regions: Region[] = [];
  for (const range of ranges) {
    let at = range.start;
    const add = (start: number, end: number, isFunction: boolean, isEntry: boolean) => {
      const bytes = range.bytes.subarray(start - range.start, end - range.start);
      regions.push({ start, end, isFunction, isEntry, bytes, code: undefined });
    };
    for (const item of functions) {
      if (item.end <= range.start || item.start >= range.end) continue;
      const start = Math.max(item.start - (item.start % isa.alignment), range.start, at);
      const end = Math.min(Math.ceil(item.end / isa.alignment) * isa.alignment, range.end);
      if (start > at) add(at, start, false, false);
      if (end > start) add(start, end, true, item.isEntry && start === item.start);
      at = Math.max(at, end);
    }
    if (at < range.end) add(at, range.end, false, false);
  }
  const names = executable.functions
    .map(({ address, size, name }) => ({ address, end: address + size, name }))
    .sort((a, b) => a.address - b.address);
  return { executable, isa, ranges, regions, names };
}

/** Executable bytes: sections when the file has them (a text segment may also hold read-only data), else whole segments. */
function findExecutableRanges(executable: Executable, alignment: number): CodeMap['ranges'] {
  // To whole instructions: what lies in the file around a range is mapped with it.
  const cut = (start: number, offset: number, size: number) => {
    const before = Math.min(start % alignment, offset);
    const whole = Math.ceil((before + size) / alignment) * alignment;
    const bytes = executable.bytes.subarray(offset - before, offset - before + whole);
    return { start: start - before, end: start - before + bytes.length, bytes };
  };
  const result: CodeMap['ranges'] = [];
  for (const segment of executable.segments) {
    if (!segment.executable || segment.fileSize === 0) continue;
    const end = segment.address + segment.fileSize;
    const inside = executable.sections.filter(
      (section) =>
        section.executable && section.size > 0 && section.address >= segment.address && section.address + section.size <= end,
    );
    if (inside.length === 0) result.push(cut(segment.address, segment.offset, segment.fileSize));
    for (const section of inside) {
      result.push(cut(section.address, segment.offset + (section.address - segment.address), section.size));
    }
  }
  result.sort((a, b) => a.start - b.start);
  // Overlapping ranges would put one byte into two regions; the later one gives way.
  const separate: CodeMap['ranges'] = [];
  for (const range of result) {
    const least = separate.at(-1)?.end ?? 0;
    if (range.end <= least) continue;
    separate.push(range.start >= least ? range : { start: least, end: range.end, bytes: range.bytes.subarray(least - range.start) });
  }
  return separate;
}

/** Function ranges from symbols and unwind tables, sorted, overlapping ones merged. */
function findFunctions(executable: Executable): FrameRange[] {
  const all: FrameRange[] = [];
  for (const { address, size } of executable.functions) if (size > 0) all.push({ start: address, end: address + size, isEntry: true });
  for (const section of executable.sections) {
    if (section.name !== '.eh_frame') continue;
    const bytes = executable.bytes.subarray(section.offset, section.offset + section.size);
    for (const range of readFrameRanges(bytes, section.address)) all.push(range);
  }
  all.sort((a, b) => a.start - b.start || a.end - b.end);
  const merged: FrameRange[] = [];
  for (const range of all) {
    const last = merged.at(-1);
    if (last && range.start < last.end) last.end = Math.max(last.end, range.end);
    else merged.push({ ...range });
  }
  return merged;
}

/** Index of the region that holds an address, or -1. */
export function findRegion(map: CodeMap, address: number): number {
  let low = 0;
  let high = map.regions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((map.regions[middle] as Region).end <= address) low = middle + 1;
    else high = middle;
  }
  const region = map.regions[low];
  return region && region.start <= address ? low : -1;
}

/** The function symbol that covers an address, as name or name+0xoffset. */
export function nameAddress(map: CodeMap, address: number): string | undefined {
  let low = 0;
  let high = map.names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((map.names[middle]?.address ?? 0) <= address) low = middle + 1;
    else high = middle;
  }
  const symbol = map.names[low - 1];
  if (!symbol || (address >= symbol.end && address !== symbol.address)) return undefined;
  return symbol.name;
}

export function getCode(map: CodeMap, region: Region): Code {
  region.code ??= map.isa.decodeRegion(map.executable, region);
  return region.code;
}

/**
 * Whether a call of this address never comes back: the function has no return, and no jump by which another would return for it.
 * Its last instruction must not run on into what follows; a call there is of a function that never returns either.
 */
export function neverReturns(map: CodeMap, address: number | undefined): boolean {
  if (address === undefined) return false;
  const region = map.regions[findRegion(map, address)];
  if (!region?.isFunction || region.start !== address) return false;
  if (region.neverReturns !== undefined) return region.neverReturns;
  const code = getCode(map, region);
  let result = code.count > 0 && code.indirectJumps.length === 0 && !code.hasInvalid;
  for (let index = 0; result && index < code.count; index++) {
    const kind = code.flows[index];
    if (kind === flow.end) result = false;
    if (kind !== flow.jump && kind !== flow.branch) continue;
    const target = code.targets.get(index) ?? 0;
    if (target < region.start || target >= region.end) result = false;
  }
  const last = code.flows[code.count - 1];
  region.neverReturns = result && (last === flow.call || last === flow.halt || last === flow.jump);
  return region.neverReturns;
}

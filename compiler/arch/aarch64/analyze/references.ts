/**
 * Who refers to code, in A64: direct jumps and calls, adr, adrp with add, a pair of movz and movk, and literals. See pages.ts for how an
 * adrp and its add find each other.
 */
import { type AnalysisIsa, type Executable, flow, reference } from '../../analysis-isa.ts';
import { walkPages } from './pages.ts';
import { addend, adrTarget, field, flowOf, isAddImmediate, isAdr, isLoadLiteral64, isMoveWide, literalTarget, rd, rn, targetOf, wordAt } from './words.ts';

/** Between a movz and the movk that completes it. */
const mostBetween = 8;

export const findReferences: AnalysisIsa['findReferences'] = (executable, _ranges, regions, low, high, add) => {
  for (const region of regions) {
    const { bytes, start } = region;
    const isCode = (target: number) => target >= low && target < high;
    const lead = (site: number, target: number, kind: number) => {
      if (isCode(target)) add(site, target, kind);
    };
    walkPages(executable, region, (word, site, addressesOf) => {
      const target = targetOf(word, site);
      if (target !== undefined) lead(site, target, flowOf(word) === flow.call ? reference.call : reference.jump);
      else if (isAdr(word)) lead(site, adrTarget(word, site), reference.address);
      else if (isAddImmediate(word)) for (const address of addressesOf(rn(word), addend(word), isCode)) add(site, address, reference.address);
      else if (isLoadLiteral64(word)) lead(site, readLiteral(executable, literalTarget(word, site)), reference.pointer);
      else if (isMoveWide(word) && field(word, 29, 2) === 3) for (const value of readMoves(bytes, site - start, word)) lead(site, value, reference.address);
    });
  }
};

/** Eight bytes, which compilers put behind the code; -1 where the file has none. */
function readLiteral({ bytes, segments }: Executable, address: number): number {
  const segment = segments.find((item) => address >= item.address && address + 8 <= item.address + item.fileSize);
  if (!segment) return -1;
  const at = segment.offset + (address - segment.address);
  return (wordAt(bytes, at) >>> 0) + (wordAt(bytes, at + 4) >>> 0) * 2 ** 32;
}

/** What a movk may complete to a number of 32 bits. */
function readMoves(bytes: Uint8Array, at: number, word: number): number[] {
  if (field(word, 21, 2) !== 1) return [];
  const values: number[] = [];
  for (let before = at - 4; before >= 0 && at - before <= 4 * mostBetween; before -= 4) {
    const first = wordAt(bytes, before);
    const isLow = isMoveWide(first) && field(first, 29, 2) === 2 && field(first, 21, 2) === 0;
    if (isLow && rd(first) === rd(word)) values.push(field(first, 5, 16) + field(word, 5, 16) * 65536);
  }
  return values;
}

/** What A64 instructions refer to, for the call graph: jumps out of a region, addresses that are made, and words that are read at a fixed place. */
import { type AnalysisIsa, flow } from '../../analysis-isa.ts';
import { walkPages } from './pages.ts';
import { addend, adrpTarget, adrTarget, flowOf, isAddImmediate, isAdr, isAdrp, isBti, isLoad64, isLoadLiteral64, isNop, literalTarget, load64Offset, rd, rn, targetOf, wordAt } from './words.ts';

export const readEdges: AnalysisIsa['readEdges'] = (executable, region, index, scan) => {
  const { start, end } = region;
  walkPages(executable, region, (word, site, addressesOf) => {
    const target = targetOf(word, site);
    if (target !== undefined) {
      if (target < start || target >= end) scan.lead(index, target, site, 'call');
    } else if (isAdr(word)) scan.refer(index, adrTarget(word, site), site);
    else if (isAdrp(word)) scan.refer(index, adrpTarget(word, site), site); // what lies at the page's beginning needs no add
    else if (isAddImmediate(word)) for (const address of addressesOf(rn(word), addend(word), scan.concerns)) scan.refer(index, address, site);
    else if (isLoad64(word)) for (const slot of addressesOf(rn(word), load64Offset(word), scan.isSlot)) scan.readSlot(index, slot, site, 'taken');
    else if (isLoadLiteral64(word)) scan.readSlot(index, literalTarget(word, site), site, 'taken');
  });
};

/** adrp x16; ldr x17, [x16, …]; add x16, x16, …; br x17. Where branch targets are marked, bti c stands before, and the address may be authenticated. */
export const findStubs: AnalysisIsa['findStubs'] = ({ bytes, start }, isSlot) => {
  const stubs: { word: number; starts: number[] }[] = [];
  for (let at = 4; at + 12 <= bytes.length; at += 4) {
    const load = wordAt(bytes, at);
    if (!isLoad64(load) || rd(load) !== 17 || rn(load) !== 16) continue;
    const page = wordAt(bytes, at - 4);
    if (!isAdrp(page) || rd(page) !== 16) continue;
    const slot = adrpTarget(page, start + at - 4) + load64Offset(load);
    const jumps = [8, 12].some((by) => at + by + 4 <= bytes.length && flowOf(wordAt(bytes, at + by)) === flow.indirect);
    if (!jumps || !isSlot(slot)) continue;
    const first = start + at - 4;
    stubs.push({ word: slot, starts: at >= 8 && isBti(wordAt(bytes, at - 8)) ? [first, first - 4] : [first] });
  }
  return stubs;
};

/** No-ops and zeros. */
export function isPadding(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += 4) {
    if (at + 4 > bytes.length) return bytes.subarray(at).every((byte) => byte === 0);
    const word = wordAt(bytes, at);
    if (word !== 0 && !isNop(word)) return false;
  }
  return true;
}

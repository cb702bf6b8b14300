/**
 * The places where a program enters the kernel.
 *
 * Owns: finding every instruction that does so. A search for their bytes finds all candidates at the speed of memory; only the regions that hold one
 * are decoded, and the decoder says which candidates are instructions.
 * Rule: bytes inside another instruction are not a site, except where the region does not decode cleanly: there they count as one.
 */
import { type CodeReader, findHolder, type GateKind, type Region } from '../arch/analysis-isa.ts';
import { type CodeMap, findRegion, getCode } from './code-map.ts';

export type Site = {
  address: number;
  region: number;
  index: number;
  /** syscall: the gate. legacy: a 32-bit gate, which hull does not answer. doubtful: the bytes do not decode cleanly. */
  kind: GateKind | 'doubtful';
};

export function findSites(map: CodeMap, reader: CodeReader): Site[] {
  const sites: Site[] = [];
  for (const range of map.ranges) {
    for (const gate of map.isa.findGates(range.bytes)) {
      const address = range.start + gate.offset;
      const regionIndex = findRegion(map, address);
      const region = map.regions[regionIndex] as Region;
      const code = getCode(map, region);
      const index = findHolder(code, address - region.start);
      const offset = code.offsets[index] as number;
      const size = (code.offsets[index + 1] as number) - offset;
      if (reader.isGate(region.bytes, offset, size, address - region.start, gate.kind)) sites.push({ address, region: regionIndex, index, kind: gate.kind });
      else if (code.hasInvalid && gate.kind === 'syscall') sites.push({ address, region: regionIndex, index, kind: 'doubtful' });
    }
  }
  return sites.sort((a, b) => a.address - b.address);
}

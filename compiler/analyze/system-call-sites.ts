/**
 * The places where a program enters the kernel.
 *
 * Owns: finding every `syscall`, `sysenter` and `int 0x80`. A search for their two bytes finds all candidates at the speed of memory;
 * only the regions that hold one are decoded, and the decoder says which candidates are instructions.
 * Rule: bytes inside another instruction are not a site, except where the region does not decode cleanly: there they count as one.
 */
import { Mnemonic } from 'iced-x86';
import { type CodeMap, findHolder, findRegion, getCode, type Region } from './code-map.ts';
import type { EffectReader } from './effects.ts';

export type Site = {
  address: number;
  region: number;
  index: number;
  /** syscall: the 64-bit gate. legacy: the 32-bit gates, which hull does not answer. doubtful: the bytes do not decode cleanly. */
  kind: 'syscall' | 'legacy' | 'doubtful';
};

const gates = [
  { pattern: Buffer.from([0x0f, 0x05]), mnemonic: Mnemonic.Syscall, kind: 'syscall' },
  { pattern: Buffer.from([0x0f, 0x34]), mnemonic: Mnemonic.Sysenter, kind: 'legacy' },
  { pattern: Buffer.from([0xcd, 0x80]), mnemonic: Mnemonic.Int, kind: 'legacy' },
] as const;

export function findSites(map: CodeMap, reader: EffectReader): Site[] {
  const sites: Site[] = [];
  for (const gate of gates) {
    for (const range of map.ranges) {
      const bytes = Buffer.from(range.bytes.buffer, range.bytes.byteOffset, range.bytes.length);
      for (let at = bytes.indexOf(gate.pattern); at >= 0; at = bytes.indexOf(gate.pattern, at + 1)) {
        const address = range.start + at;
        const regionIndex = findRegion(map, address);
        const region = map.regions[regionIndex] as Region;
        const code = getCode(map, region);
        const index = findHolder(code, address - region.start);
        const offset = code.offsets[index] as number;
        const size = (code.offsets[index + 1] as number) - offset;
        const instruction = reader.decode(region.bytes, offset);
        // Prefixes may stand before the gate's own bytes; an operand that happens to hold them comes at the end of something else.
        if (instruction.mnemonic === gate.mnemonic && offset + size === address - region.start + 2) {
          sites.push({ address, region: regionIndex, index, kind: gate.kind });
        } else if (code.hasInvalid && gate.kind === 'syscall') {
          sites.push({ address, region: regionIndex, index, kind: 'doubtful' });
        }
      }
    }
  }
  return sites.sort((a, b) => a.address - b.address);
}

/**
 * Who refers to an address: calls, jumps, taken addresses, pointers in data.
 *
 * Owns: one pass over the program. What the ISA takes for a reference in code may be none: false ones are sorted out by whoever decodes the place. Data is
 * searched for aligned 8-byte pointers.
 * Limits: code addresses that a program computes otherwise (32-bit tables of functions, hand-made arithmetic) are not seen.
 */
import { reference } from '../arch/analysis-isa.ts';
import type { CodeMap } from './code-map.ts';

export type References = {
  /** Visits all references to [start, end). `site` is the address of the first byte of the opcode, or of the pointer. */
  forEach(start: number, end: number, visit: (site: number, target: number, kind: number) => void): void;
  /** True when a 32-bit absolute operand in code may name the address. Only programs at a fixed address have such. */
  mayBeImmediate(address: number): boolean;
};

const bucketShift = 7;

/** `pointers`: addresses that the loader stores somewhere. */
export function scanReferences(map: CodeMap, pointers: Iterable<number> = []): References {
  const { isa } = map;
  const first = map.ranges[0];
  const last = map.ranges.at(-1);
  if (!first || !last) return { forEach: () => {}, mayBeImmediate: () => false };
  const low = first.start;
  const high = last.end;
  const heads = new Int32Array(((high - low) >>> bucketShift) + 1).fill(-1);
  let room = 1 << 14;
  let nexts = new Int32Array(room);
  let sites = new Float64Array(room);
  let targets = new Float64Array(room);
  let kinds = new Uint8Array(room);
  let count = 0;
  const add = (site: number, target: number, kind: number) => {
    if (count === room) {
      room *= 2;
      const grow = <T extends Int32Array | Float64Array | Uint8Array>(old: T, fresh: T): T => {
        fresh.set(old);
        return fresh;
      };
      nexts = grow(nexts, new Int32Array(room));
      sites = grow(sites, new Float64Array(room));
      targets = grow(targets, new Float64Array(room));
      kinds = grow(kinds, new Uint8Array(room));
    }
    const bucket = (target - low) >>> bucketShift;
    sites[count] = site;
    targets[count] = target;
    kinds[count] = kind;
    nexts[count] = heads[bucket] as number;
    heads[bucket] = count++;
  };

  isa.findReferences(map.executable, map.ranges, map.regions, low, high, add);
  for (const target of pointers) if (target >= low && target < high) add(-1, target, reference.pointer);
  const { executable } = map;
  // The file's headers are loaded, too; the addresses in them are no pointers that a program would call.
  for (const segment of executable.segments) {
    if (segment.executable && executable.sections.length > 0 && segmentIsAllCode(map, segment)) continue;
    const view = new DataView(executable.bytes.buffer, executable.bytes.byteOffset + segment.offset, segment.fileSize);
    for (let at = Math.max(-segment.address & 7, executable.headersEnd - segment.offset); at + 8 <= segment.fileSize; at += 8) {
      const upper = view.getUint32(at + 4, true);
      if (upper > 0x7fff) continue;
      const value = upper * 0x100000000 + view.getUint32(at, true);
      if (value >= low && value < high) add(segment.address + at, value, reference.pointer);
    }
  }

  return {
    forEach(start, end, visit) {
      if (end <= low || start >= high) return;
      const from = (Math.max(start, low) - low) >>> bucketShift;
      const to = (Math.min(end, high) - 1 - low) >>> bucketShift;
      for (let bucket = from; bucket <= to; bucket++) {
        for (let at = heads[bucket] as number; at >= 0; at = nexts[at] as number) {
          const target = targets[at] as number;
          if (target >= start && target < end) visit(sites[at] as number, target, kinds[at] as number);
        }
      }
    },
    mayBeImmediate(address) {
      if (!isa.hasAddressOperands || executable.positionIndependent || address > 0xffffffff) return false;
      const pattern = Buffer.alloc(4);
      pattern.writeUInt32LE(address);
      return map.ranges.some(({ bytes }) =>
        Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(pattern),
      );
    },
  };
}

/** A segment whose file bytes are all in executable sections holds no pointers of its own. */
function segmentIsAllCode(map: CodeMap, segment: { address: number; fileSize: number }): boolean {
  let covered = 0;
  for (const { start, end } of map.ranges) {
    if (start >= segment.address && end <= segment.address + segment.fileSize) covered += end - start;
  }
  return segment.fileSize - covered < 256; // padding between sections
}

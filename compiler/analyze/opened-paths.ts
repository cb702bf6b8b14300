/**
 * Which files can a program open? Owns: reading the path of each open and openat, where it is a constant.
 *
 * What holds: an answer is complete. It is undefined as soon as one path is not a constant in memory that the program cannot write: the program may
 * then open anything. Programs that can change what their read-only memory holds, or do not lie where they are linked, get no answer.
 */
import type { Executable } from './code-map.ts';
import { r10, rdi, rsi } from './effects.ts';
import type { Site } from './system-call-sites.ts';
import type { Tracer } from './trace.ts';

const openCall = 2;
const openatCall = 257;
const mmapCall = 9;
const mapFixed = 0x100010; // MAP_FIXED, MAP_FIXED_NOREPLACE
/** mprotect, pkey_mprotect, mremap, remap_file_pages: with these, read-only memory need not stay what it is. */
const memoryChangers = [10, 329, 25, 216];
const pathLimit = 4096;

export type TracedSite = { site: Site; numbers: ReadonlyMap<number, number> };

export function findOpenedPaths(executable: Executable, sites: readonly TracedSite[], tracer: Tracer): string[] | undefined {
  const made = (number: number) => sites.some(({ numbers }) => numbers.has(number));
  if (executable.positionIndependent || memoryChangers.some(made)) return undefined;
  if (executable.segments.some(({ address, memorySize }) => address + memorySize > 0xffffffff)) return undefined;
  for (const { site, numbers } of sites) {
    if (!numbers.has(mmapCall)) continue;
    const flags = tracer.trace(site.region, site.index, r10);
    if (flags.doubts.length > 0 || [...flags.values.keys()].some((value) => value & mapFixed)) return undefined;
  }
  const paths = new Set<string>();
  for (const { site, numbers } of sites) {
    for (const [number, register] of [[openCall, rdi], [openatCall, rsi]] as const) {
      if (!numbers.has(number)) continue;
      const trace = tracer.traceAddress(site.region, site.index, register);
      if (trace.doubts.length > 0) return undefined;
      for (const address of trace.values.keys()) {
        const path = readConstant(executable, address);
        if (path === undefined) return undefined;
        paths.add(path);
      }
    }
  }
  return [...paths].sort();
}

/** The string at an address of a segment that the program cannot write. */
function readConstant(executable: Executable, address: number): string | undefined {
  const segment = executable.segments.find((item) => address >= item.address && address < item.address + item.fileSize);
  if (!segment || segment.writable) return undefined;
  const start = segment.offset + address - segment.address;
  const end = executable.bytes.indexOf(0, start);
  const limit = Math.min(segment.offset + segment.fileSize, start + pathLimit);
  return end < 0 || end >= limit ? undefined : Buffer.from(executable.bytes.subarray(start, end)).toString('latin1');
}

/**
 * Which files can a program open? Owns: reading the path of each open and openat, where it is a constant.
 *
 * What holds: an answer is complete. It is undefined as soon as one path is not a constant in memory that the program cannot write: the program may
 * then open anything. Programs that can change what their read-only memory holds, or do not lie where they are linked, get no answer.
 */
import type { AnalysisIsa, Executable } from '../arch/analysis-isa.ts';
import type { Site } from './system-call-sites.ts';
import type { Tracer } from './trace.ts';

const mapFixed = 0x100010; // MAP_FIXED, MAP_FIXED_NOREPLACE
/** With these, read-only memory need not stay what it is. */
const memoryChangers = ['mprotect', 'pkey_mprotect', 'mremap', 'remap_file_pages'];
/** Which argument is the path. */
const openCalls = [['open', 0], ['openat', 1]] as const;
const pathLimit = 4096;

export type TracedSite = { site: Site; numbers: ReadonlyMap<number, number> };

export function findOpenedPaths(executable: Executable, isa: AnalysisIsa, sites: readonly TracedSite[], tracer: Tracer): string[] | undefined {
  const makes = ({ numbers }: TracedSite, name: string) => {
    const number = isa.syscallNumber(name);
    return number !== undefined && numbers.has(number);
  };
  const made = (name: string) => sites.some((each) => makes(each, name));
  const { callArguments } = isa.registers;
  if (executable.positionIndependent || memoryChangers.some(made)) return undefined;
  if (executable.segments.some(({ address, memorySize }) => address + memorySize > 0xffffffff)) return undefined;
  for (const each of sites) {
    if (!makes(each, 'mmap')) continue;
    const flags = tracer.trace(each.site.region, each.site.index, callArguments[3] as number);
    if (flags.doubts.length > 0 || [...flags.values.keys()].some((value) => value & mapFixed)) return undefined;
  }
  const paths = new Set<string>();
  for (const each of sites) {
    for (const [name, argument] of openCalls) {
      if (!makes(each, name)) continue;
      const trace = tracer.traceAddress(each.site.region, each.site.index, callArguments[argument] as number);
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

/**
 * The door of compiler/analyze: which system calls can an executable make?
 *
 * Owns: the order of the passes and the result's shape. `known` holds every number that a site can be reached with; `unknown` the sites for which
 * that could not be found out. One unknown site means that the program may make any call.
 * Limits: code that comes later (mmap with PROT_EXEC, dlopen, exec of another file) is not in the file; `mayGenerateCode` and
 * `mayExecute` say so. Numbers that reach a site by ways that no compiler uses (overlapping instructions, computed returns) are not seen.
 */
import { type Executable, findImpliedCalls } from '../arch/analysis-isa.ts';
import { ElfError } from '../elf/index.ts';
import { type CodeMap, getCode, mapCode, nameAddress } from './code-map.ts';
import { findOpenedPaths } from './opened-paths.ts';
import { scanReferences } from './references.ts';
import { findSocketFamilies } from './socket-families.ts';
import { readSharedObject } from './shared-object.ts';
import { findSites, type Site } from './system-call-sites.ts';
import { type Trace, Tracer } from './trace.ts';

export type { Executable } from '../arch/analysis-isa.ts';
export { analyzeClosure, type Closure, type ClosureRequest, type RootFiles, type Summarizer } from './closure.ts';
export { describeExecutable } from './executable.ts';
export { mergeSummaries, type ObjectSummary, summarizeObject } from './summary.ts';

/** A place that makes a call. `function` is absent in stripped code; `origin` is where the number is written down. */
export type CallSite = {
  address: number;
  function: string | undefined;
  origin: number;
  originFunction: string | undefined;
};

export type UnknownSite = { address: number; function: string | undefined; reasons: string[] };

export type Analysis = {
  /** Linux' call number on the program's machine -> where it is made. */
  known: Map<number, CallSite[]>;
  unknown: UnknownSite[];
  /** True when any call must be expected: a site is unknown. */
  mayMakeAnyCall: boolean;
  /** Gates that hull does not answer: int 0x80 and sysenter. */
  legacy: { address: number; function: string | undefined }[];
  /** The program can make memory executable after it started: what runs there is not in this analysis. */
  mayGenerateCode: { address: number; function: string | undefined; reason: string }[];
  /** The program can execute another file, whose calls are not in this analysis. */
  mayExecute: boolean;
  /** What the program can open, when every path is a constant of the file; undefined: anything. */
  openedPaths: string[] | undefined;
  /** AF_* of the sockets that the program can make, when each is a constant; undefined: any. */
  socketFamilies: number[] | undefined;
  isGo: boolean;
  sites: number;
  /** Offsets in the file of `hlt` instructions that are known to be such. */
  halts: number[];
};

const protExec = 4;
const protectingCalls = ['mmap', 'mprotect', 'pkey_mprotect'];
const executingCalls = ['execve', 'execveat'];
/** System call numbers end far below this; larger values are errors of the program's making or the x32 table. */
const numberLimit = 0x1000;

export function analyzeExecutable(executable: Executable): Analysis {
  const isGo = isGoProgram(executable);
  // After this: every executable byte is in one region, and functions are known where the file tells.
  const map = mapCode(executable);
  // After this: each call, jump, lea and pointer to code can be asked for by its target.
  const references = scanReferences(map, findRelocated(executable));
  const reader = map.isa.openReader({ preservesAcrossCalls: !isGo });
  try {
    const sites = findSites(map, reader);
    const tracer = new Tracer(map, references, reader);
    return { ...resolveSites(map, sites, tracer, isGo), halts: map.isa.findHalts(executable, map.ranges, map.regions, (region) => getCode(map, region), reader) };
  } finally {
    reader.free();
  }
}

/** Where the loader or the program's own start code stores addresses; in position-dependent programs they are in the file. */
function findRelocated({ bytes, positionIndependent }: Executable): Iterable<number> {
  if (!positionIndependent) return [];
  try {
    return readSharedObject(bytes, '').pointers;
  } catch (error) {
    if (error instanceof ElfError) return []; // it cannot run
    throw error;
  }
}

function resolveSites(map: CodeMap, sites: Site[], tracer: Tracer, isGo: boolean): Analysis {
  const name = (address: number) => nameAddress(map, address);
  const analysis: Analysis = {
    known: new Map(),
    unknown: [],
    mayMakeAnyCall: false,
    legacy: [],
    mayGenerateCode: [],
    mayExecute: false,
    openedPaths: undefined,
    socketFamilies: undefined,
    isGo,
    sites: 0,
    halts: [],
  };
  for (const segment of map.executable.segments) {
    if (!segment.executable || !segment.writable) continue;
    const reason = 'a segment is writable and executable';
    analysis.mayGenerateCode.push({ address: segment.address, function: undefined, reason });
  }
  const traced: { site: Site; numbers: ReadonlyMap<number, number> }[] = [];
  for (const site of sites) {
    const { address } = site;
    if (site.kind === 'legacy') {
      analysis.legacy.push({ address, function: name(address) });
      continue;
    }
    analysis.sites++;
    if (site.kind === 'doubtful') {
      analysis.unknown.push({ address, function: name(address), reasons: ['the bytes around it do not decode'] });
      continue;
    }
    const trace = tracer.trace(site.region, site.index, map.isa.registers.call);
    addTrace(analysis, map, address, trace);
    noteCodeGeneration(analysis, map, site, trace, tracer);
    traced.push({ site, numbers: trace.values });
  }
  for (const [number, cause] of findImpliedCalls(map.isa, (each) => analysis.known.has(each))) {
    if (!analysis.known.has(number)) analysis.known.set(number, analysis.known.get(cause) ?? []);
  }
  analysis.mayMakeAnyCall = analysis.unknown.length > 0;
  analysis.mayExecute = analysis.mayMakeAnyCall || executingCalls.some((name) => analysis.known.has(map.isa.syscallNumber(name) ?? -1));
  if (!analysis.mayMakeAnyCall) {
    analysis.openedPaths = findOpenedPaths(map.executable, map.isa, traced, tracer);
    analysis.socketFamilies = findSocketFamilies(map.isa, traced, tracer);
  }
  return analysis;
}

function addTrace(analysis: Analysis, map: CodeMap, address: number, trace: Trace): void {
  const site = nameAddress(map, address);
  for (const [number, origin] of trace.values) {
    if (number >= numberLimit) continue; // the kernel answers ENOSYS to these without looking further
    const call = { address, function: site, origin, originFunction: nameAddress(map, origin) };
    const list = analysis.known.get(number);
    if (list) list.push(call);
    else analysis.known.set(number, [call]);
  }
  if (trace.doubts.length === 0) return;
  const reasons = trace.doubts.map((doubt) => {
    const place = nameAddress(map, doubt.address);
    return `${doubt.reason}, at 0x${doubt.address.toString(16)}${place ? ` in ${place}` : ''}`;
  });
  analysis.unknown.push({ address, function: site, reasons });
}

/** mmap, mprotect and pkey_mprotect take the protection as third argument: where it can hold PROT_EXEC, code may come later. */
function noteCodeGeneration(analysis: Analysis, map: CodeMap, site: Site, trace: Trace, tracer: Tracer): void {
  const calls = protectingCalls.filter((name) => trace.values.has(map.isa.syscallNumber(name) ?? -1));
  if (calls.length === 0) return;
  const protection = tracer.trace(site.region, site.index, map.isa.registers.callArguments[2] as number);
  const isExecutable = [...protection.values.keys()].some((value) => value & protExec);
  if (!isExecutable && protection.doubts.length === 0) return;
  const reason = isExecutable ? 'maps memory as executable' : 'the protection that it asks for is not a constant';
  analysis.mayGenerateCode.push({ address: site.address, function: nameAddress(map, site.address), reason });
}

const goSections = new Set(['.go.buildinfo', '.gopclntab', '.note.go.buildid']);

/** Go programs carry a build information block, and their functions save no registers. */
function isGoProgram(executable: Executable): boolean {
  if (executable.sections.length > 0) return executable.sections.some(({ name }) => goSections.has(name));
  const { buffer, byteOffset, length } = executable.bytes;
  return Buffer.from(buffer, byteOffset, length).includes(Buffer.from('\xff Go buildinf:', 'latin1'));
}

export { replaceHalts } from '../arch/x86_64/analyze/index.ts';

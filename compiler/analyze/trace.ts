/**
 * Backward constant propagation: which values can a location have just before an instruction?
 *
 * Owns: the walk against the flow of control, over basic blocks, jump tables and from a function's entry to its callers.
 * What holds: the answer's values are all that can get there by the paths that are seen; where a path's source is not a constant, or a path may
 * come from a place that is not seen, the answer has an `unknown` that says why and where.
 */
import {
  baseOfSlot,
  type Code,
  type CodeReader,
  displacementOfSlot,
  findHolder,
  flow,
  isSlot,
  type Location,
  makeSlot,
  reference,
  type Region,
  type Step,
} from '../arch/analysis-isa.ts';
import { type CodeMap, findRegion, getCode, neverReturns } from './code-map.ts';
import type { References } from './references.ts';

/** `parameter`: the value is what a caller who is not seen has in this location, `address` being the function. */
export type Doubt = { address: number; reason: string; parameter?: Location };

/** Values -> the address of the instruction that holds the constant. */
export type Trace = { values: Map<number, number>; doubts: Doubt[] };

type Incoming = { site: number; kind: number };
type Point = { region: number; index: number; location: Location };

const mostSteps = 50_000;
const mostValues = 512;
const mostDoubts = 8;
const deepestComputation = 6;

export class Tracer {
  #map: CodeMap;
  #references: References;
  #reader: CodeReader;
  #incoming = new Map<number, Map<number, Incoming[]>>();
  #steps = 0;
  #tracesAddresses = false;

  constructor(map: CodeMap, references: References, reader: CodeReader) {
    this.#map = map;
    this.#references = references;
    this.#reader = reader;
  }

  /** The values of `location` before instruction `index` of a region. */
  trace(region: number, index: number, location: Location): Trace {
    this.#steps = 0;
    return this.#evaluate({ region, index, location }, 0);
  }

  /**
   * The same for a pointer: addresses of the program count as constants, computed ones are doubts. Only for programs that lie where they
   * are linked, below 4 GiB.
   */
  traceAddress(region: number, index: number, location: Location): Trace {
    this.#tracesAddresses = true;
    try {
      return this.trace(region, index, location);
    } finally {
      this.#tracesAddresses = false;
    }
  }

  #evaluate(start: Point, depth: number): Trace {
    const result: Trace = { values: new Map(), doubts: [] };
    const visited = new Set<string>();
    const work: Point[] = [start];
    for (let point = work.pop(); point; point = work.pop()) {
      this.#walk(point, work, visited, result, depth);
      if (this.#steps > mostSteps || result.values.size > mostValues) {
        addDoubt(result, this.#addressOf(start), 'too many paths lead here');
        break;
      }
    }
    return result;
  }

  /** Follows one path back until it ends, is known, or was walked before. Branching predecessors go to `work`. */
  #walk(from: Point, work: Point[], visited: Set<string>, result: Trace, depth: number): void {
    const regionIndex = from.region;
    const region = this.#map.regions[regionIndex] as Region;
    const code = getCode(this.#map, region);
    const incoming = this.#incomingOf(regionIndex);
    let { index, location } = from;
    for (;;) {
      if (++this.#steps > mostSteps) return;
      const offset = code.offsets[index] as number;
      const isLeader =
        index === 0 || code.jumps.has(offset) || code.tableTargets.has(offset) || incoming.has(offset);
      let predecessors = 0;
      if (isLeader) {
        const key = `${regionIndex}:${index}:${location}`;
        if (visited.has(key)) return;
        visited.add(key);
        const point = { region: regionIndex, index, location };
        predecessors = this.#enter(point, code, incoming.get(offset) ?? [], work, result);
      }
      const before = index - 1;
      if (before < 0 || !this.#fallsThrough(region, code, index, incoming)) {
        // Padding behind a jump is there for alignment only; anything else may be reached in a way that is not seen.
        if (predecessors === 0 && !(index < code.count && this.#isPadding(region, code, index))) {
          addDoubt(result, region.start + offset, 'nothing is seen to lead here');
        }
        return;
      }
      const step = this.#stepAt(regionIndex, before, location);
      index = before;
      if (step.kind !== 'moved') {
        this.#conclude(step, { region: regionIndex, index, location }, work, result, depth);
        return;
      }
      location = step.location;
    }
  }

  #conclude(step: Step, point: Point, work: Point[], result: Trace, depth: number): void {
    const address = this.#addressOf(point);
    switch (step.kind) {
      case 'values':
        for (const value of step.values) result.values.set(value >>> 0, address);
        return;
      case 'either':
        for (const location of step.locations) work.push({ ...point, location });
        return;
      case 'moved':
        work.push({ ...point, location: step.location });
        return;
      case 'unknown':
        addDoubt(result, address, step.reason);
        return;
      case 'computed': {
        if (this.#tracesAddresses && !step.isAddress) {
          addDoubt(result, address, 'a computed address');
          return;
        }
        if (depth >= deepestComputation) {
          addDoubt(result, address, 'computed in too many steps');
          return;
        }
        const [first, second] = step.from.map((location) => this.#evaluate({ ...point, location }, depth + 1));
        if (!first) return;
        for (const part of second ? [first, second] : [first]) {
          for (const doubt of part.doubts) addDoubt(result, doubt.address, doubt.reason);
        }
        const seconds = second ? [...second.values.keys()] : [0];
        if (first.values.size * seconds.length > mostValues) {
          addDoubt(result, address, 'too many values');
          return;
        }
        for (const left of first.values.keys()) {
          for (const right of seconds) {
            for (const value of step.compute(left | 0, right | 0)) result.values.set(value >>> 0, address);
          }
        }
        return;
      }
    }
  }

  /** Adds what leads to a leader other than by falling through; returns how many ways there are. */
  #enter(point: Point, code: Code, incoming: Incoming[], work: Point[], result: Trace): number {
    const { region: regionIndex, index, location } = point;
    const region = this.#map.regions[regionIndex] as Region;
    const offset = code.offsets[index] as number;
    const address = region.start + offset;
    let ways = 0;
    const jumpFrom = (from: number, source: number) => {
      ways++;
      const step = this.#stepAt(source, from, location);
      this.#conclude(step, { region: source, index: from, location }, work, result, deepestComputation);
    };
    for (const from of code.jumps.get(offset) ?? []) jumpFrom(from, regionIndex);
    let tableJumps = code.tableTargets.get(offset) ?? [];
    let isCallable = address === this.#map.executable.entry;
    for (const { site, kind } of incoming) {
      if (kind === reference.pointer || kind === reference.address) {
        if (code.indirectJumps.length > 0 && !this.#beginsFunction(region, index)) tableJumps = code.indirectJumps;
        else {
          ways++;
          addDoubt(result, address, 'a pointer to this function exists', location);
        }
        continue;
      }
      const source = findRegion(this.#map, site);
      if (source < 0) continue;
      const caller = this.#map.regions[source] as Region;
      const callerCode = getCode(this.#map, caller);
      const from = findHolder(callerCode, site - caller.start); // a prefix may stand before the opcode
      if (callerCode.targets.get(from) !== address) continue; // bytes that only look like a call
      if (callerCode.flows[from] !== flow.call) {
        jumpFrom(from, source);
        continue;
      }
      isCallable = true;
      ways++;
      const moved = this.#enterFromCall(location);
      if (moved === undefined) addDoubt(result, address, 'a stack slot of the call itself');
      else work.push({ region: source, index: from, location: moved });
    }
    for (const from of tableJumps) jumpFrom(from, regionIndex);
    if (address === this.#map.executable.entry) {
      ways++;
      addDoubt(result, address, 'the program begins here');
    } else if (isCallable || this.#beginsFunction(region, index)) {
      if (this.#references.mayBeImmediate(address)) {
        ways++;
        addDoubt(result, address, 'a pointer to this function exists');
      }
    }
    if (index === 0) {
      const before = this.#fallIn(regionIndex);
      if (before) {
        ways++;
        work.push({ region: before.region, index: before.index, location });
      }
    }
    return ways;
  }

  /** Where a location of a function's entry was before the call; undefined for the return address, and what lies below the stack. */
  #enterFromCall(location: Location): Location | undefined {
    const { registers, returnAddressSize } = this.#map.isa;
    if (!isSlot(location) || baseOfSlot(location) !== registers.stack) return location;
    const displacement = displacementOfSlot(location) - returnAddressSize;
    return displacement < 0 ? undefined : makeSlot(registers.stack, displacement);
  }

  #beginsFunction(region: Region, index: number): boolean {
    return region.isFunction && index === 0;
  }

  #stepAt(regionIndex: number, index: number, location: Location): Step {
    const region = this.#map.regions[regionIndex] as Region;
    const code = getCode(this.#map, region);
    const base = this.#tracesAddresses ? region.start : undefined;
    return this.#reader.stepBack(region.bytes, code.offsets[index] as number, location, code.stackEscapes, base);
  }

  #addressOf(point: Point): number {
    const region = this.#map.regions[point.region] as Region;
    return region.start + (getCode(this.#map, region).offsets[point.index] as number);
  }

  /** Whether instruction index - 1 can run on into `index`. */
  #fallsThrough(region: Region, code: Code, index: number, incoming: Map<number, Incoming[]>): boolean {
    const kind = code.flows[index - 1] as number;
    if (kind === flow.end || kind === flow.halt || kind === flow.jump || kind === flow.indirect) return false;
    if (kind === flow.call && neverReturns(this.#map, code.targets.get(index - 1))) return false;
    if (region.isFunction) return true;
    // In code without function bounds: a function that begins after a call of one that never returns, as
    // __stack_chk_fail. Its entry is called from elsewhere, and aligned by padding or as its address.
    const offset = code.offsets[index] as number;
    const isCalled = incoming.get(offset)?.some((item) => item.kind === reference.call) ?? false;
    if (!isCalled) return true;
    let last = index - 1;
    while (last > 0 && this.#isPadding(region, code, last)) last--;
    const isAligned = last < index - 1 || (region.start + offset) % 16 === 0;
    return !(code.flows[last] === flow.call && isAligned);
  }

  #isPadding(region: Region, code: Code, index: number): boolean {
    return this.#reader.isPadding(region.bytes, code.offsets[index] as number);
  }

  /** Where the code just before a region runs on into it: the point after its last instruction. Calls there never return. */
  #fallIn(regionIndex: number): Point | undefined {
    let at = regionIndex;
    while (at > 0) {
      const region = this.#map.regions[at] as Region;
      const before = this.#map.regions[at - 1] as Region;
      if (before.end !== region.start) return undefined;
      at--;
      const code = getCode(this.#map, before);
      let last = code.count - 1;
      while (last >= 0 && this.#isPadding(before, code, last)) last--;
      if (last < 0) continue; // nothing but padding
      const kind = code.flows[last];
      if (kind !== flow.next && kind !== flow.branch && kind !== flow.invalid) return undefined;
      return { region: at, index: last + 1, location: 0 };
    }
    return undefined;
  }

  /** References from outside to anywhere in the region, by offset; for gaps also pointers and calls from inside. */
  #incomingOf(regionIndex: number): Map<number, Incoming[]> {
    const known = this.#incoming.get(regionIndex);
    if (known) return known;
    const region = this.#map.regions[regionIndex] as Region;
    const result = new Map<number, Incoming[]>();
    const add = (target: number, site: number, kind: number) => {
      const list = result.get(target - region.start);
      if (list) list.push({ site, kind });
      else result.set(target - region.start, [{ site, kind }]);
    };
    const isInside = (address: number) => address >= region.start && address < region.end;
    this.#references.forEach(region.start, region.end, (site, target, kind) => {
      if (kind === reference.jump && isInside(site)) return; // the decoder has it
      add(target, site, kind);
    });
    this.#addShortJumps(regionIndex, isInside, add);
    this.#incoming.set(regionIndex, result);
    return result;
  }

  /** Assemblers shorten a jump to a near neighbour to two bytes, which the byte scan does not look for. */
  #addShortJumps(
    regionIndex: number,
    isInside: (address: number) => boolean,
    add: (target: number, site: number, kind: number) => void,
  ): void {
    const region = this.#map.regions[regionIndex] as Region;
    const { shortJumpReach } = this.#map.isa;
    for (const direction of shortJumpReach > 0 ? [-1, 1] : []) {
      for (let at = regionIndex + direction; ; at += direction) {
        const neighbour = this.#map.regions[at];
        if (!neighbour) break;
        if (neighbour.end < region.start - shortJumpReach || neighbour.start > region.end + shortJumpReach) break;
        const code = getCode(this.#map, neighbour);
        for (const [index, target] of code.targets) {
          const length = (code.offsets[index + 1] as number) - (code.offsets[index] as number);
          const isShort = length <= 3 && code.flows[index] !== flow.call;
          if (isShort && isInside(target)) {
            add(target, neighbour.start + (code.offsets[index] as number), reference.jump);
          }
        }
      }
    }
  }
}

function addDoubt(result: Trace, address: number, reason: string, parameter?: Location): void {
  if (result.doubts.length >= mostDoubts) return;
  if (result.doubts.some((doubt) => doubt.address === address && doubt.reason === reason && doubt.parameter === parameter)) return;
  result.doubts.push({ address, reason, ...(parameter !== undefined && { parameter }) });
}

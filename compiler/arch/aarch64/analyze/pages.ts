/**
 * The addresses that adrp begins, where another instruction completes them.
 *
 * Owns: which pages a register may hold at a use of it, by going back over the function's blocks. Where that loses the way, it may be any that the function puts
 * into that register. Copies count; a page that went through memory does not. A function in the same file may leave registers alone that it need not keep.
 */
import { type Code, type Executable, flow, type Region } from '../../analysis-isa.ts';
import { decodeRegion } from './decode.ts';
import { adrpTarget, flowOf, isAdrp, isCopy, rd, rm, wordAt, writtenBy } from './words.ts';

type Pages = Map<number, Set<number>>;

/** Every page that comes into each register, anywhere in the region. */
function findPages({ bytes, start }: Region): Pages {
  const pages: Pages = new Map();
  const copies: [to: number, from: number][] = [];
  const of = (register: number): Set<number> => {
    const known = pages.get(register) ?? new Set<number>();
    pages.set(register, known);
    return known;
  };
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const word = wordAt(bytes, at);
    if (isAdrp(word)) of(rd(word)).add(adrpTarget(word, start + at));
    else if (isCopy(word)) copies.push([rd(word), rm(word)]);
  }
  if (pages.size === 0) return pages;
  for (let isNew = true; isNew; ) {
    isNew = false;
    for (const [to, from] of copies) {
      for (const page of pages.get(from) ?? []) {
        if (of(to).has(page)) continue;
        of(to).add(page);
        isNew = true;
      }
    }
  }
  return pages;
}

const mostSteps = 500;
const manyPages = 16;

/** Finds what adrp left in a register, against the flow of control. */
class PageFinder {
  #region: Region;
  #code: Code;
  #pages: Pages;

  constructor(region: Region, code: Code, pages: Pages) {
    this.#region = region;
    this.#code = code;
    this.#pages = pages;
  }

  /** The pages that a register may hold before an instruction. */
  before(index: number, register: number): Iterable<number> {
    const all = this.#pages.get(register);
    if (all === undefined) return [];
    const found = new Set<number>();
    const seen = new Set<number>();
    const work: [index: number, register: number][] = [[index, register]];
    let steps = 0;
    for (let point = work.pop(); point; point = work.pop()) {
      let [at, tracked] = point;
      for (;;) {
        if (++steps > mostSteps) return all;
        const ways = this.#jumpsTo(at);
        if (ways) {
          const key = at * 32 + tracked;
          if (seen.has(key)) break;
          seen.add(key);
          steps += ways.length;
          if (steps > mostSteps) return all;
          for (const from of ways) work.push([from, tracked]);
        }
        const isReached = at > 0 && runsOn(this.#code.flows[at - 1] as number);
        if (!isReached) {
          // In the middle of a function: a landing pad of exceptions. In code without bounds, which has none: the beginning of a function.
          if (!ways && (at === 0) !== this.#region.isFunction) return all;
          break;
        }
        at--;
        const word = wordAt(this.#region.bytes, at * 4);
        if (isAdrp(word) && rd(word) === tracked) {
          found.add(adrpTarget(word, this.#region.start + at * 4));
          break;
        }
        if (isCopy(word) && rd(word) === tracked && rm(word) < 31) tracked = rm(word);
        else if (flowOf(word) !== flow.call && (writtenBy(word) >>> tracked) & 1) break;
      }
    }
    return found;
  }

  /** Indexes of the jumps that lead to an instruction; undefined: none. */
  #jumpsTo(index: number): readonly number[] | undefined {
    const direct = this.#code.jumps.get(index * 4);
    const indirect = this.#code.tableTargets.get(index * 4);
    return direct && indirect ? [...direct, ...indirect] : (direct ?? indirect);
  }
}

const runsOn = (kind: number) => kind === flow.next || kind === flow.branch || kind === flow.call;

/** The addresses that an offset from a page in a register may make, of those that `matters`. */
type AddressesOf = (register: number, offset: number, matters: (address: number) => boolean) => number[];

/** Visits each instruction of a region. */
export function walkPages(executable: Executable, region: Region, visit: (word: number, site: number, addressesOf: AddressesOf) => void): void {
  const { bytes, start } = region;
  const pages = findPages(region);
  let finder: PageFinder | undefined;
  let at = 0;
  const addressesOf: AddressesOf = (register, offset, matters) => {
    const all = pages.get(register);
    // Going back takes time: only where it may come to something, if that is soon known.
    if (all === undefined || (all.size < manyPages && !some(all, (page) => matters(page + offset)))) return [];
    region.code ??= decodeRegion(executable, region);
    finder ??= new PageFinder(region, region.code, pages);
    return [...finder.before(at >> 2, register)].map((page) => page + offset).filter(matters);
  };
  for (; at + 4 <= bytes.length; at += 4) visit(wordAt(bytes, at), start + at, addressesOf);
}

function some(values: Iterable<number>, test: (value: number) => boolean): boolean {
  for (const value of values) if (test(value)) return true;
  return false;
}

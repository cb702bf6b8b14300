/** The instructions of a region of A64 code: what makes up a `Code`, and where its indirect jumps lead. */
import { type Code, type Executable, flow, type Region } from '../../analysis-isa.ts';
import { makesStackPointer } from './effects.ts';
import { findJumpTargets } from './jump-tables.ts';
import { flowOf, targetOf, wordAt } from './words.ts';

export function decodeRegion(executable: Executable, region: Region): Code {
  const { bytes, start } = region;
  const whole = bytes.length >>> 2;
  const hasInvalid = bytes.length % 4 !== 0;
  const count = whole + (hasInvalid ? 1 : 0);
  const offsets = new Uint32Array(count + 1);
  const flows = new Uint8Array(count);
  const jumps = new Map<number, number[]>();
  const targets = new Map<number, number>();
  const indirectJumps: number[] = [];
  let stackEscapes = false;
  for (let index = 0; index < whole; index++) {
    const at = index * 4;
    const word = wordAt(bytes, at);
    const kind = flowOf(word);
    offsets[index] = at;
    flows[index] = kind;
    if (!stackEscapes) stackEscapes = makesStackPointer(word);
    if (kind === flow.indirect) indirectJumps.push(index);
    const target = targetOf(word, start + at);
    if (target === undefined) continue;
    targets.set(index, target);
    if (kind === flow.call) continue;
    const list = jumps.get(target - start);
    if (list) list.push(index);
    else jumps.set(target - start, [index]);
  }
  // Half an instruction at the end.
  if (hasInvalid) {
    offsets[whole] = whole * 4;
    flows[whole] = flow.invalid;
  }
  offsets[count] = bytes.length;
  const tableTargets = new Map<number, number[]>();
  for (const index of indirectJumps) {
    for (const target of findJumpTargets(executable, region, index)) {
      const list = tableTargets.get(target);
      if (list) list.push(index);
      else tableTargets.set(target, [index]);
    }
  }
  return { count, offsets, flows, jumps, targets, indirectJumps, tableTargets, hasInvalid, stackEscapes };
}

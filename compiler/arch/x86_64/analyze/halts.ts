/**
 * The places where a program runs `hlt`.
 *
 * Owns: finding them with proof. On Linux the instruction faults, as it is privileged (musl crashes by it); in ring 0 it only waits, so the
 * image gets `haltReplacement` there, of which libos/arch/x86_64/syscall.c makes the signal that Linux sends.
 * Rule: only in a function that decodes from its beginning to its end without an invalid byte, whose direct jumps all land on instructions, where
 * control can come from the instruction before or by such a jump, and where no pointer relative to the program counter leads to data inside the function.
 * All else stays as it is.
 */
import { Mnemonic } from 'iced-x86';
import { type AnalysisIsa, type Code, findHolder, flow, type Region } from '../../analysis-isa.ts';
import type { EffectReader } from './effects.ts';

const hlt = 0xf4;
/** AAA: one byte, invalid in 64-bit mode. */
const haltReplacement = 0x37;
/** More code than this is not looked through: it would have to be decoded as a whole. */
const mostCode = 4 << 20;

/** Offsets in the file, ascending. */
export const findHalts: AnalysisIsa['findHalts'] = (executable, ranges, regions, codeOf, reader) => {
  const found: number[] = [];
  if (ranges.reduce((sum, { bytes }) => sum + bytes.length, 0) > mostCode) return found;
  for (const region of regions) {
    if (!region.isFunction || !region.isEntry || !region.bytes.includes(hlt)) continue;
    for (const offset of haltsOf(codeOf(region), region, reader as EffectReader)) found.push(region.bytes.byteOffset - executable.bytes.byteOffset + offset);
  }
  return found.sort((a, b) => a - b);
};

/** A copy of the program whose halts fault; the program itself when it has none. */
export function replaceHalts(program: Uint8Array, halts: readonly number[]): Uint8Array {
  if (halts.length === 0) return program;
  const copy = Uint8Array.from(program);
  for (const offset of halts) copy[offset] = haltReplacement;
  return copy;
}

function haltsOf(code: Code, region: Region, reader: EffectReader): number[] {
  const isStart = (offset: number) => code.offsets[findHolder(code, offset)] === offset;
  const lands = (offset: number) => offset < 0 || offset >= region.bytes.length || isStart(offset);
  if (code.hasInvalid || ![...code.jumps.keys(), ...code.tableTargets.keys()].every(lands)) return [];
  const halts: number[] = [];
  for (let index = 0; index < code.count; index++) {
    const offset = code.offsets[index] as number;
    const instruction = reader.decode(region.bytes, offset);
    // Data between the instructions of a function would be found by a pointer like this.
    if (instruction.isIpRelMemoryOperand) {
      const target = Number(instruction.ipRelMemoryAddress - instruction.nextIP) + offset + instruction.length;
      if (target >= 0 && target < region.bytes.length && !(instruction.mnemonic === Mnemonic.Lea && isStart(target))) return [];
    }
    if (instruction.mnemonic !== Mnemonic.Hlt || instruction.length !== 1) continue;
    const before = index > 0 ? code.flows[index - 1] : flow.next;
    const comes = before === flow.next || before === flow.branch || before === flow.call || code.jumps.has(offset);
    if (comes) halts.push(offset);
  }
  return halts;
}

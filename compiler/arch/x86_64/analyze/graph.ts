/**
 * What the instructions of x86-64 refer to, for the call graph. An operand relative to the instruction pointer is a word that is read or an address that
 * is made. In a region that does not decode cleanly each byte that could begin a reference counts as one.
 */
import { Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind } from 'iced-x86';
import type { AnalysisIsa, EdgeScan, Region } from '../../analysis-isa.ts';

export const readEdges: AnalysisIsa['readEdges'] = (_executable, region, index, scan) => {
  if (!readInstructions(region, index, scan)) scanBytes(region, index, scan);
};

/** False when the bytes do not decode cleanly; what was told until then stands. */
function readInstructions(region: Region, index: number, scan: EdgeScan): boolean {
  const { bytes, start } = region;
  const instruction = new Instruction();
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  decoder.ip = BigInt(start);
  try {
    for (let at = 0; at < bytes.length; ) {
      decoder.decodeOut(instruction);
      const { length, flowControl } = instruction;
      if (flowControl === FlowControl.Exception && instruction.isInvalid) return false;
      const site = start + at;
      const end = at + length;
      if (isNearBranch(flowControl) && instruction.op0Kind === OpKind.NearBranch64) {
        const target = Number(instruction.nearBranchTarget);
        if (target < start || target >= region.end) scan.lead(index, target, site, 'call');
      } else if (mayReferToRip(bytes, at, end) && instruction.isIpRelMemoryOperand) {
        const target = Number(instruction.ipRelMemoryAddress);
        if (instruction.mnemonic === Mnemonic.Lea) scan.refer(index, target, site);
        const isCall = flowControl === FlowControl.IndirectCall || flowControl === FlowControl.IndirectBranch;
        scan.readSlot(index, target, site, isCall ? 'call' : 'taken');
      }
      at = end;
    }
  } finally {
    decoder.free();
    instruction.free();
  }
  return true;
}

const isNearBranch = (flow: FlowControl) =>
  flow === FlowControl.Call || flow === FlowControl.UnconditionalBranch || flow === FlowControl.ConditionalBranch;

/** ModRM with the mode of rip-relative operands; somewhere in the instruction, for all that the bytes tell. */
function mayReferToRip(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start + 1; at + 4 < end; at++) if (((bytes[at] as number) & 0xc7) === 0x05) return true;
  return false;
}

/** For bytes that are not all code: whatever could be a reference is one. */
function scanBytes(region: Region, index: number, scan: EdgeScan): void {
  const { bytes, start } = region;
  const { low, high } = scan;
  for (let at = 1; at + 4 <= bytes.length; at++) {
    const before = bytes[at - 1] as number;
    const distance = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
    const target = start + at + 4 + distance;
    const isJump = before === 0xe8 || before === 0xe9 || (before & 0xf0) === 0x80;
    if (isJump && target >= low && target < high) scan.lead(index, target, start + at - 1, 'taken');
    if ((before & 0xc7) !== 0x05) continue;
    scan.refer(index, target, start + at - 2);
    // An immediate of 1, 2 or 4 bytes may stand behind the distance.
    for (const word of [target, target + 1, target + 2, target + 4]) scan.readSlot(index, word, start + at - 2, 'taken');
  }
}

/** `jmp *word(%rip)`; bnd jmp; endbr64 before either. */
export const findStubs: AnalysisIsa['findStubs'] = ({ bytes, start }, isSlot) => {
  const stubs: { word: number; starts: number[] }[] = [];
  const code = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = code.indexOf('\xff\x25', 0, 'latin1'); at >= 0 && at + 6 <= code.length; at = code.indexOf('\xff\x25', at + 1, 'latin1')) {
    const word = start + at + 6 + code.readInt32LE(at + 2);
    if (!isSlot(word)) continue;
    const isBound = code[at - 1] === 0xf2;
    const isMarked = (offset: number) => offset >= 4 && code.readUInt32LE(offset - 4) === 0xfa1e0ff3;
    const first = isBound ? at - 1 : at;
    const starts = isMarked(first) ? [first, first - 4] : [first];
    // A tail call in a function looks the same: a stub is aligned.
    if ((start + (starts.at(-1) as number)) % 8 !== 0) continue;
    stubs.push({ word, starts: starts.map((offset) => start + offset) });
  }
  return stubs;
};

/** Nothing but no-ops, int3 and zero bytes. */
export function isPadding(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] as number;
    if (byte === 0x90 || byte === 0xcc || byte === 0 || byte === 0x66 || byte === 0x2e) at++;
    else if (byte === 0x0f && bytes[at + 1] === 0x1f) {
      // nop with an operand: ModRM, perhaps SIB, perhaps a displacement.
      const modrm = bytes[at + 2] ?? 0;
      const mode = modrm >> 6;
      if (mode === 3) return false;
      at += 3 + ((modrm & 7) === 4 ? 1 : 0) + (mode === 1 ? 1 : mode === 2 ? 4 : 0);
    } else return false;
  }
  return true;
}

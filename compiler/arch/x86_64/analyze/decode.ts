/** The instructions of a region of x86-64 code, by iced-x86. */
import { Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register } from 'iced-x86';
import { type Code, type Executable, flow, type Region } from '../../analysis-isa.ts';

export function decodeRegion(executable: Executable, region: Region): Code {
  const { bytes, start } = region;
  const offsets = new Uint32Array(bytes.length + 1);
  const flows = new Uint8Array(bytes.length);
  const jumps = new Map<number, number[]>();
  const targets = new Map<number, number>();
  const indirectJumps: number[] = [];
  const tables: number[] = [];
  let hasInvalid = false;
  let stackEscapes = false;
  let count = 0;
  let at = 0;
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const instruction = new Instruction();
  decoder.ip = BigInt(start);
  while (at < bytes.length) {
    decoder.decodeOut(instruction);
    offsets[count] = at;
    let kind: number = flow.next;
    switch (instruction.flowControl) {
      case FlowControl.Next:
      case FlowControl.XbeginXabortXend:
        break;
      case FlowControl.UnconditionalBranch:
      case FlowControl.ConditionalBranch: {
        kind = instruction.flowControl === FlowControl.UnconditionalBranch ? flow.jump : flow.branch;
        const target = Number(instruction.nearBranchTarget);
        targets.set(count, target);
        const list = jumps.get(target - start);
        if (list) list.push(count);
        else jumps.set(target - start, [count]);
        break;
      }
      case FlowControl.Call:
        kind = instruction.isCallNear ? flow.call : flow.next; // syscall counts as a call in iced
        if (kind === flow.call) targets.set(count, Number(instruction.nearBranchTarget));
        break;
      case FlowControl.IndirectCall:
        kind = flow.call;
        break;
      case FlowControl.IndirectBranch:
        kind = flow.indirect;
        indirectJumps.push(count);
        break;
      case FlowControl.Return:
        kind = flow.end;
        break;
      case FlowControl.Exception:
        kind = instruction.isInvalid ? flow.invalid : flow.halt;
        if (kind === flow.invalid) hasInvalid = true;
        break;
      case FlowControl.Interrupt:
        break;
    }
    if (instruction.mnemonic === Mnemonic.Hlt) kind = flow.next;
    const isLea = instruction.mnemonic === Mnemonic.Lea;
    if (isLea && instruction.isIpRelMemoryOperand) tables.push(Number(instruction.ipRelMemoryAddress));
    if (!stackEscapes) stackEscapes = makesStackPointer(instruction, isLea);
    flows[count++] = kind;
    // An invalid instruction is skipped by one byte; decoding finds its way back within a few instructions.
    if (kind === flow.invalid) {
      at += 1;
      decoder.position = at;
      decoder.ip = BigInt(start + at);
    } else {
      at += instruction.length;
    }
  }
  offsets[count] = bytes.length;
  instruction.free();
  decoder.free();
  const tableTargets = new Map(indirectJumps.length > 0 ? [...readJumpTables(executable, region, tables)].map((target) => [target, indirectJumps] as const) : []);
  return {
    count,
    offsets: offsets.slice(0, count + 1),
    flows: flows.slice(0, count),
    jumps,
    targets,
    indirectJumps,
    tableTargets,
    hasInvalid,
    stackEscapes,
  };
}

const isStackRegister = (register: number) =>
  register === Register.RSP || register === Register.ESP || register === Register.RBP || register === Register.EBP;

/** A pointer into the frame is made by lea, by a copy of rsp, or by pushing rsp; a copy of rbp may be the same. */
function makesStackPointer(instruction: Instruction, isLea: boolean): boolean {
  const isCopy = instruction.mnemonic === Mnemonic.Mov && instruction.op1Kind === OpKind.Register;
  if (!isLea && !isCopy && instruction.mnemonic !== Mnemonic.Push && instruction.mnemonic !== Mnemonic.Add) return false;
  if (isLea) return isStackRegister(instruction.memoryBase) && !isStackRegister(instruction.op0Register);
  if (instruction.mnemonic === Mnemonic.Push) return instruction.op0Register === Register.RSP;
  if (instruction.op1Kind !== OpKind.Register || !isStackRegister(instruction.op1Register)) return false;
  return instruction.op0Kind !== OpKind.Register || !isStackRegister(instruction.op0Register);
}

const mostTableEntries = 4096;

/** Jump tables of position-independent code: 32-bit distances from the table to code of the same region. */
function readJumpTables(executable: Executable, region: Region, tables: readonly number[]): Set<number> {
  const found = new Set<number>();
  const view = new DataView(executable.bytes.buffer, executable.bytes.byteOffset, executable.bytes.byteLength);
  for (const table of tables) {
    const segment = executable.segments.find((item) => table >= item.address && table < item.address + item.fileSize);
    if (!segment) continue;
    let at = segment.offset + (table - segment.address);
    const end = Math.min(segment.offset + segment.fileSize, at + 4 * mostTableEntries);
    for (; at + 4 <= end; at += 4) {
      const target = table + view.getInt32(at, true);
      if (target < region.start || target >= region.end) break;
      found.add(target - region.start);
    }
  }
  return found;
}

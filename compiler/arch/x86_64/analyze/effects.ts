/**
 * What one instruction does to one tracked value, seen backwards.
 *
 * Owns: the meaning of x86-64 instructions as far as constants travel: moves, pushes and pops, arithmetic on constants, conditional moves.
 * A location is a register 0..15 (rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 …) or a stack slot; the kernel reads a call's number from eax, and all arithmetic
 * here (add, sub, and, or, xor, neg, shl, lea) gives the same low 32 bits at any width.
 * Addresses count as constants only where the caller says where the code lies, for programs that lie below 4 GiB.
 * Rule: what is not known for certain is `unknown`, never a guess. Assumes the System V ABI at calls: rbx, rbp, rsp, r12..r15 survive.
 */
import {
  ConditionCode,
  Decoder,
  DecoderOptions,
  FlowControl,
  Instruction,
  InstructionInfoFactory,
  Mnemonic,
  OpAccess,
  OpKind,
  Register,
  type UsedRegister,
} from 'iced-x86';
import {
  baseOfSlot,
  type CallConvention,
  type CodeReader,
  displacementOfSlot,
  type GateKind,
  isSlot,
  type Location,
  makeSlot,
  moved,
  readFromMemory,
  shiftSlot,
  type Step,
  unknown,
} from '../../analysis-isa.ts';

const rax = 0;
const rcx = 1;
const rsp = 4;
const rbp = 5;
const r11 = 11;

const calleeSaved = new Set([3, 4, 5, 12, 13, 14, 15]);

/** 0..15 for the 32- and 64-bit general registers, else -1. */
function wideRegister(register: number): number {
  if (register >= Register.RAX && register <= Register.R15) return register - Register.RAX;
  if (register >= Register.EAX && register <= Register.R15D) return register - Register.EAX;
  return -1;
}

/** 0..15 for any part of a general register, else -1. */
function wholeRegister(register: number): number {
  if (register >= Register.AX && register <= Register.R15W) return register - Register.AX;
  if (register >= Register.AL && register <= Register.BL) return register - Register.AL;
  if (register >= Register.AH && register <= Register.BH) return register - Register.AH;
  if (register >= Register.SPL && register <= Register.R15L) return register - Register.SPL + 4;
  return wideRegister(register);
}

/** Mask of a register's low part, 0 for the high bytes. */
function lowMask(register: number): number {
  if (register >= Register.AX && register <= Register.R15W) return 0xffff;
  if (register >= Register.AH && register <= Register.BH) return 0;
  if (register >= Register.AL && register <= Register.R15L) return 0xff;
  return wideRegister(register) >= 0 ? 0xffffffff : 0;
}

const isImmediate = (kind: number) => kind >= OpKind.Immediate8 && kind <= OpKind.Immediate32to64;

/** Decodes single instructions again, when a trace passes them. One per analysis. */
export class EffectReader implements CodeReader {
  #instruction = new Instruction();
  #info = new InstructionInfoFactory();
  #decoder: Decoder | undefined;
  #bytes: Uint8Array | undefined;
  #convention: CallConvention;
  /** While addresses are traced: what is added to a region's offsets. Else an address is no constant. */
  #addressBase: number | undefined;

  constructor(convention: CallConvention) {
    this.#convention = convention;
  }

  free(): void {
    this.#decoder?.free();
    this.#instruction.free();
    this.#info.free();
  }

  /** The instruction at `offset` of a region's bytes. Valid until the next call. Its addresses count from where the decoder began. */
  decode(bytes: Uint8Array, offset: number): Instruction {
    if (this.#bytes !== bytes) {
      this.#decoder?.free();
      this.#decoder = new Decoder(64, bytes, DecoderOptions.None);
      this.#bytes = bytes;
    }
    const decoder = this.#decoder as Decoder;
    decoder.position = offset;
    decoder.decodeOut(this.#instruction);
    return this.#instruction;
  }

  isPadding(bytes: Uint8Array, offset: number): boolean {
    const { mnemonic } = this.decode(bytes, offset);
    return mnemonic === Mnemonic.Nop || mnemonic === Mnemonic.Int3;
  }

  /** Prefixes may stand before the gate's own bytes; an operand that happens to hold them comes at the end of something else. */
  isGate(bytes: Uint8Array, offset: number, size: number, gate: number, kind: GateKind): boolean {
    const { mnemonic } = this.decode(bytes, offset);
    const isOfKind = kind === 'syscall' ? mnemonic === Mnemonic.Syscall : mnemonic === (bytes[gate] === 0xcd ? Mnemonic.Int : Mnemonic.Sysenter);
    return isOfKind && offset + size === gate + 2;
  }

  stepBack(bytes: Uint8Array, offset: number, location: Location, stackEscapes: boolean, addressBase?: number): Step {
    const instruction = this.decode(bytes, offset);
    this.#addressBase = addressBase === undefined ? undefined : addressBase + offset + instruction.length;
    if (instruction.isInvalid) return unknown('undecodable bytes');
    const isCall =
      instruction.flowControl === FlowControl.Call || instruction.flowControl === FlowControl.IndirectCall;
    if (isCall) return this.#passCall(instruction, location, stackEscapes);
    return isSlot(location)
      ? this.#slotBefore(instruction, location, stackEscapes)
      : this.#registerBefore(instruction, location);
  }

  #passCall(instruction: Instruction, location: Location, stackEscapes: boolean): Step {
    const mnemonic = instruction.mnemonic;
    if (mnemonic === Mnemonic.Syscall || mnemonic === Mnemonic.Sysenter) {
      const clobbered = location === rax || location === rcx || location === r11;
      if (clobbered) return unknown('the result of a system call');
      return isSlot(location) && stackEscapes ? unknown('memory that a system call may write') : moved(location);
    }
    if (!this.#convention.preservesAcrossCalls) return unknown('the result of a function');
    if (isSlot(location)) return stackEscapes ? unknown('memory that a function may write') : moved(location);
    return calleeSaved.has(location) ? moved(location) : unknown('the result of a function');
  }

  #registerBefore(instruction: Instruction, location: Location): Step {
    const { mnemonic, op0Kind } = instruction;
    const target = op0Kind === OpKind.Register ? wholeRegister(instruction.op0Register) : -1;
    if (target === location && instruction.opCount > 0) {
      const step = this.#writeOf(instruction, mnemonic, location);
      if (step) return step;
    }
    if (mnemonic === Mnemonic.Xchg && instruction.op1Kind === OpKind.Register && op0Kind === OpKind.Register) {
      const other = wideRegister(instruction.op0Register);
      if (wideRegister(instruction.op1Register) === location && other >= 0) return moved(other);
    }
    return this.#writesRegister(instruction, location)
      ? unknown(`computed by ${Mnemonic[mnemonic]?.toLowerCase()}`)
      : moved(location);
  }

  /** Instructions whose first operand is the tracked register and whose result is understood; undefined for all others. */
  #writeOf(instruction: Instruction, mnemonic: Mnemonic, location: Location): Step | undefined {
    const isWide = wideRegister(instruction.op0Register) === location;
    const isCopy = mnemonic === Mnemonic.Mov || mnemonic === Mnemonic.Movzx;
    if (isCopy || mnemonic === Mnemonic.Movsx || mnemonic === Mnemonic.Movsxd) {
      return this.#copyTo(instruction, mnemonic, location, isWide);
    }
    if (!isWide) {
      const isSet = instruction.conditionCode !== ConditionCode.None && instruction.opCount === 1;
      if (isSet && lowMask(instruction.op0Register) === 0xff) {
        return { kind: 'computed', from: [location], compute: (old) => [old & ~0xff, (old & ~0xff) | 1] };
      }
      return undefined;
    }
    switch (mnemonic) {
      case Mnemonic.Pop:
        return moved(makeSlot(rsp, 0));
      case Mnemonic.Lea:
        return this.#leaOf(instruction);
      case Mnemonic.Inc:
        return { kind: 'computed', from: [location], compute: (old) => [old + 1] };
      case Mnemonic.Dec:
        return { kind: 'computed', from: [location], compute: (old) => [old - 1] };
      case Mnemonic.Neg:
        return { kind: 'computed', from: [location], compute: (old) => [-old] };
      case Mnemonic.Not:
        return { kind: 'computed', from: [location], compute: (old) => [~old] };
      case Mnemonic.Xchg: {
        const other = instruction.op1Kind === OpKind.Register ? wideRegister(instruction.op1Register) : -1;
        return other >= 0 ? moved(other) : undefined;
      }
    }
    if (instruction.opCount !== 2) return undefined;
    if (instruction.conditionCode !== ConditionCode.None) {
      const source = this.#sourceOf(instruction);
      return source === undefined ? undefined : { kind: 'either', locations: [location, source] };
    }
    return this.#arithmeticOf(instruction, mnemonic, location);
  }

  #copyTo(instruction: Instruction, mnemonic: Mnemonic, location: Location, isWide: boolean): Step | undefined {
    if (!isWide) {
      const mask = lowMask(instruction.op0Register);
      if (mnemonic !== Mnemonic.Mov || mask === 0 || !isImmediate(instruction.op1Kind)) return undefined;
      const low = this.#immediate(instruction) & mask;
      return { kind: 'computed', from: [location], compute: (old) => [(old & ~mask) | low] };
    }
    if (isImmediate(instruction.op1Kind)) {
      const isLong = instruction.op1Kind === OpKind.Immediate64 && instruction.immediate(1) > 0xffffffffn;
      if (isLong && this.#addressBase !== undefined) return unknown('a number of more than 32 bits');
      return { kind: 'values', values: [this.#immediate(instruction)] };
    }
    if (instruction.op1Kind === OpKind.Register) {
      const source = instruction.op1Register;
      const from = wholeRegister(source);
      const mask = lowMask(source);
      if (from < 0 || mask === 0) return undefined;
      if (mask === 0xffffffff) return moved(from);
      const shift = mask === 0xff ? 24 : 16;
      const isSigned = mnemonic === Mnemonic.Movsx;
      return {
        kind: 'computed',
        from: [from],
        compute: (old) => [isSigned ? (old << shift) >> shift : old & mask],
      };
    }
    const source = mnemonic === Mnemonic.Mov || mnemonic === Mnemonic.Movsxd ? this.#sourceOf(instruction) : undefined;
    return source === undefined ? unknown(readFromMemory) : moved(source);
  }

  /** The second operand as a location: a wide register or a plain stack slot. */
  #sourceOf(instruction: Instruction): Location | undefined {
    if (instruction.op1Kind === OpKind.Register) {
      const register = wideRegister(instruction.op1Register);
      return register < 0 ? undefined : register;
    }
    return instruction.op1Kind === OpKind.Memory ? this.#slotOf(instruction) : undefined;
  }

  #slotOf(instruction: Instruction): Location | undefined {
    const base = instruction.memoryBase;
    if (base !== Register.RSP && base !== Register.RBP) return undefined;
    if (instruction.memoryIndex !== Register.None || instruction.segmentPrefix !== Register.None) return undefined;
    const displacement = Number(BigInt.asIntN(64, instruction.memoryDisplacement));
    if (displacement < -0x400000 || displacement > 0x400000) return undefined;
    return makeSlot(base - Register.RAX, displacement);
  }

  #immediate(instruction: Instruction): number {
    return Number(BigInt.asIntN(32, instruction.immediate(1)));
  }

  #leaOf(instruction: Instruction): Step | undefined {
    if (instruction.isIpRelMemoryOperand) {
      if (this.#addressBase === undefined) return unknown('an address');
      const distance = Number(BigInt.asIntN(32, instruction.memoryDisplacement - instruction.nextIP));
      return { kind: 'values', values: [this.#addressBase + distance] };
    }
    const displacement = Number(BigInt.asIntN(32, instruction.memoryDisplacement));
    const base = wideRegister(instruction.memoryBase);
    const index = wideRegister(instruction.memoryIndex);
    const scale = instruction.memoryIndexScale;
    if (base === rsp || (base < 0 && instruction.memoryBase !== Register.None)) return unknown('an address');
    if (base < 0 && index < 0) return { kind: 'values', values: [displacement] };
    if (index < 0) return { kind: 'computed', from: [base], compute: (first) => [first + displacement] };
    if (base < 0) {
      return { kind: 'computed', from: [index], compute: (first) => [Math.imul(first, scale) + displacement] };
    }
    return {
      kind: 'computed',
      from: [base, index],
      compute: (first, second) => [first + Math.imul(second, scale) + displacement],
    };
  }

  #arithmeticOf(instruction: Instruction, mnemonic: Mnemonic, location: Location): Step | undefined {
    const isRegister = instruction.op1Kind === OpKind.Register;
    const other = isRegister ? wideRegister(instruction.op1Register) : -1;
    if (other === location) {
      if (mnemonic === Mnemonic.Xor || mnemonic === Mnemonic.Sub) return { kind: 'values', values: [0] };
      if (mnemonic === Mnemonic.Sbb) return { kind: 'values', values: [0, -1] };
      if (mnemonic === Mnemonic.And || mnemonic === Mnemonic.Or) return moved(location);
    }
    const compute = arithmetic(mnemonic);
    if (!compute) return undefined;
    if (isImmediate(instruction.op1Kind)) {
      const value = this.#immediate(instruction);
      if (mnemonic === Mnemonic.Or && value === -1) return { kind: 'values', values: [-1] };
      if (mnemonic === Mnemonic.And && value === 0) return { kind: 'values', values: [0] };
      return { kind: 'computed', from: [location], compute: (old) => [compute(old, value)] };
    }
    if (other < 0 || mnemonic === Mnemonic.Shl || mnemonic === Mnemonic.Sal) return undefined;
    return { kind: 'computed', from: [location, other], compute: (first, second) => [compute(first, second)] };
  }

  #writesRegister(instruction: Instruction, location: Location): boolean {
    const info = this.#info.info(instruction);
    let writes = false;
    for (const used of info.usedRegisters() as UsedRegister[]) {
      const { access, register } = used;
      const isWrite = access >= OpAccess.Write && access <= OpAccess.ReadCondWrite;
      if (isWrite && wholeRegister(register) === location) writes = true;
      used.free();
    }
    info.free();
    return writes;
  }

  #slotBefore(instruction: Instruction, location: Location, stackEscapes: boolean): Step {
    const base = baseOfSlot(location);
    const displacement = displacementOfSlot(location);
    const { mnemonic } = instruction;
    if (mnemonic === Mnemonic.Push) {
      if (base !== rsp) return displacement < 0 ? unknown('a stack slot below a push') : moved(location);
      if (instruction.op0Register === Register.None && !isImmediate(instruction.op0Kind)) {
        return displacement === 0 ? unknown(readFromMemory) : shiftSlot(location, -8);
      }
      if (displacement !== 0) return shiftSlot(location, -8);
      if (instruction.op0Kind === OpKind.Register) {
        const register = wideRegister(instruction.op0Register);
        return register < 0 ? unknown('a pushed segment register') : moved(register);
      }
      return { kind: 'values', values: [Number(BigInt.asIntN(32, instruction.immediate(0)))] };
    }
    if (mnemonic === Mnemonic.Pop && instruction.op0Kind === OpKind.Register) {
      if (wideRegister(instruction.op0Register) === base) return unknown('a stack slot of another frame');
      return base === rsp ? shiftSlot(location, 8) : moved(location);
    }
    if (mnemonic === Mnemonic.Leave) {
      return base === rsp ? moved(makeSlot(rbp, displacement + 8)) : unknown('a stack slot of another frame');
    }
    const written = instruction.op0Kind === OpKind.Register ? wholeRegister(instruction.op0Register) : -1;
    if (written === base && this.#writesRegister(instruction, base)) {
      return this.#frameChange(instruction, mnemonic, location);
    }
    if (mnemonic === Mnemonic.Pop) return unknown('a stack slot below a pop to memory');
    if (instruction.op0Kind === OpKind.Memory) return this.#store(instruction, mnemonic, location, stackEscapes);
    if (this.#writesRegister(instruction, base)) return unknown('a stack pointer that is not followed');
    const writesByPointer = instruction.isStringInstruction || isSaveInstruction(mnemonic);
    return writesByPointer && stackEscapes ? unknown('memory written through a pointer') : moved(location);
  }

  /** The slot's base register changes: sub/add/lea/mov between rsp and rbp. */
  #frameChange(instruction: Instruction, mnemonic: Mnemonic, location: Location): Step {
    const base = baseOfSlot(location);
    const isWide = instruction.op0Register === Register.RSP || instruction.op0Register === Register.RBP;
    if (isWide && isImmediate(instruction.op1Kind)) {
      if (mnemonic === Mnemonic.Sub) return shiftSlot(location, -this.#immediate(instruction));
      if (mnemonic === Mnemonic.Add) return shiftSlot(location, this.#immediate(instruction));
    }
    if (isWide && mnemonic === Mnemonic.Mov && instruction.op1Kind === OpKind.Register) {
      const source = instruction.op1Register - Register.RAX;
      if (source === rsp || source === rbp) return moved(makeSlot(source, displacementOfSlot(location)));
    }
    if (isWide && mnemonic === Mnemonic.Lea) {
      const slot = this.#slotOf(instruction);
      if (slot !== undefined) return shiftSlot(slot, displacementOfSlot(location));
    }
    return unknown(base === rsp ? 'a realigned stack' : 'a stack slot of another frame');
  }

  #store(instruction: Instruction, mnemonic: Mnemonic, location: Location, stackEscapes: boolean): Step {
    const info = this.#info.info(instruction);
    const access = info.op0Access;
    info.free();
    if (access < OpAccess.Write || access > OpAccess.ReadCondWrite) return moved(location);
    const memoryBase = instruction.memoryBase;
    if (memoryBase !== Register.RSP && memoryBase !== Register.RBP) {
      return stackEscapes ? unknown('memory written through a pointer') : moved(location);
    }
    const slot = this.#slotOf(instruction);
    if (slot === undefined || baseOfSlot(slot) !== baseOfSlot(location)) return unknown('an indexed stack slot');
    const at = displacementOfSlot(slot);
    const wanted = displacementOfSlot(location);
    const isMove = mnemonic === Mnemonic.Mov;
    const register = instruction.op1Kind === OpKind.Register ? wideRegister(instruction.op1Register) : -1;
    const isWideImmediate =
      instruction.op1Kind === OpKind.Immediate32 || instruction.op1Kind === OpKind.Immediate32to64;
    if (at === wanted && isMove && register >= 0) return moved(register);
    if (at === wanted && isMove && isWideImmediate) {
      return { kind: 'values', values: [this.#immediate(instruction)] };
    }
    // No store that keeps a constant elsewhere is wider than a vector register.
    const widest = isMove ? 8 : isSaveInstruction(mnemonic) ? 0x4000 : 64;
    if (at >= wanted + 4 || at + widest <= wanted) return moved(location);
    return unknown('a stack slot that is written in part');
  }
}

const isSaveInstruction = (mnemonic: Mnemonic) =>
  mnemonic === Mnemonic.Fxsave || mnemonic === Mnemonic.Xsave || mnemonic === Mnemonic.Cmpxchg16b;

function arithmetic(mnemonic: Mnemonic): ((first: number, second: number) => number) | undefined {
  switch (mnemonic) {
    case Mnemonic.Add:
      return (first, second) => first + second;
    case Mnemonic.Sub:
      return (first, second) => first - second;
    case Mnemonic.And:
      return (first, second) => first & second;
    case Mnemonic.Or:
      return (first, second) => first | second;
    case Mnemonic.Xor:
      return (first, second) => first ^ second;
    case Mnemonic.Shl:
    case Mnemonic.Sal:
      return (first, second) => first << (second & 31);
    default:
      return undefined;
  }
}

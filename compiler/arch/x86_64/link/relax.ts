/**
 * Rewriting of x86-64 instructions at link time: loads from the GOT become the address itself, and every TLS access
 * becomes local-exec, since all images and executables that we make are static.
 *
 * Specification: AMD64 psABI, appendix B "Linker Optimization"; U. Drepper, "ELF Handling For Thread-Local Storage";
 * A. Oliva, "Thread-Local Storage Descriptors". Bytes that do not look as these say are left alone (GOT) or refused (TLS).
 */
import { Expression, type Plan, type PlanInput, type RelocationKind, type RewriteInput } from '../../link-isa.ts';
import { R_GOTPCREL, R_GOTPCRELX, R_GOTTPOFF, R_PC32, R_PLT32, R_PLTOFF64, R_REX_GOTPCRELX, Tls } from './relocations.ts';

const Rewrite = {
  /** mov foo@GOTPCREL(%rip), r -> lea foo(%rip), r */
  load: 32,
  /** call/jmp *foo@GOTPCREL(%rip) -> call/jmp foo */
  call: 33,
  jump: 34,
  /** mov/lea of a constant -> mov $imm32, r */
  constant: 35,
  /** test/add/… foo@GOTPCREL(%rip), r -> the same with $imm32 */
  testImmediate: 36,
  arithmeticImmediate: 37,
  generalDynamic: 40,
  generalDynamicLarge: 41,
  localDynamic: 42,
  localDynamicIndirect: 43,
  localDynamicLarge: 44,
  initialExecMove: 45,
  initialExecAdd: 46,
  descriptor: 47,
  descriptorCall: 48,
} as const;

const byte = (data: Uint8Array, at: number): number => (at >= 0 && at < data.length ? (data[at] as number) : -1);

function matches(data: Uint8Array, at: number, pattern: readonly number[]): boolean {
  return pattern.every((value, i) => byte(data, at + i) === value);
}

export function plan(input: PlanInput, kind: RelocationKind, out: Plan): void {
  out.expression = kind.expression;
  out.skipNext = false;
  delete out.problem;
  switch (kind.expression) {
    case Expression.slotRelative:
      if (input.type === R_GOTPCRELX || input.type === R_REX_GOTPCRELX) planSlot(input, out);
      else if (input.type === R_GOTPCREL && input.constant && input.movable) planConstantLoad(input, out);
      return;
    case Expression.relative:
      if (input.constant && input.movable) planConstantRelative(input, out);
      return;
    case Expression.blockOffset:
      // In code the base is what local-dynamic left in %rax: the thread pointer, once rewritten.
      out.expression = Expression.threadOffset;
      return;
    case Expression.threadSlotRelative:
      if (input.type === R_GOTTPOFF) planInitialExec(input, out);
      return;
    case Tls.generalDynamic:
      planGeneralDynamic(input, out);
      return;
    case Tls.localDynamic:
      planLocalDynamic(input, out);
      return;
    case Tls.descriptor:
      if (
        byte(input.data, input.offset - 2) === 0x8d &&
        (byte(input.data, input.offset - 3) & 0xfb) === 0x48 &&
        (byte(input.data, input.offset - 1) & 0xc7) === 0x05
      ) {
        out.expression = Rewrite.descriptor;
      } else out.problem = 'its instruction is not lea x@tlsdesc(%rip), %reg';
      return;
    case Tls.descriptorCall:
      if (matches(input.data, input.offset, [0xff, 0x10])) out.expression = Rewrite.descriptorCall;
      else out.problem = 'its instruction is not call *x@tlscall(%rax)';
      return;
  }
}

function planSlot(input: PlanInput, out: Plan): void {
  const { data, offset } = input;
  if (input.addend !== -4 || input.ifunc) return;
  const opcode = byte(data, offset - 2);
  const modrm = byte(data, offset - 1);
  if (input.type === R_GOTPCRELX && opcode === 0xff && (modrm === 0x15 || modrm === 0x25)) {
    if (input.constant && input.movable) return;
    out.expression = modrm === 0x15 ? Rewrite.call : Rewrite.jump;
    return;
  }
  if ((modrm & 0xc7) !== 0x05) return;
  if (opcode === 0x8b) {
    if (!(input.constant && input.movable))
      out.expression = input.constant && input.type === R_REX_GOTPCRELX && input.small ? Rewrite.constant : Rewrite.load;
    else if (input.type === R_REX_GOTPCRELX && input.small) out.expression = Rewrite.constant;
    return;
  }
  if (input.type !== R_REX_GOTPCRELX || !input.small) return;
  if (input.movable && !input.constant) return;
  if (opcode === 0x85) out.expression = Rewrite.testImmediate;
  else if ((opcode & 0xc7) === 0x03) out.expression = Rewrite.arithmeticImmediate;
}

function planConstantLoad(input: PlanInput, out: Plan): void {
  if (input.addend === -4 && input.small && isRexRipOperand(input.data, input.offset) && byte(input.data, input.offset - 2) === 0x8b)
    out.expression = Rewrite.constant;
}

function isRexRipOperand(data: Uint8Array, offset: number): boolean {
  return (byte(data, offset - 3) & 0xf8) === 0x48 && (byte(data, offset - 1) & 0xc7) === 0x05;
}

/** PC-relative reference to a constant in an image that moves: the distance is not known. */
function planConstantRelative(input: PlanInput, out: Plan): void {
  const opcode = byte(input.data, input.offset - 2);
  const last = byte(input.data, input.offset - 1);
  if (input.type === R_PC32 && input.addend === -4 && opcode === 0x8d && isRexRipOperand(input.data, input.offset) && input.small) {
    out.expression = Rewrite.constant;
    return;
  }
  // A call or jump to a weak function that is not there: never taken.
  if ((input.type === R_PLT32 || input.type === R_PC32) && (last === 0xe8 || last === 0xe9 || (opcode === 0x0f && (last & 0xf0) === 0x80)))
    return;
  out.problem = 'a PC-relative reference to a constant in an image that moves';
}

function planInitialExec(input: PlanInput, out: Plan): void {
  const { data, offset } = input;
  const opcode = byte(data, offset - 2);
  if (input.addend !== -4 || !((byte(data, offset - 3) & 0xfb) === 0x48) || (byte(data, offset - 1) & 0xc7) !== 0x05) return;
  if (opcode === 0x8b) out.expression = Rewrite.initialExecMove;
  else if (opcode === 0x03) out.expression = Rewrite.initialExecAdd;
}

function planGeneralDynamic(input: PlanInput, out: Plan): void {
  const { data, offset } = input;
  const near = matches(data, offset - 4, [0x66, 0x48, 0x8d, 0x3d]);
  const direct = matches(data, offset + 4, [0x66, 0x66, 0x48, 0xe8]) || matches(data, offset + 4, [0x66, 0x48, 0x67, 0xe8]);
  const indirect = matches(data, offset + 4, [0x66, 0x48, 0xff, 0x15]);
  if (near && (direct || indirect) && offset + 12 <= data.length && input.nextDistance === 8) {
    out.expression = Rewrite.generalDynamic;
    out.skipNext = true;
    return;
  }
  // Large code model: lea x@tlsgd(%rip), %rdi; movabs $__tls_get_addr@PLTOFF, %rax; add %rbx/%r15, %rax; call *%rax
  if (
    matches(data, offset - 3, [0x48, 0x8d, 0x3d]) &&
    matches(data, offset + 4, [0x48, 0xb8]) &&
    input.nextType === R_PLTOFF64 &&
    offset + 19 <= data.length
  ) {
    out.expression = Rewrite.generalDynamicLarge;
    out.skipNext = true;
    return;
  }
  out.problem = 'not the instruction sequence of the general dynamic TLS model';
}

function planLocalDynamic(input: PlanInput, out: Plan): void {
  const { data, offset } = input;
  out.skipNext = true;
  if (matches(data, offset - 3, [0x48, 0x8d, 0x3d])) {
    if (byte(data, offset + 4) === 0xe8 && offset + 9 <= data.length && input.nextDistance === 5) {
      out.expression = Rewrite.localDynamic;
      return;
    }
    if (
      (matches(data, offset + 4, [0xff, 0x15]) || matches(data, offset + 4, [0x67, 0xe8])) &&
      offset + 10 <= data.length &&
      input.nextDistance === 6
    ) {
      out.expression = Rewrite.localDynamicIndirect;
      return;
    }
    if (matches(data, offset + 4, [0x48, 0xb8]) && input.nextType === R_PLTOFF64 && offset + 19 <= data.length) {
      out.expression = Rewrite.localDynamicLarge;
      return;
    }
  }
  out.problem = 'not the instruction sequence of the local dynamic TLS model';
}

const fits = (value: number): boolean => value >= -0x8000_0000 && value <= 0x7fff_ffff;

function put(view: DataView, at: number, bytes: readonly number[]): void {
  bytes.forEach((value, i) => {
    view.setUint8(at + i, value);
  });
}

/** mov %fs:0, %rax */
const LOAD_THREAD_POINTER = [0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0] as const;

export function rewrite(expression: number, input: RewriteInput): number | undefined {
  const { view, at } = input;
  const store = (position: number, value: number): number | undefined => {
    view.setInt32(position, value, true);
    return fits(value) ? undefined : value;
  };
  const modrm = at > 0 ? view.getUint8(at - 1) : 0;
  const register = (modrm >> 3) & 7;
  // Moves REX.R to REX.B, where the register now is.
  const moveRex = () => {
    const rex = view.getUint8(at - 3);
    view.setUint8(at - 3, (rex & ~5) | ((rex & 4) >> 2));
  };
  switch (expression) {
    case Rewrite.load:
      view.setUint8(at - 2, 0x8d);
      return store(at, input.value - 4 - input.place);
    case Rewrite.call:
      put(view, at - 2, [0x67, 0xe8]);
      return store(at, input.value - 4 - input.place);
    case Rewrite.jump:
      view.setUint8(at - 2, 0xe9);
      view.setUint8(at + 3, 0x90);
      return store(at - 1, input.value - 3 - input.place);
    case Rewrite.constant:
      moveRex();
      put(view, at - 2, [0xc7, 0xc0 | register]);
      return store(at, input.value);
    case Rewrite.testImmediate:
      moveRex();
      put(view, at - 2, [0xf7, 0xc0 | register]);
      return store(at, input.value);
    case Rewrite.arithmeticImmediate: {
      const operation = view.getUint8(at - 2) & 0x38;
      moveRex();
      put(view, at - 2, [0x81, 0xc0 | operation | register]);
      return store(at, input.value);
    }
    case Rewrite.generalDynamic:
      put(view, at - 4, LOAD_THREAD_POINTER);
      put(view, at + 5, [0x48, 0x8d, 0x80]);
      return store(at + 8, input.threadOffset + input.addend + 4);
    case Rewrite.generalDynamicLarge:
      // 22 bytes: the two instructions take 16.
      put(view, at - 3, LOAD_THREAD_POINTER);
      put(view, at + 6, [0x48, 0x8d, 0x80]);
      put(view, at + 13, [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00]);
      return store(at + 9, input.threadOffset + input.addend + 4);
    case Rewrite.localDynamic:
      put(view, at - 3, [0x66, 0x66, 0x66, ...LOAD_THREAD_POINTER]);
      return undefined;
    case Rewrite.localDynamicIndirect:
      put(view, at - 3, [0x66, 0x66, 0x66, 0x66, ...LOAD_THREAD_POINTER]);
      return undefined;
    case Rewrite.localDynamicLarge:
      put(view, at - 3, [...LOAD_THREAD_POINTER, 0x66, 0x66, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0]);
      return undefined;
    case Rewrite.initialExecMove:
    case Rewrite.descriptor:
      moveRex();
      put(view, at - 2, [0xc7, 0xc0 | register]);
      return store(at, input.threadOffset + input.addend + 4);
    case Rewrite.initialExecAdd: {
      const rex = view.getUint8(at - 3);
      if (register === 4) {
        // add $imm32, %rsp or %r12: lea would need a SIB byte.
        moveRex();
        put(view, at - 2, [0x81, 0xc4]);
      } else {
        if (rex & 4) view.setUint8(at - 3, rex | 1);
        put(view, at - 2, [0x8d, 0x80 | (register << 3) | register]);
      }
      return store(at, input.threadOffset + input.addend + 4);
    }
    case Rewrite.descriptorCall:
      put(view, at, [0x66, 0x90]);
      return undefined;
  }
  return undefined;
}

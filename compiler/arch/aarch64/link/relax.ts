/**
 * Rewriting of AArch64 instructions at link time: loads from the GOT become the address itself, and every TLS access
 * becomes local-exec, since all images and executables that we make are static.
 *
 * Specification: AAELF64, chapter 5.7.12 "Relocations for thread-local storage" and its section on relaxation of
 * ADRP and LDR pairs; ELF TLS descriptors as the same document has them.
 */
import { Expression, type Plan, type PlanInput, type RelocationKind, type RewriteInput } from '../../link-isa.ts';
import { Field, storeField } from './fields.ts';
import {
  DESCRIPTOR,
  R_ADR_GOT_PAGE,
  R_CALL26,
  R_GOTTPREL_LO12,
  R_GOTTPREL_PAGE21,
  R_JUMP26,
  R_LD64_GOT_LO12_NC,
  R_TLSDESC_LD64,
  R_TLSDESC_PAGE21,
} from './relocations.ts';

const Rewrite = {
  /** adrp xN, :got:s; ldr xN, [xN, :got_lo12:s] -> adrp xN, s; add xN, xN, :lo12:s */
  load: 32,
  /** The same for a constant -> movz xN, #high, lsl 16; movk xN, #low */
  constant: 33,
  /** A call of what is weak and not there -> nop */
  nothing: 34,
  /** movz xN, #tprel_g1, lsl 16 */
  threadHigh: 35,
  /** movk xN, #tprel_g0_nc */
  threadLow: 36,
} as const;

const NOP = 0xd503201f;

function word(data: Uint8Array, at: number): number {
  if (at < 0 || at + 4 > data.length) return 0;
  return new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(at, true);
}

const isAdrp = (code: number): boolean => (code & 0x9f000000) >>> 0 === 0x90000000;
const isLoad64 = (code: number): boolean => (code & 0xffc00000) >>> 0 === 0xf9400000;

/** adrp xN followed by ldr xN, [xN]. */
function isLoadPair(data: Uint8Array, at: number): boolean {
  const page = word(data, at);
  const load = word(data, at + 4);
  return isAdrp(page) && isLoad64(load) && (load & 31) === (page & 31) && ((load >> 5) & 31) === (page & 31);
}

/** Every GOT load of the section is such a pair: a load that two pages lead to has to stay one. */
export function pairsWhole(data: Uint8Array, relocations: { count: number; offset(i: number): number; type(i: number): number }): boolean {
  for (let i = 0; i < relocations.count; i++) {
    const type = relocations.type(i);
    if (type === R_LD64_GOT_LO12_NC) return false;
    if (type !== R_ADR_GOT_PAGE) continue;
    const next = i + 1 < relocations.count && relocations.type(i + 1) === R_LD64_GOT_LO12_NC;
    if (!next || relocations.offset(i + 1) !== relocations.offset(i) + 4 || !isLoadPair(data, relocations.offset(i))) return false;
    i++;
  }
  return true;
}

export function plan(input: PlanInput, kind: RelocationKind, out: Plan): void {
  out.expression = kind.expression;
  out.skipNext = false;
  delete out.problem;
  const { type } = input;
  const code = word(input.data, input.offset);
  switch (kind.expression) {
    case Expression.relative:
    case Expression.pageRelative:
      if (!input.constant || !input.movable) return;
      if (type === R_CALL26 || type === R_JUMP26) out.expression = Rewrite.nothing;
      else out.problem = 'a PC-relative reference to a constant in an image that moves';
      return;
    case Expression.slotPageRelative:
      if (input.addend !== 0 || input.ifunc || !input.paired || !input.nextSame || type !== R_ADR_GOT_PAGE) return;
      if (input.constant && !input.smallUnsigned) return;
      out.expression = input.constant ? Rewrite.constant : Rewrite.load;
      out.skipNext = true;
      return;
    case Expression.threadSlotPageRelative:
      if (type === R_GOTTPREL_PAGE21 && isAdrp(code)) out.expression = Rewrite.threadHigh;
      else out.problem = 'its instruction is not adrp';
      return;
    case Expression.threadSlotPageOffset:
      if (type === R_GOTTPREL_LO12 && isLoad64(code)) out.expression = Rewrite.threadLow;
      else out.problem = 'its instruction is not ldr';
      return;
    case DESCRIPTOR:
      if (type === R_TLSDESC_PAGE21) out.expression = Rewrite.threadHigh;
      else if (type === R_TLSDESC_LD64) out.expression = Rewrite.threadLow;
      else out.expression = Rewrite.nothing;
  }
}

export function rewrite(expression: number, input: RewriteInput): number | undefined {
  const { view, at } = input;
  const old = view.getUint32(at, true);
  const move = (position: number, opcode: number, register: number, value: number) =>
    view.setUint32(position, (opcode | ((value & 0xffff) << 5) | register) >>> 0, true);
  const MOVZ_HIGH = 0xd2a00000;
  const MOVK_LOW = 0xf2800000;
  const thread = input.threadOffset + input.addend;
  switch (expression) {
    case Rewrite.load: {
      const register = old & 31;
      view.setUint32(at + 4, (0x91000000 | (register << 5) | register) >>> 0, true);
      const distance = BigInt(Math.floor(input.value / 4096) * 4096 - Math.floor(input.place / 4096) * 4096);
      storeField(view, at + 4, Field.low12, BigInt(input.value));
      return storeField(view, at, Field.page21, distance) ? undefined : Number(distance);
    }
    case Rewrite.constant:
      move(at, MOVZ_HIGH, old & 31, Math.floor(input.value / 65536));
      move(at + 4, MOVK_LOW, old & 31, input.value % 65536);
      return undefined;
    case Rewrite.nothing:
      view.setUint32(at, NOP, true);
      return undefined;
    case Rewrite.threadHigh:
      move(at, MOVZ_HIGH, old & 31, thread >> 16);
      return thread >= 0 && thread < 2 ** 32 ? undefined : thread;
    case Rewrite.threadLow:
      // The descriptor's ldr has another target than x0, where the sequence leaves its result; initial-exec's its own.
      move(at, MOVK_LOW, input.type === R_TLSDESC_LD64 ? 0 : old & 31, thread);
      return undefined;
  }
  return undefined;
}

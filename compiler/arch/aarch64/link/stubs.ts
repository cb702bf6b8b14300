/** Code that the linker makes for AArch64: entry points of absent system calls, jumps through a slot, and to what a branch cannot reach. */
import type { MadeCode, StubCode } from '../../link-isa.ts';
import { R_ADD_ABS_LO12_NC, R_ADR_PREL_PG_HI21, R_JUMP26, R_LDST64_ABS_LO12_NC } from './relocations.ts';

function assemble(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setUint32(i * 4, word, true);
  });
  return bytes;
}

/** Each entry: mov w0, #number; b target. */
export function absentStubs(numbers: readonly number[]): StubCode {
  return {
    bytes: assemble(numbers.flatMap((number) => [(0x52800000 | (number << 5)) >>> 0, 0x14000000])),
    entries: numbers.map((_, i) => i * 8),
    branches: numbers.map((_, i) => ({ offset: i * 8 + 4, type: R_JUMP26, addend: 0 })),
  };
}

/** adrp x16, slot; ldr x17, [x16, :lo12:slot]; br x17 */
export const slotJump: MadeCode = {
  bytes: assemble([0x90000010, 0xf9400211, 0xd61f0220]),
  relocations: [
    { offset: 0, type: R_ADR_PREL_PG_HI21, addend: 0 },
    { offset: 4, type: R_LDST64_ABS_LO12_NC, addend: 0 },
  ],
};

/** adrp x16, target; add x16, x16, :lo12:target; br x16. x16 and x17 are there for this (AAPCS64, 6.1.1). */
export const veneer: MadeCode = {
  bytes: assemble([0x90000010, 0x91000210, 0xd61f0200]),
  relocations: [
    { offset: 0, type: R_ADR_PREL_PG_HI21, addend: 0 },
    { offset: 4, type: R_ADD_ABS_LO12_NC, addend: 0 },
  ],
};

/** The door of the linker's AArch64 part. */
import type { LinkIsa } from '../../link-isa.ts';
import { syscallNames, syscallNumber } from '../syscalls.ts';
import { storeField } from './fields.ts';
import { pairsWhole, plan, rewrite } from './relax.ts';
import { R_ABS64, R_CALL26, R_IRELATIVE, R_JUMP26, R_TPREL64, relocationKind, relocationName } from './relocations.ts';
import { absentStubs, slotJump, veneer } from './stubs.ts';

/** Two words that the C library owns lie between the thread pointer and the block (variant I, AAELF64 5.7.12.1). */
const THREAD_CONTROL = 16;

export const aarch64: LinkIsa = {
  name: 'aarch64',
  machine: 183,
  pageSize: 4096,
  word64: R_ABS64,
  threadOffset64: R_TPREL64,
  irelative: R_IRELATIVE,
  kind: relocationKind,
  relocationName,
  plan,
  rewrite,
  storeField,
  pairsWhole,
  threadPointer: (start, _end, align) => start - Math.ceil(THREAD_CONTROL / align) * align,
  absentStubs,
  slotJump,
  veneer: { ...veneer, reach: 2 ** 27, branches: (type) => type === R_CALL26 || type === R_JUMP26 },
  // QEMU's machine `virt` has its RAM at 1 GiB, puts the module at the middle of it and the device tree at the next 2 MiB (qemu/hw/arm/boot.c).
  image: { entry: 'hull_image_entry', base: 0x40001000, memoryStart: 0x40000000, leastMemory: 6 << 20 },
  fill: 0,
  syscallNames,
  syscallNumber,
};

/** The door of the linker's x86-64 part. */
import type { LinkIsa } from '../../link-isa.ts';
import { syscallNames, syscallNumber } from '../syscalls.ts';
import { plan, rewrite } from './relax.ts';
import { R_64, R_IRELATIVE, R_TPOFF64, relocationKind, relocationName } from './relocations.ts';
import { absentStubs, slotJump } from './stubs.ts';

export const x86_64: LinkIsa = {
  name: 'x86_64',
  machine: 62,
  pageSize: 4096,
  word64: R_64,
  threadOffset64: R_TPOFF64,
  irelative: R_IRELATIVE,
  kind: relocationKind,
  relocationName,
  plan,
  rewrite,
  // The block ends at the thread pointer (variant II).
  threadPointer: (start, end, align) => start + Math.ceil((end - start) / align) * align,
  absentStubs,
  slotJump,
  image: { entry: 'hull_pvh_entry', base: 0x100000, memoryStart: 0, leastMemory: 0 },
  fill: 0xcc,
  syscallNames,
  syscallNumber,
};

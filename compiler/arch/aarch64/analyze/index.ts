/** What the analysis knows of AArch64. */
import { EM_AARCH64, R_AARCH64_IRELATIVE, R_AARCH64_RELATIVE } from '../../../elf/index.ts';
import type { AnalysisIsa, GateKind } from '../../analysis-isa.ts';
import { syscallNumber } from '../syscalls.ts';
import { decodeRegion } from './decode.ts';
import { WordReader } from './effects.ts';
import { findStubs, isPadding, readEdges } from './graph.ts';
import { findReferences } from './references.ts';
import { isSvc, sp, wordAt } from './words.ts';

/** `svc`, whatever its operand: Linux does not look at it. */
function findGates(bytes: Uint8Array): { offset: number; kind: GateKind }[] {
  const found: { offset: number; kind: GateKind }[] = [];
  for (let offset = 0; offset + 4 <= bytes.length; offset += 4) if (isSvc(wordAt(bytes, offset))) found.push({ offset, kind: 'syscall' });
  return found;
}

export const aarch64: AnalysisIsa = {
  name: 'aarch64',
  elfMachine: EM_AARCH64,
  alignment: 4,
  registers: { stack: sp, call: 8, callArguments: [0, 1, 2, 3, 4, 5], functionArguments: [0, 1, 2, 3, 4, 5] },
  syscallNumber,
  // Linux gives handlers a return of its own: struct sigaction has none.
  impliedCalls: { rt_sigaction: ['rt_sigreturn'] },
  returnAddressSize: 0,
  shortJumpReach: 0,
  hasAddressOperands: false,
  relativeRelocations: new Set([R_AARCH64_RELATIVE, R_AARCH64_IRELATIVE]),
  loader: { triple: 'aarch64-linux-gnu', platform: 'aarch64', hwcaps: ['/atomics', '/tls', '/aarch64'], muslPaths: '/etc/ld-musl-aarch64.path' },
  openReader: (convention) => new WordReader(convention),
  decodeRegion,
  findGates,
  findReferences,
  readEdges,
  findStubs,
  isPadding,
  findHalts: () => [],
};

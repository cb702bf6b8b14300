/** What the analysis knows of x86-64. */
import { EM_X86_64, R_X86_64_IRELATIVE, R_X86_64_RELATIVE } from '../../../elf/index.ts';
import type { AnalysisIsa, GateKind } from '../../analysis-isa.ts';
import { syscallNumber } from '../syscalls.ts';
import { decodeRegion } from './decode.ts';
import { EffectReader } from './effects.ts';
import { findStubs, isPadding, readEdges } from './graph.ts';
import { findHalts } from './halts.ts';
import { findReferences } from './references.ts';

export { replaceHalts } from './halts.ts';

const [rdx, rsp, rsi, rdi, r8, r9, r10] = [2, 4, 6, 7, 8, 9, 10] as const;

/** `syscall`, `sysenter` and `int 0x80`. */
const gates: readonly { pattern: Buffer; kind: GateKind }[] = [
  { pattern: Buffer.from([0x0f, 0x05]), kind: 'syscall' },
  { pattern: Buffer.from([0x0f, 0x34]), kind: 'legacy' },
  { pattern: Buffer.from([0xcd, 0x80]), kind: 'legacy' },
];

function findGates(bytes: Uint8Array): { offset: number; kind: GateKind }[] {
  const code = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: { offset: number; kind: GateKind }[] = [];
  for (const { pattern, kind } of gates) {
    for (let offset = code.indexOf(pattern); offset >= 0; offset = code.indexOf(pattern, offset + 1)) found.push({ offset, kind });
  }
  return found;
}

export const x86_64: AnalysisIsa = {
  name: 'x86_64',
  elfMachine: EM_X86_64,
  alignment: 1,
  registers: { stack: rsp, call: 0, callArguments: [rdi, rsi, rdx, r10, r8, r9], functionArguments: [rdi, rsi, rdx, 1, r8, r9] },
  syscallNumber,
  // The C library brings its own return from signal handlers.
  impliedCalls: {},
  returnAddressSize: 8,
  // A jump of two bytes, which the byte scan does not look for.
  shortJumpReach: 130,
  hasAddressOperands: true,
  relativeRelocations: new Set([R_X86_64_RELATIVE, R_X86_64_IRELATIVE]),
  loader: {
    triple: 'x86_64-linux-gnu',
    platform: 'x86_64',
    hwcaps: ['/glibc-hwcaps/x86-64-v4', '/glibc-hwcaps/x86-64-v3', '/glibc-hwcaps/x86-64-v2', '/tls', '/haswell', '/avx512_1', '/x86_64'],
    muslPaths: '/etc/ld-musl-x86_64.path',
  },
  openReader: (convention) => new EffectReader(convention),
  decodeRegion,
  findGates,
  findReferences,
  readEdges,
  findStubs,
  isPadding,
  findHalts,
};

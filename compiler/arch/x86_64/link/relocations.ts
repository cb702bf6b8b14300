/**
 * x86-64 relocation types. Specification: System V ABI, AMD64 Architecture Processor Supplement, chapter 4.4 "Relocation".
 */
import { Expression, type RangeCheck, type RelocationKind } from '../../link-isa.ts';

export const R_64 = 1;
export const R_PC32 = 2;
export const R_PLT32 = 4;
export const R_GOTPCREL = 9;
export const R_TPOFF64 = 18;
export const R_GOTTPOFF = 22;
export const R_IRELATIVE = 37;
export const R_PLTOFF64 = 31;
export const R_GOTPCRELX = 41;
export const R_REX_GOTPCRELX = 42;

/** Kinds of the TLS types; `plan` turns each into a local-exec form. */
export const Tls = { generalDynamic: 20, localDynamic: 21, descriptor: 22, descriptorCall: 23 } as const;

const NAMES = (
  'NONE 64 PC32 GOT32 PLT32 COPY GLOB_DAT JUMP_SLOT RELATIVE GOTPCREL 32 32S 16 PC16 8 PC8 DTPMOD64 DTPOFF64 TPOFF64 TLSGD TLSLD ' +
  'DTPOFF32 GOTTPOFF TPOFF32 PC64 GOTOFF64 GOTPC32 GOT64 GOTPCREL64 GOTPC64 GOTPLT64 PLTOFF64 SIZE32 SIZE64 GOTPC32_TLSDESC ' +
  'TLSDESC_CALL TLSDESC IRELATIVE RELATIVE64 - - GOTPCRELX REX_GOTPCRELX'
).split(' ');

export function relocationName(type: number): string {
  const name = NAMES[type];
  return name === undefined || name === '-' ? `R_X86_64_${type}` : `R_X86_64_${name}`;
}

const KINDS: (RelocationKind | undefined)[] = [];
function define(type: number, expression: number, width: number, check: RangeCheck): void {
  KINDS[type] = { name: relocationName(type), expression, width, check };
}
define(0, Expression.none, 0, 'none');
define(1, Expression.absolute, 8, 'none');
define(2, Expression.relative, 4, 'signed');
define(3, Expression.slotOffset, 4, 'signed');
define(4, Expression.relative, 4, 'signed');
define(9, Expression.slotRelative, 4, 'signed');
define(10, Expression.absolute, 4, 'unsigned');
define(11, Expression.absolute, 4, 'signed');
define(12, Expression.absolute, 2, 'either');
define(13, Expression.relative, 2, 'signed');
define(14, Expression.absolute, 1, 'either');
define(15, Expression.relative, 1, 'signed');
define(17, Expression.blockOffset, 8, 'none');
define(18, Expression.threadOffset, 8, 'none');
define(19, Tls.generalDynamic, 4, 'signed');
define(20, Tls.localDynamic, 4, 'signed');
define(21, Expression.blockOffset, 4, 'signed');
define(22, Expression.threadSlotRelative, 4, 'signed');
define(23, Expression.threadOffset, 4, 'signed');
define(24, Expression.relative, 8, 'none');
define(25, Expression.gotOffset, 8, 'none');
define(26, Expression.gotRelative, 4, 'signed');
define(27, Expression.slotOffset, 8, 'none');
define(28, Expression.slotRelative, 8, 'none');
define(29, Expression.gotRelative, 8, 'none');
define(30, Expression.slotOffset, 8, 'none');
define(31, Expression.gotOffset, 8, 'none');
define(32, Expression.size, 4, 'unsigned');
define(33, Expression.size, 8, 'none');
define(34, Tls.descriptor, 4, 'signed');
define(35, Tls.descriptorCall, 0, 'none');
define(41, Expression.slotRelative, 4, 'signed');
define(42, Expression.slotRelative, 4, 'signed');

export function relocationKind(type: number): RelocationKind | undefined {
  return KINDS[type];
}

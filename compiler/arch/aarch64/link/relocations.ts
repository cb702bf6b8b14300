/**
 * AArch64 relocation types. Specification: ELF for the Arm 64-bit Architecture (AAELF64), chapter 5.7 "Relocation".
 */
import { Expression, type RangeCheck, type RelocationKind } from '../../link-isa.ts';
import { Field } from './fields.ts';

export const R_ABS64 = 257;
export const R_ADR_PREL_PG_HI21 = 275;
export const R_ADD_ABS_LO12_NC = 277;
export const R_LDST64_ABS_LO12_NC = 286;
export const R_JUMP26 = 282;
export const R_CALL26 = 283;
export const R_ADR_GOT_PAGE = 311;
export const R_LD64_GOT_LO12_NC = 312;
export const R_GOTTPREL_PAGE21 = 541;
export const R_GOTTPREL_LO12 = 542;
export const R_TLSDESC_PAGE21 = 562;
export const R_TLSDESC_LD64 = 563;
export const R_TLSDESC_ADD = 564;
export const R_TLSDESC_CALL = 569;
export const R_TPREL64 = 1030;
export const R_IRELATIVE = 1032;

/** Kind of the TLS types that `plan` turns into local-exec. */
export const DESCRIPTOR = 20;

const KINDS = new Map<number, RelocationKind>();

export function relocationName(type: number): string {
  return KINDS.get(type)?.name ?? `R_AARCH64_${type}`;
}

export function relocationKind(type: number): RelocationKind | undefined {
  return KINDS.get(type);
}

function data(type: number, name: string, expression: number, width: number, check: RangeCheck): void {
  KINDS.set(type, { name: `R_AARCH64_${name}`, expression, width, check });
}

/** A type whose value goes into an instruction. */
function code(type: number, name: string, expression: number, field: number): void {
  KINDS.set(type, { name: `R_AARCH64_${name}`, expression, width: 4, check: 'none', field });
}

data(0, 'NONE', Expression.none, 0, 'none');
data(256, 'NONE', Expression.none, 0, 'none');
data(R_ABS64, 'ABS64', Expression.absolute, 8, 'none');
data(258, 'ABS32', Expression.absolute, 4, 'either');
data(259, 'ABS16', Expression.absolute, 2, 'either');
data(260, 'PREL64', Expression.relative, 8, 'none');
data(261, 'PREL32', Expression.relative, 4, 'either');
data(262, 'PREL16', Expression.relative, 2, 'either');
data(314, 'PLT32', Expression.relative, 4, 'signed');
data(R_TPREL64, 'TLS_TPREL64', Expression.threadOffset, 8, 'none');

['G0', 'G0_NC', 'G1', 'G1_NC', 'G2', 'G2_NC', 'G3'].forEach((name, i) => {
  const part = (field: number) => field + (i >> 1) * 2 + (i % 2 === 1 || i === 6 ? 1 : 0);
  code(263 + i, `MOVW_UABS_${name}`, Expression.absolute, part(Field.moveUnsigned));
  code(287 + i, `MOVW_PREL_${name}`, Expression.relative, part(Field.moveSigned));
});
code(270, 'MOVW_SABS_G0', Expression.absolute, Field.moveSigned);
code(271, 'MOVW_SABS_G1', Expression.absolute, Field.moveSigned + 2);
code(272, 'MOVW_SABS_G2', Expression.absolute, Field.moveSigned + 4);
code(273, 'LD_PREL_LO19', Expression.relative, Field.branch19);
code(274, 'ADR_PREL_LO21', Expression.relative, Field.address21);
code(R_ADR_PREL_PG_HI21, 'ADR_PREL_PG_HI21', Expression.pageRelative, Field.page21);
code(276, 'ADR_PREL_PG_HI21_NC', Expression.pageRelative, Field.page21Unchecked);
code(R_ADD_ABS_LO12_NC, 'ADD_ABS_LO12_NC', Expression.pageOffset, Field.low12);
code(279, 'TSTBR14', Expression.relative, Field.branch14);
code(280, 'CONDBR19', Expression.relative, Field.branch19);
code(R_JUMP26, 'JUMP26', Expression.relative, Field.branch26);
code(R_CALL26, 'CALL26', Expression.relative, Field.branch26);
code(R_ADR_GOT_PAGE, 'ADR_GOT_PAGE', Expression.slotPageRelative, Field.page21);
code(R_LD64_GOT_LO12_NC, 'LD64_GOT_LO12_NC', Expression.slotPageOffset, Field.low12 + 3);
code(R_GOTTPREL_PAGE21, 'TLSIE_ADR_GOTTPREL_PAGE21', Expression.threadSlotPageRelative, Field.page21);
code(R_GOTTPREL_LO12, 'TLSIE_LD64_GOTTPREL_LO12_NC', Expression.threadSlotPageOffset, Field.low12 + 3);
code(R_TLSDESC_PAGE21, 'TLSDESC_ADR_PAGE21', DESCRIPTOR, Field.none);
code(R_TLSDESC_LD64, 'TLSDESC_LD64_LO12', DESCRIPTOR, Field.none);
code(R_TLSDESC_ADD, 'TLSDESC_ADD_LO12', DESCRIPTOR, Field.none);
code(R_TLSDESC_CALL, 'TLSDESC_CALL', DESCRIPTOR, Field.none);
code(544, 'TLSLE_MOVW_TPREL_G2', Expression.threadOffset, Field.moveSigned + 4);
code(545, 'TLSLE_MOVW_TPREL_G1', Expression.threadOffset, Field.moveSigned + 2);
code(546, 'TLSLE_MOVW_TPREL_G1_NC', Expression.threadOffset, Field.moveSigned + 3);
code(547, 'TLSLE_MOVW_TPREL_G0', Expression.threadOffset, Field.moveSigned);
code(548, 'TLSLE_MOVW_TPREL_G0_NC', Expression.threadOffset, Field.moveSigned + 1);
code(549, 'TLSLE_ADD_TPREL_HI12', Expression.threadOffset, Field.high12);
code(550, 'TLSLE_ADD_TPREL_LO12', Expression.threadOffset, Field.low12Checked);
code(551, 'TLSLE_ADD_TPREL_LO12_NC', Expression.threadOffset, Field.low12);
// Loads and stores, by the size of what they move: types of the plain ones, and of the thread-local pair.
for (const [size, plain, local] of [[0, 278, 552], [1, 284, 554], [2, 285, 556], [3, 286, 558], [4, 299, 570]] as const) {
  const bits = 8 << size;
  code(plain, `LDST${bits}_ABS_LO12_NC`, Expression.pageOffset, Field.low12 + size);
  code(local, `TLSLE_LDST${bits}_TPREL_LO12`, Expression.threadOffset, Field.low12Checked + size);
  code(local + 1, `TLSLE_LDST${bits}_TPREL_LO12_NC`, Expression.threadOffset, Field.low12 + size);
}

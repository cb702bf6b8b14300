/**
 * The fields of AArch64 instructions that take a relocation's value. Specification: Arm Architecture Reference Manual (DDI 0487), C4.1
 * "A64 instruction set encoding"; which bits of the value go there, and what has to fit: AAELF64, tables of chapter 5.7.
 */
export const Field = {
  none: 0,
  /** B, BL: bits [27:2] of the value. */
  branch26: 1,
  /** B.cond, CBZ, LDR (literal): bits [20:2]. */
  branch19: 2,
  /** TBZ: bits [15:2]. */
  branch14: 3,
  /** ADR: bits [20:0]. */
  address21: 4,
  /** ADRP: bits [32:12]; the second without a check. */
  page21: 5,
  page21Unchecked: 6,
  /** ADD: bits [23:12]. */
  high12: 7,
  /** ADD, LDR, STR: bits [11:size]; + the size of the access as a power of two (0 to 4). */
  low12: 8,
  /** The same, where the whole value has to fit. */
  low12Checked: 16,
  /** MOVZ, MOVK: + 2 * the group of 16 bits, + 1 where higher bits are left to others. */
  moveUnsigned: 32,
  /** The same for signed values: the checked forms become MOVN for negative ones. */
  moveSigned: 40,
} as const;

const fits = (value: bigint, bits: number): boolean => BigInt.asIntN(bits, value) === value;

/** Puts bits of the value into the instruction at `at`; false when it does not fit. */
export function storeField(view: DataView, at: number, field: number, value: bigint): boolean {
  const old = view.getUint32(at, true);
  const put = (mask: number, bits: number) => view.setUint32(at, (old & ~mask) | (bits & mask), true);
  const part = (shift: number, bits: number) => Number(BigInt.asUintN(bits, value >> BigInt(shift)));
  const address = (bits: number) => put(0x60ffffe0, ((bits & 3) << 29) | ((bits >>> 2) << 5));
  const aligned = (value & 3n) === 0n;
  if (field >= Field.moveSigned) return storeMove(view, at, field - Field.moveSigned, value, true);
  if (field >= Field.moveUnsigned) return storeMove(view, at, field - Field.moveUnsigned, value, false);
  if (field >= Field.low12) {
    const checked = field >= Field.low12Checked;
    const size = field - (checked ? Field.low12Checked : Field.low12);
    put(0x3ffc00, (part(0, 12) >> size) << 10);
    return (value & ((1n << BigInt(size)) - 1n)) === 0n && (!checked || BigInt.asUintN(12, value) === value);
  }
  switch (field) {
    case Field.branch26:
      put(0x3ffffff, part(2, 26));
      return aligned && fits(value, 28);
    case Field.branch19:
      put(0xffffe0, part(2, 19) << 5);
      return aligned && fits(value, 21);
    case Field.branch14:
      put(0x7ffe0, part(2, 14) << 5);
      return aligned && fits(value, 16);
    case Field.address21:
      address(part(0, 21));
      return fits(value, 21);
    case Field.page21:
    case Field.page21Unchecked:
      address(part(12, 21));
      return field === Field.page21Unchecked || fits(value, 33);
    case Field.high12:
      put(0x3ffc00, part(12, 12) << 10);
      return BigInt.asUintN(24, value) === value;
  }
  return true;
}

function storeMove(view: DataView, at: number, form: number, value: bigint, signed: boolean): boolean {
  const shift = BigInt((form >> 1) * 16);
  const checked = form % 2 === 0;
  let old = view.getUint32(at, true) & ~0x1fffe0;
  let bits = value;
  if (signed && checked) {
    // MOVZ is opc 10, MOVN is opc 00 (bits 30 and 29).
    old = value < 0n ? old & ~0x60000000 : (old & ~0x60000000) | 0x40000000;
    if (value < 0n) bits = ~value;
  }
  view.setUint32(at, (old | (Number(BigInt.asUintN(16, bits >> shift)) << 5)) >>> 0, true);
  if (!checked) return true;
  return signed ? fits(value, Number(shift) + 17) : BigInt.asUintN(Number(shift) + 16, value) === value;
}

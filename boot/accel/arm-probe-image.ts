/**
 * The probe guest for AArch64: a flat Linux Image (Linux: Documentation/arm64/booting.rst) of some words, assembled here. Owns: its bytes. It runs at EL1 without
 * translation on QEMU's `virt`, as the x86-64 one does (probe-image.ts): turns the instruction cache on, without which a CPU fetches each word of the loop from memory,
 * writes 'S' to the PL011, runs a loop of LOOP_COUNT * 2 instructions, writes 'R', and switches the machine
 * off through PSCI (Arm DEN0022, SYSTEM_OFF). It measures nothing: the counter of AArch64 tells its frequency.
 * Encoding: Arm Architecture Reference Manual, chapter C6; SCTLR_EL1.I is bit 12 of that register. A comment on each line says what the word is.
 */
import { LOOP_COUNT } from './probe-image.ts';

const HEADER = 64;
const MAGIC_AT = 56;
const SIZE_AT = 16;
/** 4 KiB pages, little-endian, anywhere in memory. */
const FLAGS_AT = 24;
const FLAGS = 0xan;

const moveWide = (register: number, value: number): number => 0x52800000 | (value << 5) | register;
const keepWide = (register: number, value: number): number => 0x72a00000 | (value << 5) | register;
const STORE = 0xb9000022; // str w2, [x1]

const CODE = [
  0xd5381004, // mrs x4, sctlr_el1
  0xb2740084, // orr x4, x4, #0x1000
  0xd5181004, // msr sctlr_el1, x4
  0xd5033fdf, // isb
  0xd2a12001, // movz x1, #0x900, lsl #16: the PL011
  moveWide(2, 0x53), // movz w2, #'S'
  STORE,
  moveWide(3, LOOP_COUNT & 0xffff), // movz w3, #low
  keepWide(3, LOOP_COUNT >>> 16), // movk w3, #high, lsl #16
  0x71000463, // subs w3, w3, #1
  0x54ffffe1, // b.ne to it
  moveWide(2, 0x52), // movz w2, #'R'
  STORE,
  moveWide(0, 8), // movz w0, #8
  keepWide(0, 0x8400), // movk w0, #0x8400, lsl #16: SYSTEM_OFF
  0xd4000002, // hvc #0
  0x14000000, // b to itself
];

/** The whole file, for QEMU's -kernel. */
export function makeArmProbeImage(): Buffer {
  const image = Buffer.alloc(HEADER + CODE.length * 4);
  image.writeUInt32LE(0x14000000 | (HEADER / 4), 0); // b to the code
  image.writeBigUInt64LE(BigInt(image.length), SIZE_AT);
  image.writeBigUInt64LE(FLAGS, FLAGS_AT);
  image.write('ARM\x64', MAGIC_AT, 'latin1');
  for (const [index, word] of CODE.entries()) image.writeUInt32LE(word >>> 0, HEADER + index * 4);
  return image;
}

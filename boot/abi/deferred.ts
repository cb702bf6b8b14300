/**
 * Text of the records that a guest without a formatter sends (libos/abi/boot_abi.h, "Deferred text"). Owns: the conversions of
 * libos/lib/format.h, and the lines of a fault report. Rules: addresses less the slide are link-time addresses, written as the tokens that
 * HULL_RECORD_LOG documents; strings come from the image file; what is not there gives its address, never an error.
 */
import { readFileSync } from 'node:fs';
import { RECORD } from './constants.ts';

/** The bytes of an image by link-time address. */
export interface ImageMemory {
  /** The NUL-ended string at `address`, or undefined when the file does not have it. */
  readString(address: bigint): string | undefined;
  /** Whether `address` is in an executable segment. */
  isCode(address: bigint): boolean;
  /** Whether a near call ends at `address`, so that it can be a return address. */
  followsCall(address: bigint): boolean;
  /** Whether the two bytes before `address` are a SYSCALL instruction. */
  followsSyscall(address: bigint): boolean;
  /** The instruction set is AArch64, not x86-64. */
  isArm: boolean;
}

interface Segment {
  readonly address: bigint;
  readonly offset: number;
  readonly size: number;
  readonly isCode: boolean;
}

const PT_LOAD = 1;
const PF_X = 1;
const SYSCALL = 0x050f;
const EM_AARCH64 = 183;
const NO_MEMORY: ImageMemory = { readString: () => undefined, isCode: () => false, followsCall: () => false, followsSyscall: () => false, isArm: false };
/** The longest near call, without prefixes. */
const CALL_SIZE = 7;

/** Whether the bytes end with a near call (Intel SDM volume 2, CALL: E8 and FF /2; table 2-2 for the length). */
export function endsWithCall(code: Uint8Array): boolean {
  const byte = (back: number) => code[code.length - back] ?? 0;
  if (byte(5) === 0xe8) return true;
  for (let length = 2; length <= CALL_SIZE; length++) {
    const [mode, operation] = [byte(length - 1) >> 6, byte(length - 1) & 0x38];
    if (byte(length) !== 0xff || operation !== 0x10) continue;
    const hasIndex = mode !== 3 && (byte(length - 1) & 7) === 4;
    const base = byte(length - (hasIndex ? 2 : 1)) & 7;
    const displacement = mode === 1 ? 1 : mode === 2 || (mode === 0 && base === 5) ? 4 : 0;
    if (length === 2 + (hasIndex ? 1 : 0) + displacement) return true;
  }
  return false;
}


/** BL or BLR (Arm Architecture Reference Manual, C4.1.65 and C4.1.66). */
function endsWithArmCall(code: number): boolean {
  return code >>> 26 === 0x25 || (code & 0xfffffc1f) >>> 0 === 0xd63f0000;
}

/** Reads the PT_LOAD segments (ELF gABI, chapter 5) of an image file; one that cannot be read has none. */
export function openImageMemory(path: string): ImageMemory {
  let bytes: Buffer;
  let isArm = false;
  const segments: Segment[] = [];
  try {
    bytes = readFileSync(path);
    isArm = bytes.readUInt16LE(18) === EM_AARCH64;
    const start = Number(bytes.readBigUInt64LE(32));
    for (let i = 0; i < bytes.readUInt16LE(56); i++) {
      const at = start + i * bytes.readUInt16LE(54);
      if (bytes.readUInt32LE(at) !== PT_LOAD) continue;
      segments.push({
        isCode: (bytes.readUInt32LE(at + 4) & PF_X) !== 0,
        offset: Number(bytes.readBigUInt64LE(at + 8)),
        address: bytes.readBigUInt64LE(at + 16),
        size: Number(bytes.readBigUInt64LE(at + 32)),
      });
    }
  } catch {
    return NO_MEMORY;
  }
  const find = (address: bigint) => segments.find((one) => address >= one.address && address < one.address + BigInt(one.size));
  return {
    readString(address) {
      const segment = find(address);
      if (segment === undefined) return undefined;
      const from = segment.offset + Number(address - segment.address);
      const end = bytes.indexOf(0, from);
      return end < 0 || end > segment.offset + segment.size ? undefined : bytes.toString('utf8', from, end);
    },
    isCode: (address) => find(address)?.isCode ?? false,
    followsCall(address) {
      const segment = find(address - 1n);
      if (segment?.isCode !== true) return false;
      const end = segment.offset + Number(address - segment.address);
      if (isArm) return end >= 4 && endsWithArmCall(bytes.readUInt32LE(end - 4));
      return endsWithCall(bytes.subarray(Math.max(segment.offset, end - CALL_SIZE), end));
    },
    followsSyscall(address) {
      const segment = find(address - 2n);
      return segment?.isCode === true && bytes.readUInt16LE(segment.offset + Number(address - 2n - segment.address)) === SYSCALL;
    },
    isArm,
  };
}

function readWords(payload: Buffer): bigint[] {
  return Array.from({ length: payload.length >> 3 }, (_, i) => payload.readBigUInt64LE(i * 8));
}

/** An address as the host names it: `[<hex>]` for the image's code, else the number. */
function writeAddress(address: bigint, slide: bigint, image: ImageMemory): string {
  const linked = BigInt.asUintN(64, address - slide);
  return image.isCode(linked) ? `[<${linked.toString(16)}>]` : `0x${address.toString(16)}`;
}

/** A line from its format and arguments; undefined when the image has no such format. */
function formatLine([slide = 0n, format = 0n, ...values]: bigint[], image: ImageMemory): string | undefined {
  let next = 0;
  const text = image.readString(BigInt.asUintN(64, format - slide));
  return text?.replace(/%(0?)(\d*)([lz]*)([a-z%])/g, (_, zero: string, width: string, long: string, conversion: string) => {
    if (conversion === '%') return '%';
    const value = values[next++] ?? 0n;
    const bits = long === '' && conversion !== 'p' ? 32 : 64;
    const pad = (digits: string) => digits.padStart(Number(width), zero === '' ? ' ' : '0');
    switch (conversion) {
      case 's':
        return image.readString(BigInt.asUintN(64, value - slide)) ?? writeAddress(value, slide, image);
      case 'c':
        return String.fromCharCode(Number(value & 0xffn));
      case 'd':
      case 'i':
        return pad(BigInt.asIntN(bits, value).toString());
      case 'x':
        return pad(BigInt.asUintN(bits, value).toString(16));
      case 'p':
        return writeAddress(value, slide, image);
      default:
        return pad(BigInt.asUintN(bits, value).toString());
    }
  });
}

const REGISTERS = ['r15', 'r14', 'r13', 'r12', 'rbp', 'rbx', 'r11', 'r10', 'r9', 'r8', 'rdi', 'rsi', 'rdx', 'rcx', 'rax'] as const;
const SIGNAL_TEXT: Record<number, string> = { 4: 'Illegal instruction', 5: 'Trace trap', 7: 'Bus error', 8: 'Arithmetic exception' };
const PAGE_FAULT = 14n;
const IN_LIBOS = 0x100n;
/** Words of a fault record before those of the stack. */
export const FAULT_WORDS = 25;
/** The most lines of a backtrace. */
const MOST_CALLERS = 16;

/** Words of a fault record of AArch64 before those of the stack: slide, address, kind, struct trap_frame. */
export const ARM_FAULT_WORDS = 39;
/** Exception classes (ESR_EL1.EC). */
const [CLASS_CALL, CLASS_FETCH, CLASS_DATA] = [0x15n, 0x21n, 0x25n];

function formatArmFault(words: bigint[], image: ImageMemory): string[] {
  const word = (index: number) => words[index] ?? 0n;
  const slide = word(0);
  const kind = word(2);
  const frame = (index: number) => word(3 + index);
  const [sp, pc, state, syndrome] = [frame(31), frame(32), frame(33), frame(34)];
  const cause = (syndrome >> 26n) & 63n;
  const how = cause === CLASS_FETCH ? 'execute at' : cause !== CLASS_DATA ? 'at' : syndrome & 64n ? 'write at' : 'read at';
  const lines = [
    `${SIGNAL_TEXT[Number(kind & 0x7fn)] ?? 'Segmentation fault'}: ${how} 0x${word(1).toString(16)}${kind & IN_LIBOS ? ' in the libOS' : ''}`,
    `  at ${writeAddress(pc, slide, image)} sp ${sp.toString(16)} pstate ${state.toString(16)}`,
  ];
  for (let i = 0; i < 31; i += 3) {
    const registers = [i, i + 1, i + 2].filter((k) => k < 31).map((k) => `x${k}`.padEnd(4) + frame(k).toString(16).padStart(16, '0'));
    lines.push(`  ${registers.join(' ')}`);
  }
  // The link register first: a function that calls nothing has its caller only there.
  const callers = [frame(30), ...words.slice(ARM_FAULT_WORDS)].map((word) => BigInt.asUintN(64, word - slide)).filter((word) => image.followsCall(word));
  for (const from of callers.slice(0, MOST_CALLERS)) lines.push(`  from [<${from.toString(16)}>]`);
  if (cause === CLASS_CALL) lines.push(`Cannot make a system call at ${writeAddress(pc - 4n, slide, image)}: an SVC instruction in a linked program, expected a call of the C library`);
  if (kind & IN_LIBOS) lines.push(`arch: no fault in the libOS, syndrome ${syndrome.toString(16)}`);
  return lines;
}

function formatFault(words: bigint[], image: ImageMemory): string[] {
  const word = (index: number) => words[index] ?? 0n;
  const slide = word(0);
  const kind = word(2);
  const [vector, error, pc] = [word(18), word(19), word(20)];
  const how = vector !== PAGE_FAULT ? 'at' : error & 16n ? 'execute at' : error & 2n ? 'write at' : 'read at';
  const lines = [
    `${SIGNAL_TEXT[Number(kind & 0x7fn)] ?? 'Segmentation fault'}: ${how} 0x${word(1).toString(16)}${kind & IN_LIBOS ? ' in the libOS' : ''}`,
    `  at ${writeAddress(pc, slide, image)} rsp ${word(23).toString(16)} flags ${word(22).toString(16)}`,
  ];
  for (let i = 0; i < REGISTERS.length; i += 3) {
    lines.push(`  ${[0, 1, 2].map((k) => `${REGISTERS[i + k]} ${word(3 + i + k).toString(16).padStart(16, '0')}`).join(' ')}`);
  }
  // There are no frame pointers: what on the stack can be a return address is taken for one.
  const callers = words.slice(FAULT_WORDS).map((word) => BigInt.asUintN(64, word - slide)).filter((word) => image.followsCall(word));
  for (const from of callers.slice(0, MOST_CALLERS)) lines.push(`  from [<${from.toString(16)}>]`);
  // A linked image has no entry for the instruction: the processor goes to address 0, with the instruction's end in rcx and the number in rax.
  if (pc === 0n && image.followsSyscall(BigInt.asUintN(64, word(16) - slide))) {
    lines.push(`Cannot make system call <sys:${word(17)}> at ${writeAddress(word(16) - 2n, slide, image)}: a SYSCALL instruction in a linked program, expected a call of the C library`);
  }
  if (kind & IN_LIBOS) lines.push(`arch: no fault in the libOS, vector ${vector} error ${error.toString(16)}`);
  return lines;
}

export interface DeferredText {
  lines: string[];
  /** The machine ends after it. */
  isPanic: boolean;
}

/** The text of a deferred record; undefined for other types. */
export function formatDeferred(type: number, payload: Buffer, image: ImageMemory): DeferredText | undefined {
  const words = readWords(payload);
  switch (type) {
    case RECORD.LOG_DEFERRED:
    case RECORD.PANIC_DEFERRED: {
      const line = formatLine(words, image) ?? `no text at ${writeAddress(words[1] ?? 0n, words[0] ?? 0n, image)}`;
      return { lines: [line], isPanic: type === RECORD.PANIC_DEFERRED };
    }
    case RECORD.FAULT:
      return { lines: (image.isArm ? formatArmFault : formatFault)(words, image), isPanic: ((words[2] ?? 0n) & IN_LIBOS) !== 0n };
    default:
      return undefined;
  }
}

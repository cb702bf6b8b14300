/**
 * Values of system calls as text, in strace's style. Owns: the kinds of parameters: what the guest has to send for each (boot ABI, HULL_TRACE_*) and
 * how it is shown. Rule: what was not sent, or is too short, is shown as the address. Layouts: Linux's uapi headers, for x86-64 where
 * nothing else is said.
 */
import { constants } from 'node:os';
import { TRACE } from '../../boot/index.ts';
import type { CallMachine } from '../../compiler/select/index.ts';
import { formatFlags, formatName, SETS } from './names.ts';

export interface Parameter {
  readonly kind: string;
  /** Seen after the call. */
  readonly after: boolean;
  /** HULL_TRACE_*, 0 for values that are no address. */
  readonly capture: number;
}

/** One parameter of one call. */
export interface Given {
  readonly value: bigint;
  readonly all: readonly bigint[];
  /** What the guest sent of it, and of the members of its iovec array. */
  readonly bytes: Buffer | undefined;
  readonly vectors: readonly (Buffer | undefined)[];
}

/** Bytes of data that are shown. Names of files are shown whole. */
const SHOWN = 32;
/** Structures: words of 8 bytes that are wanted. */
const STRUCTURES: Record<string, number> = {
  timespec: 2, timeval: 2, itimerval: 4, stat: 18, stat_aarch64: 16, sigaction: 4, sigset: 1, rlim: 2, fds: 1, u32: 1, wstatus: 1, sockaddr: 4, utsname: 32, name: 2,
};

/** Kinds whose layout or numbers a machine has for itself. */
const OWN: Record<CallMachine, Readonly<Record<string, string>>> = { x86_64: {}, aarch64: { open: 'open_aarch64', descriptor: 'descriptor_aarch64', stat: 'stat_aarch64' } };

export function parseParameter(word: string, machine: CallMachine): Parameter {
  const [, common = '', after = '', of = '0'] = /^(\w+\??)(>?)(?::(\d))?$/.exec(word) ?? [];
  const kind = OWN[machine][common] ?? common;
  const index = Number(of);
  const later = (capture: number) => (capture === 0 ? 0 : capture | TRACE.AFTER);
  const make = (capture: number, isAfter: boolean): Parameter => ({ kind, after: isAfter, capture: isAfter ? later(capture) : capture });
  if (kind === 'path' || kind === 'str') return make(TRACE.STRING, false);
  if (kind === 'in') return make(TRACE.LENGTH + index, false);
  if (kind === 'out' || kind === 'random') return make(TRACE.RESULT, true);
  if (kind === 'outn') return make(TRACE.LENGTH + index, true);
  if (kind === 'iov') return make(TRACE.VECTOR + index, after !== '');
  if (kind === 'pollfd') return make(TRACE.ENTRIES + index, true);
  return make(TRACE.WORDS + (STRUCTURES[kind] ?? 0), after !== '');
}

/** Text in quotes, escaped as C and strace do: octal, or hexadecimal for random bytes. */
function quote(bytes: Buffer, isCut: boolean, isHex = false): string {
  const named: Record<number, string> = { 9: '\\t', 10: '\\n', 11: '\\v', 12: '\\f', 13: '\\r', 34: '\\"', 92: '\\\\' };
  let text = '';
  bytes.forEach((byte, i) => {
    const next = bytes[i + 1] ?? 0;
    if (isHex) text += `\\x${byte.toString(16).padStart(2, '0')}`;
    else if (named[byte] !== undefined) text += named[byte];
    else if (byte >= 32 && byte < 127) text += String.fromCharCode(byte);
    else text += `\\${byte.toString(8).padStart(next >= 48 && next <= 55 ? 3 : 1, '0')}`;
  });
  return `"${text}"${isCut ? '...' : ''}`;
}

function quoteData(bytes: Buffer, length: number, isHex = false): string {
  return quote(bytes.subarray(0, SHOWN), length > SHOWN, isHex);
}

const hex = (value: bigint) => `0x${value.toString(16)}`;
const pointer = (value: bigint) => (value === 0n ? 'NULL' : hex(value));
const int32 = (value: bigint) => BigInt.asIntN(32, value);
const word = (bytes: Buffer, at: number) => bytes.readBigInt64LE(at * 8);

const SIGNALS = new Map(Object.entries(constants.signals).filter(([name]) => name !== 'SIGIOT' && name !== 'SIGPOLL' && name !== 'SIGUNUSED').map(([name, number]) => [number, name]));

export function formatSignal(number: number): string {
  return SIGNALS.get(number) ?? (number === 32 ? 'SIGRTMIN' : number >= 32 && number <= 64 ? `SIGRT_${number - 32}` : String(number));
}

function formatSignalSet(set: bigint): string {
  const members = Array.from({ length: 64 }, (_, i) => i + 1).filter((n) => (set >> BigInt(n - 1)) & 1n);
  const name = (n: number) => formatSignal(n).replace(/^SIG/, '');
  if (members.length <= 32) return `[${members.map(name).join(' ')}]`;
  return `~[${Array.from({ length: 64 }, (_, i) => i + 1).filter((n) => !members.includes(n)).map(name).join(' ')}]`;
}

function formatMode(mode: number): string {
  return `0${(mode & 0o7777).toString(8).padStart(3, '0')}`;
}

function formatLimit(value: bigint): string {
  const number = BigInt.asUintN(64, value);
  if (number === 0xffffffffffffffffn) return 'RLIM64_INFINITY';
  return number > 1024n && number % 1024n === 0n ? `${number / 1024n}*1024` : String(number);
}

const FILE_TYPES: Record<number, string> = { 1: 'S_IFIFO', 2: 'S_IFCHR', 4: 'S_IFDIR', 6: 'S_IFBLK', 8: 'S_IFREG', 10: 'S_IFLNK', 12: 'S_IFSOCK' };

/** Where struct stat has mode and rdev. */
function formatStat(bytes: Buffer, modeAt: number, deviceAt: number): string {
  const mode = bytes.readUInt32LE(modeAt);
  const device = bytes.readBigUInt64LE(deviceAt);
  const type = FILE_TYPES[mode >> 12];
  const text = `${type === undefined ? '' : `${type}|`}${formatMode(mode)}`;
  if (type === 'S_IFCHR' || type === 'S_IFBLK') {
    const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
    const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
    return `{st_mode=${text}, st_rdev=makedev(${hex(major)}, ${hex(minor)}), ...}`;
  }
  return `{st_mode=${text}, st_size=${bytes.readBigInt64LE(48)}, ...}`;
}

function formatAction(bytes: Buffer): string {
  const handler = bytes.readBigUInt64LE(0);
  const flags = bytes.readBigUInt64LE(8);
  const shown = handler === 0n ? 'SIG_DFL' : handler === 1n ? 'SIG_IGN' : hex(handler);
  const restorer = flags & 0x4000000n ? `, sa_restorer=${hex(bytes.readBigUInt64LE(16))}` : '';
  return `{sa_handler=${shown}, sa_mask=${formatSignalSet(bytes.readBigUInt64LE(24))}, sa_flags=${formatFlags('sa', flags)}${restorer}}`;
}

function formatAddress(bytes: Buffer): string {
  const family = bytes.readUInt16LE(0);
  if (family === 1) {
    const end = bytes.indexOf(0, 2);
    return `{sa_family=AF_UNIX, sun_path=${quote(bytes.subarray(2, end < 0 ? bytes.length : end), false)}}`;
  }
  if (family === 2) return `{sa_family=AF_INET, sin_port=htons(${bytes.readUInt16BE(2)}), sin_addr=inet_addr("${bytes.subarray(4, 8).join('.')}")}`;
  return `{sa_family=${formatName('family', BigInt(family))}, ...}`;
}

function formatPoll(bytes: Buffer): string {
  const items = Array.from({ length: Math.floor(bytes.length / 8) }, (_, i) => {
    const answer = bytes.readUInt16LE(i * 8 + 6);
    const events = formatFlags('poll', BigInt(bytes.readUInt16LE(i * 8 + 4)));
    return `{fd=${bytes.readInt32LE(i * 8)}, events=${events}${answer === 0 ? '' : `, revents=${formatFlags('poll', BigInt(answer))}`}}`;
  });
  return `[${items.join(', ')}]`;
}

function formatVectors({ bytes, vectors }: Given, total: bigint | undefined): string {
  const table = bytes as Buffer;
  let left = total;
  const items = Array.from({ length: Math.floor(table.length / 16) }, (_, i) => {
    const base = table.readBigUInt64LE(i * 16);
    const size = table.readBigUInt64LE(i * 16 + 8);
    const used = left === undefined || size < left ? size : left;
    if (left !== undefined) left -= used;
    const data = vectors[i]?.subarray(0, Number(used < 256n ? used : 256n));
    return `{iov_base=${data === undefined ? pointer(base) : quoteData(data, Number(used))}, iov_len=${size}}`;
  });
  return `[${items.join(', ')}]`;
}

const text = (bytes: Buffer) => {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
};

/** How each structure is shown; they have at least the bytes that STRUCTURES asks for. */
const FORMATS: Record<string, (bytes: Buffer) => string> = {
  timespec: (b) => `{tv_sec=${word(b, 0)}, tv_nsec=${word(b, 1)}}`,
  timeval: (b) => `{tv_sec=${word(b, 0)}, tv_usec=${word(b, 1)}}`,
  itimerval: (b) => `{it_interval={tv_sec=${word(b, 0)}, tv_usec=${word(b, 1)}}, it_value={tv_sec=${word(b, 2)}, tv_usec=${word(b, 3)}}}`,
  stat: (b) => formatStat(b, 24, 40),
  stat_aarch64: (b) => formatStat(b, 16, 32),
  sigaction: formatAction,
  sigset: (b) => formatSignalSet(b.readBigUInt64LE(0)),
  rlim: (b) => `{rlim_cur=${formatLimit(word(b, 0))}, rlim_max=${formatLimit(word(b, 1))}}`,
  fds: (b) => `[${b.readInt32LE(0)}, ${b.readInt32LE(4)}]`,
  u32: (b) => `[${b.readUInt32LE(0)}]`,
  wstatus: (b) => {
    const status = b.readUInt32LE(0);
    return (status & 0x7f) === 0 ? `[{WIFEXITED(s) && WEXITSTATUS(s) == ${(status >>> 8) & 0xff}}]` : `[{WIFSIGNALED(s) && WTERMSIG(s) == ${formatSignal(status & 0x7f)}}]`;
  },
  sockaddr: formatAddress,
  utsname: (b) => `{sysname=${quote(text(b.subarray(0, 65)), false)}, nodename=${quote(text(b.subarray(65, 130)), false)}, ...}`,
  pollfd: formatPoll,
};

/** A parameter as text; `undefined` for one that is not shown. `result`: undefined while the call lasts. */
export function formatParameter(parameter: Parameter, given: Given, result: bigint | undefined): string | undefined {
  const { kind } = parameter;
  const { value, bytes } = given;
  switch (kind) {
    case 'int':
    case 'fd':
      return String(kind === 'fd' ? int32(value) : BigInt.asIntN(64, value) < -1n || value >> 32n === 0n ? int32(value) : BigInt.asIntN(64, value));
    case 'uint':
      return String(BigInt.asUintN(32, value));
    case 'size':
      return String(BigInt.asUintN(64, value));
    case 'at':
      return int32(value) === -100n ? 'AT_FDCWD' : String(int32(value));
    case 'mode':
      return formatMode(Number(value & 0xffffn));
    case 'name': // prctl's: PR_SET_NAME, PR_GET_NAME
      return bytes !== undefined && namesThread(given) ? quote(text(bytes), false) : pointer(value);
    case 'rest':
      return namesThread(given) ? undefined : hex(value);
    case 'mode?': // only where the flags before it make a file: O_CREAT, O_TMPFILE
      return (given.all[given.all.length - 1] ?? 0n) & 0x400040n ? formatMode(Number(value & 0xffffn)) : undefined;
    case 'hex':
      return value === 0n ? '0' : hex(value);
    case 'ptr':
    case 'addr':
      return pointer(value);
    case 'signal':
      return formatSignal(Number(value & 0xffn));
    case 'path':
    case 'str':
      return bytes === undefined ? pointer(value) : quote(bytes, bytes.length >= TRACE.MOST);
    case 'in':
      return bytes === undefined ? pointer(value) : quoteData(bytes, Number(lengthOf(parameter, given)));
    case 'out':
    case 'outn':
    case 'random': {
      if (bytes === undefined || result === undefined || result < 0n) return pointer(value);
      return kind === 'outn' ? quote(text(bytes), false) : quoteData(bytes, Number(result), kind === 'random');
    }
    case 'iov':
      return bytes === undefined || (parameter.after && (result ?? -1n) < 0n) ? pointer(value) : formatVectors(given, parameter.after ? result : undefined);
  }
  if (SETS[kind] !== undefined) return SETS[kind].isFlags ? formatFlags(kind, BigInt.asUintN(32, value)) : formatName(kind, BigInt.asUintN(32, value));
  const format = FORMATS[kind];
  if (format === undefined || bytes === undefined || bytes.length < (STRUCTURES[kind] ?? 0) * 8) return pointer(value);
  return format(bytes);
}

const namesThread = ({ all }: Given) => all[0] === 15n || all[0] === 16n;

function lengthOf(parameter: Parameter, given: Given): bigint {
  return given.all[(parameter.capture & 7) - (TRACE.LENGTH & 7)] ?? 0n;
}

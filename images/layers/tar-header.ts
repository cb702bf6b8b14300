/**
 * Tar headers: POSIX.1-1988 ustar, POSIX.1-2001 pax and GNU (https://www.gnu.org/software/tar/manual/html_node/Standard.html; pax: IEEE Std 1003.1, "pax Interchange
 * Format"). Owns: one 512-byte block, and pax records. Rules: numbers are octal text or base 256 with the top bit set; a checksum
 * counts its own field as spaces, and old writers summed signed bytes. Names and values stay bytes here.
 *
 * at   size          at   size          at   size          at   size
 * 0    100 name      124  12  size      257  6   magic     337  8  minor
 * 100  8   mode      136  12  mtime     263  2   version   345  155 prefix (GNU: 386 sparse map, 482 extended, 483 real size)
 * 108  8   uid       148  8   checksum  265  32  uname
 * 116  8   gid       156  1   typeflag  297  32  gname
 *                    157  100 linkname  329  8   major
 */
import { LayerError } from './error.ts';

export const BLOCK = 512;

export interface TarHeader {
  readonly name: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly type: string;
  readonly linkname: Buffer;
  readonly major: number;
  readonly minor: number;
  readonly isGnu: boolean;
}

function cut(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function readNumber(block: Buffer, at: number, size: number): number {
  const first = block[at] as number;
  if (first === 0x80 || first === 0xff) {
    let value = first === 0xff ? -1n : 0n;
    for (let i = at + 1; i < at + size; i++) value = (value << 8n) | BigInt(block[i] as number);
    return Number(value);
  }
  const text = cut(block.subarray(at, at + size)).toString('latin1').trim();
  if (text === '') return 0;
  if (!/^[0-7]+$/.test(text)) throw new LayerError('layer-invalid', `Cannot read "the layer": a header with the number "${text}", expected a tar archive`);
  return Number.parseInt(text, 8);
}

function checkSum(block: Buffer): boolean {
  let unsigned = 256;
  let signed = 256;
  for (let i = 0; i < BLOCK; i++) {
    if (i >= 148 && i < 156) continue;
    unsigned += block[i] as number;
    signed += block.readInt8(i);
  }
  const said = readNumber(block, 148, 8);
  return said === unsigned || said === signed;
}

export const isZero = (block: Buffer): boolean => block[0] === 0 && block.every((byte) => byte === 0);

export function parseHeader(block: Buffer): TarHeader {
  if (!checkSum(block)) throw new LayerError('layer-invalid', 'Cannot read "the layer": a header has a wrong checksum, expected a tar archive');
  const magic = block.toString('latin1', 257, 263);
  const isGnu = magic === 'ustar ';
  const prefix = magic === 'ustar\0' ? cut(block.subarray(345, 500)) : Buffer.alloc(0);
  const name = cut(block.subarray(0, 100));
  const type = String.fromCharCode(block[156] as number);
  return {
    name: prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : Buffer.from(name),
    mode: readNumber(block, 100, 8) & 0o7777,
    uid: readNumber(block, 108, 8),
    gid: readNumber(block, 116, 8),
    size: readNumber(block, 124, 12),
    mtime: readNumber(block, 136, 12),
    type: type === '\0' ? '0' : type,
    linkname: Buffer.from(cut(block.subarray(157, 257))),
    major: type === '3' || type === '4' ? readNumber(block, 329, 8) : 0,
    minor: type === '3' || type === '4' ? readNumber(block, 337, 8) : 0,
    isGnu,
  };
}

/** Pairs of offset and size in an old GNU sparse header (at 386, 4 of them) or one of its extension blocks (at 0, 21). */
export function parseSparse(block: Buffer, isExtension: boolean): { map: [number, number][]; isMore: boolean; realSize: number } {
  const map: [number, number][] = [];
  const [start, count] = isExtension ? [0, 21] : [386, 4];
  for (let i = 0; i < count; i++) {
    const at = start + i * 24;
    if (block[at] === 0) break;
    map.push([readNumber(block, at, 12), readNumber(block, at + 12, 12)]);
  }
  return { map, isMore: block[isExtension ? 504 : 482] === 1, realSize: isExtension ? 0 : readNumber(block, 483, 12) };
}

/** "LENGTH KEY=VALUE\n" after each other; values are bytes. A sparse map of format 0.0 repeats its keys, so there is a list. */
export function parsePax(bytes: Buffer): [string, Buffer][] {
  const records: [string, Buffer][] = [];
  for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(bytes.toString('latin1', at, space));
    const end = at + length;
    const equals = bytes.indexOf(0x3d, space);
    if (!Number.isSafeInteger(length) || end > bytes.length || equals < 0 || equals >= end || bytes[end - 1] !== 0x0a) {
      throw new LayerError('layer-invalid', 'Cannot read "the layer": a damaged pax header, expected a tar archive');
    }
    records.push([bytes.toString('utf8', space + 1, equals), bytes.subarray(equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

export function formatPax(records: readonly (readonly [string, Uint8Array | string])[]): Buffer {
  return Buffer.concat(
    records.map(([key, value]) => {
      const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
      let length = body.length;
      while (String(length).length + body.length !== length) length = String(length).length + body.length;
      return Buffer.concat([Buffer.from(String(length)), body]);
    }),
  );
}

export interface HeaderFields {
  readonly name: Uint8Array;
  readonly linkname: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** s since 1970. */
  readonly mtime: number;
  readonly type: string;
  readonly major: number;
  readonly minor: number;
}

const MOST_OCTAL_8 = 0o7777777;
const MOST_OCTAL_12 = 0o77777777777;

/** Which fields a ustar header cannot hold. */
export function findUnfit({ name, linkname, uid, gid, size, mtime }: HeaderFields): { name: boolean; linkname: boolean; uid: boolean; gid: boolean; size: boolean; mtime: boolean } {
  return {
    name: name.length > 100 || !isAscii(name),
    linkname: linkname.length > 100 || !isAscii(linkname),
    uid: uid > MOST_OCTAL_8,
    gid: gid > MOST_OCTAL_8,
    size: size > MOST_OCTAL_12,
    mtime: mtime < 0 || mtime > MOST_OCTAL_12,
  };
}

const isAscii = (bytes: Uint8Array) => bytes.every((byte) => byte < 0x80);

/** A ustar header; what does not fit is 0 or cut off, and has to be in a pax header before it. */
export function formatHeader(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  const put = (at: number, size: number, value: number, most: number) =>
    void block.write(`${(value > most || value < 0 ? 0 : value).toString(8).padStart(size - 1, '0')}\0`, at, 'latin1');
  block.set(fields.name.subarray(0, 100), 0);
  put(100, 8, fields.mode, MOST_OCTAL_8);
  put(108, 8, fields.uid, MOST_OCTAL_8);
  put(116, 8, fields.gid, MOST_OCTAL_8);
  put(124, 12, fields.size, MOST_OCTAL_12);
  put(136, 12, fields.mtime, MOST_OCTAL_12);
  block.fill(0x20, 148, 156);
  block.write(fields.type, 156, 'latin1');
  block.set(fields.linkname.subarray(0, 100), 157);
  block.write('ustar\x0000', 257, 'latin1');
  put(329, 8, fields.major, MOST_OCTAL_8);
  put(337, 8, fields.minor, MOST_OCTAL_8);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

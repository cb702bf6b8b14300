/**
 * The on-disk form of EROFS, as far as uncompressed images use it (Linux Documentation/filesystems/erofs.rst, "On-disk details";
 * fs/erofs/erofs_fs.h names the fields). Owns: offsets, sizes and encodings. All integers little-endian.
 *
 * Superblock at byte 1024. An inode number ("nid") is its byte offset / 32 from meta_blkaddr. An inode is compact (32 bytes: the
 * image's own mtime, 32-bit size, 16-bit owner) or extended (64). FLAT_PLAIN: content in whole blocks. FLAT_INLINE: the part that
 * does not fill a block follows the inode, in the same block as it.
 */
import type { FileKind } from '../rootfs/index.ts';

export const BLOCK_BITS = 12;
export const BLOCK = 1 << BLOCK_BITS;
export const SUPER_OFFSET = 1024;
export const SUPER_SIZE = 128;
export const SLOT = 32;
export const COMPACT = 32;
export const EXTENDED = 64;
export const DIRENT = 12;
export const LAYOUT = { PLAIN: 0, INLINE: 2 } as const;
export const NO_BLOCK = 0xffffffff;

const MAGIC = 0xe0f5e1e2;
const COMPAT_CHECKSUM = 1;
const COMPAT_MTIME = 2;
const TYPE_BITS: Record<FileKind, number> = { fifo: 1, character: 2, directory: 4, block: 6, file: 8, symlink: 10, socket: 12 };
const DIRENT_TYPES: Record<FileKind, number> = { file: 1, directory: 2, character: 3, block: 4, fifo: 5, socket: 6, symlink: 7 };

export const direntType = (kind: FileKind): number => DIRENT_TYPES[kind];

export interface InodeFields {
  readonly kind: FileKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
  readonly number: number;
  readonly layout: number;
  readonly isExtended: boolean;
  readonly mtimeNs: bigint;
  /** First block of the content, or an encoded device number. */
  readonly place: number;
  /** Bytes of extended attributes behind the inode. */
  readonly xattrBytes: number;
}

export function writeInode(out: Buffer, at: number, inode: InodeFields): void {
  const mode = (TYPE_BITS[inode.kind] << 12) | inode.mode;
  out.writeUInt16LE((inode.isExtended ? 1 : 0) | (inode.layout << 1), at);
  out.writeUInt16LE(inode.xattrBytes === 0 ? 0 : 1 + (inode.xattrBytes - XATTR_HEAD) / 4, at + 2);
  out.writeUInt16LE(mode, at + 4);
  out.writeUInt32LE(inode.place, at + 16);
  out.writeUInt32LE(inode.number, at + 20);
  if (!inode.isExtended) {
    out.writeUInt16LE(inode.links, at + 6);
    out.writeUInt32LE(inode.size, at + 8);
    out.writeUInt16LE(inode.uid, at + 24);
    out.writeUInt16LE(inode.gid, at + 26);
    return;
  }
  out.writeBigUInt64LE(BigInt(inode.size), at + 8);
  out.writeUInt32LE(inode.uid, at + 24);
  out.writeUInt32LE(inode.gid, at + 28);
  const seconds = floorSeconds(inode.mtimeNs);
  out.writeBigInt64LE(seconds, at + 32);
  out.writeUInt32LE(Number(inode.mtimeNs - seconds * NS), at + 40);
  out.writeUInt32LE(inode.links, at + 44);
}

export const XATTR_HEAD = 12;
/** Prefixes that an entry names by number ("erofs_xattr_entry", e_name_index). */
const XATTR_PREFIXES: readonly (readonly [prefix: string, index: number])[] = [
  ['user.', 1],
  ['system.posix_acl_access', 2],
  ['system.posix_acl_default', 3],
  ['trusted.', 4],
  ['security.', 6],
];

/** What follows an inode that has extended attributes: a head, then each one with its name and value, in steps of 4 bytes. Empty: none that EROFS can hold. */
export function encodeXattrs(xattrs: ReadonlyMap<string, Buffer> | undefined): Buffer {
  const parts: Buffer[] = [];
  for (const [full, value] of [...(xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [prefix, index] = XATTR_PREFIXES.find(([start]) => full.startsWith(start)) ?? [];
    if (prefix === undefined || index === undefined) continue;
    const name = Buffer.from(full.slice(prefix.length));
    const entry = Buffer.alloc((4 + name.length + value.length + 3) & ~3);
    entry.writeUInt8(name.length, 0);
    entry.writeUInt8(index, 1);
    entry.writeUInt16LE(value.length, 2);
    entry.set(name, 4);
    entry.set(value, 4 + name.length);
    parts.push(entry);
  }
  return parts.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.alloc(XATTR_HEAD), ...parts]);
}

/** What encodeXattrs wrote; other indexes (of prefixes in the image) are left out. */
export function decodeXattrs(bytes: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let at = XATTR_HEAD; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt8(at);
    const [prefix] = XATTR_PREFIXES.find(([, index]) => index === bytes.readUInt8(at + 1)) ?? [];
    const size = bytes.readUInt16LE(at + 2);
    const end = at + 4 + length + size;
    if (end > bytes.length) break;
    if (prefix !== undefined) found.set(prefix + bytes.toString('utf8', at + 4, at + 4 + length), bytes.subarray(at + 4 + length, end));
    at = (end + 3) & ~3;
  }
  return found;
}

const NS = 1_000_000_000n;
const floorSeconds = (ns: bigint): bigint => (ns >= 0n ? ns / NS : -((-ns + NS - 1n) / NS));

/** Linux's 32-bit form of a device number: 12 bits of major between 8 low and 12 high bits of minor. */
export function encodeDevice({ major, minor }: { major: number; minor: number }): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

export interface SuperFields {
  readonly rootNid: number;
  readonly inodes: number;
  readonly blocks: number;
  readonly timeNs: bigint;
  readonly uuid: Uint8Array;
}

/** Writes the superblock into the image's first block, with the checksum of that block from the superblock on: write it last. */
export function writeSuper(first: Buffer, fields: SuperFields): void {
  const at = SUPER_OFFSET;
  const seconds = floorSeconds(fields.timeNs);
  first.writeUInt32LE(MAGIC, at);
  first.writeUInt32LE(0, at + 4);
  first.writeUInt32LE(COMPAT_CHECKSUM | COMPAT_MTIME, at + 8);
  first.writeUInt8(BLOCK_BITS, at + 12);
  first.writeUInt16LE(fields.rootNid, at + 14);
  first.writeBigUInt64LE(BigInt(fields.inodes), at + 16);
  first.writeBigInt64LE(seconds, at + 24);
  first.writeUInt32LE(Number(fields.timeNs - seconds * NS), at + 32);
  first.writeUInt32LE(fields.blocks, at + 36);
  first.set(fields.uuid, at + 48);
  first.writeUInt32LE(computeChecksum(first.subarray(at, BLOCK)), at + 4);
}

/** CRC-32C (Castagnoli), reflected, begun with all ones, not inverted at the end. */
function computeChecksum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return crc >>> 0;
}

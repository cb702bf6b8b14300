/**
 * Files as they lie somewhere: in an EROFS image, an ext4 file system, a directory of this host, or one of these on top of another. Owns: the one form in which they are looked at. Rules: an id is
 * good as long as its place is; nothing is followed: links are read; names are text without loss (layers/names.ts); what cannot be read is the place's own error.
 */
import type { FileKind } from './tree.ts';

export interface FileStat {
  readonly kind: FileKind;
  /** Permission bits with set-id and sticky: 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file's content or a link's text. */
  readonly size: number;
  readonly links: number;
  readonly mtimeNs: bigint;
  readonly device?: { readonly major: number; readonly minor: number } | undefined;
}

export interface FilePlace<Id> {
  readonly root: Id;
  stat(id: Id): FileStat;
  /** Of a directory, without "." and "..". */
  list(id: Id): ReadonlyMap<string, Id>;
  /** Of a regular file; exactly `size` bytes. */
  content(id: Id): Iterable<Buffer>;
  /** A symbolic link's text. */
  readLink(id: Id): string;
  /** By their full names: "security.capability". */
  xattrs(id: Id): ReadonlyMap<string, Buffer>;
  /** Two names with one key are one file. */
  key(id: Id): string;
}

/** Of st_mode's upper bits, in EROFS, ext4 and stat(2). */
export const KIND_OF_MODE: Readonly<Record<number, FileKind>> = { 1: 'fifo', 2: 'character', 4: 'directory', 6: 'block', 8: 'file', 10: 'symlink', 12: 'socket' };

/** Linux's 32-bit form of a device number: 12 bits of major between 8 low and 12 high bits of minor. */
export function decodeDevice(packed: number): { major: number; minor: number } {
  return { major: (packed >>> 8) & 0xfff, minor: (packed & 0xff) | ((packed >>> 12) & 0xfff00) };
}

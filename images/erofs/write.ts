/**
 * A tree -> an EROFS image in a file. Owns: the two streams (inodes with what lies behind them, then whole blocks) and the check that
 * content is still what the tree says. Rules: a few buffers, never a file in memory; the same tree gives the same bytes.
 *
 * Main path: placeTree -> writeMetadata -> writeContent -> the first block again, with the superblock.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import type { Tree, TreeEntry } from '../rootfs/index.ts';
import { identifyTree } from '../rootfs/index.ts';
import { ErofsError } from './error.ts';
import { BLOCK, COMPACT, DIRENT, direntType, encodeDevice, encodeXattrs, EXTENDED, NO_BLOCK, SLOT, writeInode, writeSuper } from './format.ts';
import { packDirectory, type PlacedInode, type Placement, placeTree } from './layout.ts';

export interface ErofsSummary {
  readonly size: number;
  readonly inodes: number;
}

const CHUNK = 1 << 20;

/** `fd`: an empty file, open for writing. */
export function writeErofs(tree: Tree, fd: number): ErofsSummary {
  // After this: every inode and every block has its place.
  const placement = placeTree(tree);
  // After this: all but the superblock of the metadata is in the file; its first block is held back.
  const first = writeMetadata(placement, fd);
  writeContent(placement, fd);
  writeSuper(first, {
    rootNid: (placement.inodes[0] as PlacedInode).offset / SLOT,
    inodes: placement.inodes.length,
    blocks: placement.blocks,
    timeNs: placement.timeNs,
    uuid: makeUuid(tree),
  });
  const size = placement.blocks * BLOCK;
  guard(() => ftruncateSync(fd, size));
  writeAt(fd, first, 0);
  return { size, inodes: placement.inodes.length };
}

/** RFC 9562 version 8: our own bits, from the tree. */
function makeUuid(tree: Tree): Uint8Array {
  const uuid = createHash('sha256').update(identifyTree(tree)).digest().subarray(0, 16);
  uuid[6] = ((uuid[6] as number) & 0x0f) | 0x80;
  uuid[8] = ((uuid[8] as number) & 0x3f) | 0x80;
  return uuid;
}

function writeMetadata(placement: Placement, fd: number): Buffer {
  const first = Buffer.alloc(BLOCK);
  let block = 0;
  let buffer = first;
  const flush = () => {
    if (block > 0) writeAt(fd, buffer, block * BLOCK);
  };
  for (const placed of placement.inodes) {
    const at = Math.floor(placed.offset / BLOCK);
    if (at !== block) {
      flush();
      block = at;
      buffer = Buffer.alloc(BLOCK);
    }
    encodeInode(placement, placed, buffer, placed.offset % BLOCK);
  }
  flush();
  return first;
}

function encodeInode(placement: Placement, placed: PlacedInode, out: Buffer, at: number): void {
  const { inode } = placed;
  const place = inode.device !== undefined ? encodeDevice(inode.device) : placed.blocks > 0 ? placed.firstBlock : placed.inlined > 0 ? NO_BLOCK : 0;
  writeInode(out, at, { ...inode, size: placed.size, number: placed.number, layout: placed.layout, isExtended: placed.isExtended, place, xattrBytes: placed.xattrBytes });
  if (placed.xattrBytes > 0) out.set(encodeXattrs(inode.xattrs), at + (placed.isExtended ? EXTENDED : COMPACT));
  if (placed.inlined === 0) return;
  const start = at + (placed.isExtended ? EXTENDED : COMPACT) + placed.xattrBytes;
  const tail = out.subarray(start, start + placed.inlined);
  const from = placed.blocks * BLOCK;
  if (inode.kind === 'symlink') tail.set((inode.target as Buffer).subarray(from));
  else if (inode.kind === 'directory') tail.set(encodeDirectory(placement, placed).subarray(from));
  else readContent(placed, (source) => readExactly(placed, source, tail, from));
}

function encodeDirectory(placement: Placement, placed: PlacedInode): Buffer {
  const bytes = Buffer.alloc(Math.ceil(placed.size / BLOCK) * BLOCK);
  packDirectory(placed.inode, placed.parent).forEach((entries: TreeEntry[], index) => {
    let name = index * BLOCK + entries.length * DIRENT;
    entries.forEach((entry, i) => {
      const at = index * BLOCK + i * DIRENT;
      const child = placement.find.get(entry.inode) as PlacedInode;
      bytes.writeBigUInt64LE(BigInt(child.offset / SLOT), at);
      bytes.writeUInt16LE(name - index * BLOCK, at + 8);
      bytes.writeUInt8(direntType(entry.inode.kind), at + 10);
      bytes.set(entry.name, name);
      name += entry.name.length;
    });
  });
  return bytes.subarray(0, placed.size);
}

function writeContent(placement: Placement, fd: number): void {
  const buffer = Buffer.allocUnsafe(CHUNK);
  for (const placed of placement.inodes) {
    if (placed.blocks === 0) continue;
    const at = placed.firstBlock * BLOCK;
    const size = placed.size - placed.inlined;
    const { kind, target } = placed.inode;
    if (kind === 'directory') writeAt(fd, encodeDirectory(placement, placed).subarray(0, size), at);
    else if (kind === 'symlink') writeAt(fd, target as Buffer, at);
    else {
      readContent(placed, (source) => {
        for (let done = 0; done < size; ) {
          const piece = buffer.subarray(0, Math.min(CHUNK, size - done));
          readExactly(placed, source, piece, done);
          writeAt(fd, piece, at + done);
          done += piece.length;
        }
      });
    }
  }
}

function describe(placed: PlacedInode): string {
  return placed.inode.source?.path.toString() ?? 'a file';
}

function readContent(placed: PlacedInode, read: (fd: number) => void): void {
  const shared = placed.inode.source?.fd;
  if (shared !== undefined) {
    read(shared);
    return;
  }
  let fd: number;
  try {
    fd = openSync(placed.inode.source?.path as Buffer, 'r');
  } catch (cause) {
    throw new ErofsError('content-unreadable', `Cannot read "${describe(placed)}": ${(cause as Error).message}, expected a readable file`, { cause });
  }
  try {
    if (fstatSync(fd).size !== placed.size) throw changed(placed);
    read(fd);
  } finally {
    closeSync(fd);
  }
}

const changed = (placed: PlacedInode) =>
  new ErofsError('content-changed', `Cannot read "${describe(placed)}": it changed meanwhile, expected a tree that nobody writes to`);

function readExactly(placed: PlacedInode, fd: number, out: Buffer, from: number): void {
  for (let done = 0; done < out.length; ) {
    const got = readSync(fd, out, done, out.length - done, (placed.inode.source?.offset ?? 0) + from + done);
    if (got === 0) throw changed(placed);
    done += got;
  }
}

function writeAt(fd: number, bytes: Uint8Array, at: number): void {
  guard(() => {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
  });
}

function guard(action: () => void): void {
  try {
    action();
  } catch (cause) {
    throw new ErofsError('image-unwritable', `Cannot write "the image": ${(cause as Error).message}, expected room for it`, { cause });
  }
}

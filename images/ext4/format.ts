/**
 * An empty ext4 file system in a sparse file (Linux Documentation/filesystems/ext4). Owns: its geometry. 4 KiB blocks, 256-byte inodes, 64-bit descriptors,
 * checksums of all metadata, a journal. Groups that nothing lies in yet are marked as such, so that formatting writes some hundred kilobytes whatever the size.
 * Rule: only what a new one needs; there is no lost+found (e2fsck makes one when it needs one), so that an empty volume is an empty directory.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { crc32c } from './crc32c.ts';
import { Ext4Error } from './error.ts';

const BLOCK = 4096;
const GROUP_BLOCKS = 8 * BLOCK;
const GROUP_SIZE = 64;
const INODE_SIZE = 256;
const INODE_RATIO = 16384;
const FIRST_INODE = 11;
const ROOT_INODE = 2;
const JOURNAL_INODE = 8;
const LEAST_SIZE = 16 * 1024 ** 2;
const MOST_SIZE = 16 * 1024 ** 4;

const COMPAT = 0x4 | 0x8 | 0x20; // has_journal, ext_attr, dir_index
const INCOMPAT = 0x2 | 0x40 | 0x80; // filetype, extent, 64bit
const RO_COMPAT = 0x1 | 0x2 | 0x8 | 0x20 | 0x40 | 0x400; // sparse_super, large_file, huge_file, dir_nlink, extra_isize, metadata_csum
const NO_INODES = 1;
const NO_BLOCKS = 2;
const TABLE_ZEROED = 4;

interface Geometry {
  readonly blocks: number;
  readonly groups: number;
  readonly groupInodes: number;
  readonly tableBlocks: number;
  readonly descriptorBlocks: number;
  readonly journalBlocks: number;
  readonly uuid: Buffer;
  readonly seed: number;
  readonly now: number;
}

function hasSuper(group: number): boolean {
  if (group <= 1) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}

const overheadOf = (geometry: Geometry, group: number) => (hasSuper(group) ? 1 + geometry.descriptorBlocks : 0) + 2 + geometry.tableBlocks;
const blocksIn = (geometry: Geometry, group: number) => Math.min(GROUP_BLOCKS, geometry.blocks - group * GROUP_BLOCKS);

function planGeometry(size: number): Geometry {
  let blocks = Math.floor(size / BLOCK);
  const groupInodes = Math.ceil(Math.min(blocks, GROUP_BLOCKS) * (BLOCK / INODE_RATIO) / 16) * 16;
  const tableBlocks = (groupInodes * INODE_SIZE) / BLOCK;
  const uuid = Buffer.from(crypto.getRandomValues(new Uint8Array(16)));
  uuid[6] = ((uuid[6] as number) & 0x0f) | 0x40;
  uuid[8] = ((uuid[8] as number) & 0x3f) | 0x80;
  const make = (): Geometry => {
    const groups = Math.ceil(blocks / GROUP_BLOCKS);
    return {
      blocks,
      groups,
      groupInodes,
      tableBlocks,
      descriptorBlocks: Math.ceil((groups * GROUP_SIZE) / BLOCK),
      journalBlocks: blocks < 32768 ? 1024 : blocks < 262144 ? 4096 : 8192,
      uuid,
      seed: crc32c(uuid),
      now: Math.floor(Date.now() / 1000),
    };
  };
  const geometry = make();
  const last = geometry.groups - 1;
  if (last > 0 && blocksIn(geometry, last) < overheadOf(geometry, last) + 64) {
    blocks = last * GROUP_BLOCKS; // too short to be worth its tables
    return make();
  }
  return geometry;
}

const firstBlocks = (geometry: Geometry, group: number) => {
  const bitmap = group * GROUP_BLOCKS + (hasSuper(group) ? 1 + geometry.descriptorBlocks : 0);
  return { blockBitmap: bitmap, inodeBitmap: bitmap + 1, table: bitmap + 2 };
};

/** Where things lie in the first group, behind its tables. */
const rootBlock = (geometry: Geometry) => firstBlocks(geometry, 0).table + geometry.tableBlocks;
const journalBlock = (geometry: Geometry) => rootBlock(geometry) + 1;
const usedInFirst = (geometry: Geometry) => journalBlock(geometry) + geometry.journalBlocks;

function setBits(bitmap: Buffer, from: number, to: number): void {
  for (let bit = from; bit < to; bit++) bitmap[bit >> 3] = (bitmap[bit >> 3] as number) | (1 << (bit & 7));
}

const isInitialised = (geometry: Geometry, group: number) => group === 0 || group === geometry.groups - 1;
const usedIn = (geometry: Geometry, group: number) => (group === 0 ? usedInFirst(geometry) : overheadOf(geometry, group));

function makeBlockBitmap(geometry: Geometry, group: number): Buffer {
  const bitmap = Buffer.alloc(BLOCK);
  setBits(bitmap, 0, usedIn(geometry, group));
  setBits(bitmap, blocksIn(geometry, group), GROUP_BLOCKS); // beyond the end
  return bitmap;
}

function makeInodeBitmap(geometry: Geometry): Buffer {
  const bitmap = Buffer.alloc(BLOCK);
  setBits(bitmap, 0, FIRST_INODE - 1);
  setBits(bitmap, geometry.groupInodes, GROUP_BLOCKS);
  return bitmap;
}

function makeDescriptors(geometry: Geometry): Buffer {
  const all = Buffer.alloc(geometry.descriptorBlocks * BLOCK);
  for (let group = 0; group < geometry.groups; group++) {
    const at = all.subarray(group * GROUP_SIZE, (group + 1) * GROUP_SIZE);
    const places = firstBlocks(geometry, group);
    const free = blocksIn(geometry, group) - usedIn(geometry, group);
    const inodes = group === 0 ? geometry.groupInodes - (FIRST_INODE - 1) : geometry.groupInodes;
    for (const [i, place] of [places.blockBitmap, places.inodeBitmap, places.table].entries()) {
      at.writeUInt32LE(place >>> 0, 4 * i);
      at.writeUInt32LE(Math.floor(place / 2 ** 32), 0x20 + 4 * i);
    }
    at.writeUInt16LE(free, 0xc);
    at.writeUInt16LE(inodes, 0xe);
    at.writeUInt16LE(group === 0 ? 1 : 0, 0x10);
    at.writeUInt16LE(TABLE_ZEROED | (group === 0 ? 0 : NO_INODES) | (isInitialised(geometry, group) ? 0 : NO_BLOCKS), 0x12);
    at.writeUInt16LE(inodes, 0x1c); // behind the last used one
    const putChecksum = (crc: number, low: number, high: number) => {
      at.writeUInt16LE(crc & 0xffff, low);
      at.writeUInt16LE(crc >>> 16, high);
    };
    if (isInitialised(geometry, group)) putChecksum(crc32c(makeBlockBitmap(geometry, group), geometry.seed), 0x18, 0x38);
    if (group === 0) putChecksum(crc32c(makeInodeBitmap(geometry).subarray(0, geometry.groupInodes / 8), geometry.seed), 0x1a, 0x3a);
    const number = Buffer.alloc(4);
    number.writeUInt32LE(group);
    at.writeUInt16LE(crc32c(at, crc32c(number, geometry.seed)) & 0xffff, 0x1e); // its own place is still zero
  }
  return all;
}

function makeInode(geometry: Geometry, ino: number, fields: { mode: number; links: number; size: number; start: number; count: number }): Buffer {
  const inode = Buffer.alloc(INODE_SIZE);
  inode.writeUInt16LE(fields.mode, 0);
  inode.writeUInt32LE(fields.size, 4);
  for (const place of [8, 0xc, 0x10, 0x90]) inode.writeUInt32LE(geometry.now, place);
  inode.writeUInt16LE(fields.links, 0x1a);
  inode.writeUInt32LE(fields.count * (BLOCK / 512), 0x1c);
  inode.writeUInt32LE(0x80000, 0x20); // has extents: one
  inode.writeUInt16LE(0xf30a, 0x28);
  inode.writeUInt16LE(1, 0x2a);
  inode.writeUInt16LE(4, 0x2c);
  inode.writeUInt16LE(fields.count, 0x38);
  inode.writeUInt32LE(fields.start, 0x3c);
  inode.writeUInt16LE(32, 0x80);
  const crc = crc32c(inode, inodeSeed(geometry, ino));
  inode.writeUInt16LE(crc & 0xffff, 0x7c);
  inode.writeUInt16LE(crc >>> 16, 0x82);
  return inode;
}

function inodeSeed(geometry: Geometry, ino: number): number {
  const number = Buffer.alloc(8); // its generation is 0
  number.writeUInt32LE(ino);
  return crc32c(number, geometry.seed);
}

function makeRootDirectory(geometry: Geometry): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.writeUInt32LE(ROOT_INODE, 0);
  block.writeUInt16LE(12, 4);
  block.write('\x01\x02.', 6, 'latin1');
  block.writeUInt32LE(ROOT_INODE, 12);
  block.writeUInt16LE(BLOCK - 24, 16);
  block.write('\x02\x02..', 18, 'latin1');
  block.writeUInt16LE(12, BLOCK - 8);
  block.writeUInt8(0xde, BLOCK - 5);
  block.writeUInt32LE(crc32c(block.subarray(0, BLOCK - 12), inodeSeed(geometry, ROOT_INODE)), BLOCK - 4);
  return block;
}

function makeJournalSuper(geometry: Geometry): Buffer {
  const block = Buffer.alloc(BLOCK);
  for (const [i, word] of [0xc03b3998, 4, 0, BLOCK, geometry.journalBlocks, 1, 1, 0, 0, 0, 0x10 | 0x2].entries()) block.writeUInt32BE(word, 4 * i); // 64-bit, checksums
  geometry.uuid.copy(block, 0x30);
  block.writeUInt32BE(1, 0x40);
  block.writeUInt8(4, 0x50); // crc32c
  block.writeUInt32BE(crc32c(block.subarray(0, 1024)), 0xfc);
  return block;
}

function makeSuper(geometry: Geometry, group: number, journal: Buffer): Buffer {
  const at = Buffer.alloc(1024);
  const free = Array.from({ length: geometry.groups }, (_, i) => blocksIn(geometry, i) - usedIn(geometry, i)).reduce((sum, count) => sum + count, 0);
  const inodes = geometry.groups * geometry.groupInodes;
  const put = (place: number, value: number) => at.writeUInt32LE(value >>> 0, place);
  put(0, inodes);
  put(4, geometry.blocks);
  put(0xc, free);
  put(0x10, inodes - (FIRST_INODE - 1));
  put(0x18, 2); // 1024 << 2
  put(0x1c, 2);
  put(0x20, GROUP_BLOCKS);
  put(0x24, GROUP_BLOCKS);
  put(0x28, geometry.groupInodes);
  put(0x30, geometry.now);
  at.writeUInt16LE(0xffff, 0x36); // no check after so many mounts
  at.writeUInt16LE(0xef53, 0x38);
  at.writeUInt16LE(1, 0x3a); // clean
  at.writeUInt16LE(1, 0x3c);
  put(0x40, geometry.now);
  put(0x4c, 1);
  put(0x54, FIRST_INODE);
  at.writeUInt16LE(INODE_SIZE, 0x58);
  at.writeUInt16LE(group, 0x5a);
  put(0x5c, COMPAT);
  put(0x60, INCOMPAT);
  put(0x64, RO_COMPAT);
  geometry.uuid.copy(at, 0x68);
  put(0xe0, JOURNAL_INODE);
  geometry.uuid.copy(at, 0xec); // of the names' hashes: any
  at.writeUInt8(1, 0xfc);
  at.writeUInt8(1, 0xfd); // what follows of the journal's inode is a copy of it
  at.writeUInt16LE(GROUP_SIZE, 0xfe);
  put(0x108, geometry.now);
  journal.copy(at, 0x10c, 0x28, 0x28 + 60);
  journal.copy(at, 0x10c + 64, 4, 8);
  put(0x150, Math.floor(geometry.blocks / 2 ** 32));
  put(0x158, Math.floor(free / 2 ** 32));
  at.writeUInt16LE(32, 0x15c);
  at.writeUInt16LE(32, 0x15e);
  put(0x160, 1);
  at.writeUInt8(1, 0x175); // crc32c
  put(0x3fc, crc32c(at.subarray(0, 1020)));
  return at;
}

/** Makes `path` (which must not be there, or is replaced) an empty ext4 file system of `size` bytes. Ext4Error. */
export function formatExt4(path: string, size: number): void {
  if (!Number.isSafeInteger(size) || size < LEAST_SIZE || size > MOST_SIZE) {
    throw new Ext4Error('size-invalid', `Cannot make a file system of ${size} bytes, expected from 16m to 16t`);
  }
  const geometry = planGeometry(size);
  const journal = makeInode(geometry, JOURNAL_INODE, { mode: 0o100600, links: 1, size: geometry.journalBlocks * BLOCK, start: journalBlock(geometry), count: geometry.journalBlocks });
  const root = makeInode(geometry, ROOT_INODE, { mode: 0o40755, links: 2, size: BLOCK, start: rootBlock(geometry), count: 1 });
  const descriptors = makeDescriptors(geometry);
  let fd: number | undefined;
  try {
    fd = openSync(path, 'w', 0o600);
    ftruncateSync(fd, size);
    const put = (bytes: Buffer, place: number) => writeSync(fd as number, bytes, 0, bytes.length, place);
    const table = firstBlocks(geometry, 0).table * BLOCK;
    put(root, table + (ROOT_INODE - 1) * INODE_SIZE);
    put(journal, table + (JOURNAL_INODE - 1) * INODE_SIZE);
    put(makeRootDirectory(geometry), rootBlock(geometry) * BLOCK);
    put(makeJournalSuper(geometry), journalBlock(geometry) * BLOCK);
    put(makeInodeBitmap(geometry), firstBlocks(geometry, 0).inodeBitmap * BLOCK);
    for (const group of new Set([0, geometry.groups - 1])) put(makeBlockBitmap(geometry, group), firstBlocks(geometry, group).blockBitmap * BLOCK);
    for (let group = 0; group < geometry.groups; group++) {
      if (!hasSuper(group)) continue;
      put(descriptors, (group * GROUP_BLOCKS + 1) * BLOCK);
      put(makeSuper(geometry, group, journal), group * GROUP_BLOCKS * BLOCK + (group === 0 ? 1024 : 0));
    }
    fsyncSync(fd);
  } catch (error) {
    throw new Ext4Error('volume-unwritable', `Cannot write "${path}": ${(error as Error).message}, expected room for a file system`, { cause: error });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

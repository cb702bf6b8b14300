/**
 * The blocks of an ext4 file system in a file (Linux Documentation/filesystems/ext4: super, group_descr), seen through a journal that was not written back. Owns: the geometry that the superblock
 * tells, and that nothing outside of the file is read. Rule: an unknown incompatible feature is refused with its number, since what it means for reading is not known.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { makeReadAt } from '../rootfs/index.ts';
import { Ext4Error } from './error.ts';

const MAGIC = 0xef53;
export const INCOMPAT = { COMPRESSION: 1, FILETYPE: 2, RECOVER: 4, JOURNAL_DEVICE: 8, META_BG: 0x10, EXTENTS: 0x40, BITS_64: 0x80, MMP: 0x100, FLEX_BG: 0x200, EA_INODE: 0x400, DIRDATA: 0x1000, SEED: 0x2000, LARGEDIR: 0x4000, INLINE: 0x8000, ENCRYPT: 0x10000, CASEFOLD: 0x20000 } as const;
const KNOWN = INCOMPAT.FILETYPE | INCOMPAT.RECOVER | INCOMPAT.META_BG | INCOMPAT.EXTENTS | INCOMPAT.BITS_64 | INCOMPAT.MMP | INCOMPAT.FLEX_BG | INCOMPAT.EA_INODE | INCOMPAT.SEED | INCOMPAT.LARGEDIR | INCOMPAT.INLINE | INCOMPAT.ENCRYPT | INCOMPAT.CASEFOLD;

export interface Ext4Device {
  readonly blockSize: number;
  readonly blocks: number;
  readonly inodes: number;
  readonly inodeSize: number;
  readonly incompatible: number;
  /** 0: there is none. */
  readonly journalInode: number;
  /** Whether the journal has what is not at its place yet. */
  readonly needsReplay: boolean;
  /** One block, as it is after the journal's replay. */
  block(number: number): Buffer;
  /** Blocks that follow each other, of a file's content (which no journal of Linux's "ordered" mode holds, but one of "journal" mode does). */
  span(first: number, count: number, from: number, size: number): Buffer;
  /** The 256 (or so) bytes of an inode. */
  inode(number: number): Buffer;
  /** What the journal has in place of blocks: block -> its content. */
  replace(blocks: ReadonlyMap<number, Buffer>): void;
  damaged(what: string): Ext4Error;
  close(): void;
}

export function openDevice(path: string): Ext4Device {
  const damaged = (what: string) => new Ext4Error('volume-unreadable', `Cannot read "${path}": ${what}, expected an ext4 file system`);
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw new Ext4Error('volume-unreadable', `Cannot read "${path}": ${(error as Error).message}, expected a file with an ext4 file system`, { cause: error });
  }
  try {
    return readGeometry(fd, damaged);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function readGeometry(fd: number, damaged: (what: string) => Ext4Error): Ext4Device {
  const end = fstatSync(fd).size;
  const readAt = makeReadAt(fd, end, damaged);
  if (end < 2048) throw damaged('it is too short');
  const disk = readAt(1024, 1024);
  if (disk.readUInt16LE(0x38) !== MAGIC) throw damaged('it has no superblock');
  const incompatible = disk.readUInt32LE(0x60);
  const unknown = (incompatible & ~KNOWN) >>> 0;
  if (unknown !== 0) throw damaged(`it has the incompatible feature 0x${unknown.toString(16)}`);
  const shift = disk.readUInt32LE(0x18);
  if (shift > 6) throw damaged('its block size is not possible');
  const blockSize = 1024 << shift;
  const is64 = (incompatible & INCOMPAT.BITS_64) !== 0;
  const blocks = disk.readUInt32LE(4) + (is64 ? disk.readUInt32LE(0x150) * 2 ** 32 : 0);
  const firstBlock = disk.readUInt32LE(0x14);
  const groupBlocks = disk.readUInt32LE(0x20);
  const groupInodes = disk.readUInt32LE(0x28);
  const inodes = disk.readUInt32LE(0);
  const inodeSize = disk.readUInt32LE(0x4c) === 0 ? 128 : disk.readUInt16LE(0x58);
  const descriptorSize = is64 ? disk.readUInt16LE(0xfe) : 32;
  if (groupBlocks === 0 || groupInodes === 0 || inodeSize < 128 || inodeSize > blockSize || descriptorSize < 32 || descriptorSize > blockSize) throw damaged('its superblock is damaged');
  const groups = Math.ceil((blocks - firstBlock) / groupBlocks);
  const perBlock = Math.floor(blockSize / descriptorSize);
  const firstMeta = disk.readUInt32LE(0x104);
  let replaced: ReadonlyMap<number, Buffer> = new Map();

  const block = (number: number): Buffer => {
    if (number < 0 || number >= blocks) throw damaged(`a block number in it is ${number}`);
    return replaced.get(number) ?? readAt(number * blockSize, blockSize);
  };
  const hasSuper = (group: number) => {
    if (group <= 1 || (disk.readUInt32LE(0x64) & 1) === 0) return true;
    return [3, 5, 7].some((base) => {
      let power = base;
      while (power < group) power *= base;
      return power === group;
    });
  };
  /** Where the block with a group's descriptor is: all behind the superblock, or (META_BG) in the first group that they describe. */
  const descriptorBlock = (index: number) => {
    if ((incompatible & INCOMPAT.META_BG) === 0 || index < firstMeta) return firstBlock + 1 + index;
    const group = index * perBlock;
    return firstBlock + group * groupBlocks + (hasSuper(group) ? 1 : 0);
  };
  return {
    blockSize,
    blocks,
    inodes,
    inodeSize,
    incompatible,
    journalInode: (disk.readUInt32LE(0x5c) & 4) === 0 ? 0 : disk.readUInt32LE(0xe0),
    needsReplay: (incompatible & INCOMPAT.RECOVER) !== 0,
    block,
    span(first, count, from, size) {
      if (first < 0 || first + count > blocks) throw damaged(`a file in it lies in block ${first}`);
      const bytes = readAt(first * blockSize + from, size);
      if (replaced.size === 0) return bytes;
      for (let at = Math.floor(from / blockSize); at * blockSize < from + size; at++) {
        const other = replaced.get(first + at);
        if (other === undefined) continue;
        const start = Math.max(from, at * blockSize);
        other.copy(bytes, start - from, start - at * blockSize, Math.min(blockSize, from + size - at * blockSize));
      }
      return bytes;
    },
    inode(number) {
      if (number < 1 || number > inodes) throw damaged(`an inode number in it is ${number}`);
      const group = Math.floor((number - 1) / groupInodes);
      if (group >= groups) throw damaged(`an inode number in it is ${number}`);
      const descriptors = block(descriptorBlock(Math.floor(group / perBlock)));
      const at = (group % perBlock) * descriptorSize;
      const table = descriptors.readUInt32LE(at + 8) + (descriptorSize >= 64 ? descriptors.readUInt32LE(at + 0x28) * 2 ** 32 : 0);
      const offset = ((number - 1) % groupInodes) * inodeSize;
      const within = offset % blockSize;
      return block(table + Math.floor(offset / blockSize)).subarray(within, within + inodeSize);
    },
    replace(next) {
      replaced = next;
    },
    damaged,
    close: () => closeSync(fd),
  };
}

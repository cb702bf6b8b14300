/**
 * What is in an ext4 file system in a file (Linux Documentation/filesystems/ext4: inodes, ifork, directory, attributes): hull's own, and what Linux's mkfs.ext4 makes. Owns: extents, directories,
 * links, devices, attributes, content in the inode. Rules: nothing is mounted and nothing written: a file system that was not left in order is read as its journal would leave it; of an index only
 * the names are taken, since indexed directories read as plain ones; all numbers are checked before they are places. Limits: block maps of ext2 and ext3 and encrypted files are refused one by one.
 */
import { decodeName } from '../layers/index.ts';
import { decodeDevice, type FilePlace, type FileStat, KIND_OF_MODE } from '../rootfs/index.ts';
import { type Ext4Device, INCOMPAT, openDevice } from './device.ts';
import { replayJournal } from './replay.ts';

const ROOT_INODE = 2;
const FLAG = { ENCRYPTED: 0x800, EXTENTS: 0x80000, INLINE: 0x1000_0000 } as const;
const EXTENT_MAGIC = 0xf30a;
const EXTENT_MOST = 32768;
const XATTR_MAGIC = 0xea020000;
const XATTR_PREFIXES: readonly (string | undefined)[] = ['', 'user.', 'system.posix_acl_access', 'system.posix_acl_default', 'trusted.', undefined, 'security.', 'system.', 'system.richacl'];
/** Where the content of a small file goes on that begins in its inode. */
const INLINE_NAME = 'system.data';
const INLINE_HEAD = 60;
const MOST_DEPTH = 5;
const MOST_FOLDER = 1 << 30;
/** Of content that is given at once. */
const PIECE = 1 << 20;
const NS = 1_000_000_000n;

interface Inode {
  readonly number: number;
  readonly raw: Buffer;
  readonly flags: number;
  readonly mode: number;
  readonly size: number;
}

interface Extent {
  /** Block of the file, and of the device. */
  readonly first: number;
  readonly count: number;
  readonly start: number;
  readonly isWritten: boolean;
}

export interface Ext4Reader extends FilePlace<number> {
  close(): void;
}

/** Ext4Error. */
export function openExt4(path: string): Ext4Reader {
  const device = openDevice(path);
  try {
    return readFileSystem(device);
  } catch (error) {
    device.close();
    throw error;
  }
}

function readFileSystem(device: Ext4Device): Ext4Reader {
  const { blockSize, damaged } = device;

  const readInode = (number: number): Inode => {
    const raw = device.inode(number);
    return { number, raw, flags: raw.readUInt32LE(0x20), mode: raw.readUInt16LE(0), size: raw.readUInt32LE(4) + raw.readUInt32LE(0x6c) * 2 ** 32 };
  };

  const readExtents = (inode: Inode): Extent[] => {
    if ((inode.flags & FLAG.EXTENTS) === 0) throw damaged(`file ${inode.number} in it has no extents (of ext2 or ext3)`);
    const found: Extent[] = [];
    let seen = 0;
    const visit = (node: Buffer, depth: number | undefined) => {
      const count = node.readUInt16LE(2);
      const level = node.readUInt16LE(6);
      if (node.readUInt16LE(0) !== EXTENT_MAGIC || level > MOST_DEPTH || (depth !== undefined && level !== depth) || 12 + 12 * count > node.length || ++seen > device.blocks) {
        throw damaged(`the extents of file ${inode.number} are damaged`);
      }
      for (let i = 0; i < count; i++) {
        const at = 12 + 12 * i;
        if (level > 0) {
          visit(device.block(node.readUInt32LE(at + 4) + node.readUInt16LE(at + 8) * 2 ** 32), level - 1);
          continue;
        }
        const length = node.readUInt16LE(at + 4);
        const isWritten = length <= EXTENT_MOST;
        found.push({ first: node.readUInt32LE(at), count: isWritten ? length : length - EXTENT_MOST, start: node.readUInt32LE(at + 8) + node.readUInt16LE(at + 6) * 2 ** 32, isWritten });
      }
    };
    visit(inode.raw.subarray(0x28, 0x28 + 60), undefined);
    return found.sort((a, b) => a.first - b.first);
  };

  /** Of anything that has content: files, directories, long links. */
  function* readContent(inode: Inode): Generator<Buffer> {
    const { size } = inode;
    if ((inode.flags & FLAG.ENCRYPTED) !== 0) throw damaged(`file ${inode.number} in it is encrypted`);
    if ((inode.flags & FLAG.INLINE) !== 0) {
      const rest = readXattrs(inode, true).get(INLINE_NAME) ?? Buffer.alloc(0);
      const all = Buffer.concat([inode.raw.subarray(0x28, 0x28 + INLINE_HEAD), rest]);
      if (all.length < size) throw damaged(`file ${inode.number} in it is cut off`);
      yield Buffer.from(all.subarray(0, size));
      return;
    }
    let at = 0;
    function* zeros(to: number): Generator<Buffer> {
      for (; at < to; at += Math.min(PIECE, to - at)) yield Buffer.alloc(Math.min(PIECE, to - at));
    }
    for (const { first, count, start, isWritten } of readExtents(inode)) {
      const from = first * blockSize;
      if (from < at) throw damaged(`the extents of file ${inode.number} overlap`);
      if (from >= size) break;
      yield* zeros(from);
      const to = Math.min(size, from + count * blockSize);
      if (!isWritten) {
        yield* zeros(to);
        continue;
      }
      while (at < to) {
        const piece = Math.min(PIECE, to - at);
        yield device.span(start, count, at - from, piece);
        at += piece;
      }
    }
    yield* zeros(size);
  }

  const readWhole = (inode: Inode): Buffer => {
    if (inode.size > MOST_FOLDER) throw damaged(`file ${inode.number} in it is too large for what it is`);
    return Buffer.concat([...readContent(inode)]);
  };

  function readXattrs(inode: Inode, withInline = false): Map<string, Buffer> {
    const found = new Map<string, Buffer>();
    const load = (entries: Buffer, base: Buffer) => {
      for (let at = 0; at + 4 <= entries.length && entries.readUInt32LE(at) !== 0; ) {
        if (at + 16 > entries.length) throw damaged(`the attributes of file ${inode.number} are damaged`);
        const length = entries.readUInt8(at);
        const prefix = XATTR_PREFIXES[entries.readUInt8(at + 1)];
        const offset = entries.readUInt16LE(at + 2);
        const holder = entries.readUInt32LE(at + 4);
        const size = entries.readUInt32LE(at + 8);
        if (at + 16 + length > entries.length || (holder === 0 && offset + size > base.length)) throw damaged(`the attributes of file ${inode.number} are damaged`);
        const name = `${prefix ?? ''}${entries.toString('utf8', at + 16, at + 16 + length)}`;
        const value = holder === 0 ? Buffer.from(base.subarray(offset, offset + size)) : readWhole(readInode(holder));
        if (prefix !== undefined && (withInline || name !== INLINE_NAME)) found.set(name, value);
        at += 16 + ((length + 3) & ~3);
      }
    };
    if (device.inodeSize > 128) {
      const start = 128 + inode.raw.readUInt16LE(0x80);
      if (start + 4 <= device.inodeSize && inode.raw.readUInt32LE(start) === XATTR_MAGIC) load(inode.raw.subarray(start + 4), inode.raw.subarray(start + 4));
    }
    const own = inode.raw.readUInt32LE(0x68) + inode.raw.readUInt16LE(0x76) * 2 ** 32;
    if (own !== 0) {
      const block = device.block(own);
      if (block.readUInt32LE(0) !== XATTR_MAGIC) throw damaged(`the attributes of file ${inode.number} are damaged`);
      load(block.subarray(32), block);
    }
    return found;
  }

  const isFolder = (inode: Inode) => inode.mode >> 12 === 4;

  const addNames = (bytes: Buffer, names: Map<string, number>, folder: number) => {
    for (let at = 0; at + 8 <= bytes.length; ) {
      const number = bytes.readUInt32LE(at);
      const stored = bytes.readUInt16LE(at + 4);
      const size = stored === 0xffff || stored === 0 ? 65536 : stored; // 64 KiB blocks
      const length = bytes.readUInt8(at + 6);
      if (size < 8 || (size & 3) !== 0 || at + size > bytes.length || 8 + length > size) throw damaged(`the directory ${folder} in it is damaged`);
      const name = bytes.subarray(at + 8, at + 8 + length);
      const isDot = (length === 1 && name[0] === 46) || (length === 2 && name[0] === 46 && name[1] === 46);
      if (number !== 0 && length > 0 && !isDot) names.set(decodeName(name), number);
      at += size;
    }
  };

  const list = (number: number): Map<string, number> => {
    const inode = readInode(number);
    const names = new Map<string, number>();
    if (!isFolder(inode)) throw damaged(`file ${number} in it is no directory`);
    if ((inode.flags & FLAG.INLINE) !== 0) {
      const rest = readXattrs(inode, true).get(INLINE_NAME) ?? Buffer.alloc(0);
      addNames(inode.raw.subarray(0x28 + 4, 0x28 + INLINE_HEAD), names, number); // the parent's number stands first
      addNames(rest, names, number);
      return names;
    }
    const bytes = readWhole(inode);
    for (let at = 0; at < bytes.length; at += blockSize) addNames(bytes.subarray(at, at + blockSize), names, number);
    return names;
  };

  const readTime = (inode: Inode): bigint => {
    const seconds = BigInt(inode.raw.readInt32LE(0x10));
    if (device.inodeSize < 0x8c || inode.raw.readUInt16LE(0x80) < 12) return seconds * NS;
    const extra = inode.raw.readUInt32LE(0x88);
    return (seconds + (BigInt(extra & 3) << 32n)) * NS + BigInt(extra >>> 2);
  };

  const stat = (number: number): FileStat => {
    const inode = readInode(number);
    const { raw } = inode;
    const kind = KIND_OF_MODE[inode.mode >> 12];
    if (kind === undefined) throw damaged(`file ${number} in it is of an unknown kind`);
    const old = raw.readUInt16LE(0x28); // one of the two forms of a device number: the other is 0
    const device = kind === 'character' || kind === 'block' ? (old !== 0 ? { major: old >> 8, minor: old & 0xff } : decodeDevice(raw.readUInt32LE(0x2c))) : undefined;
    return {
      kind,
      mode: inode.mode & 0o7777,
      uid: raw.readUInt16LE(2) + raw.readUInt16LE(0x78) * 65536,
      gid: raw.readUInt16LE(0x18) + raw.readUInt16LE(0x7a) * 65536,
      size: kind === 'file' || kind === 'symlink' ? inode.size : 0,
      links: raw.readUInt16LE(0x1a),
      mtimeNs: readTime(inode),
      device,
    };
  };

  if (device.needsReplay && device.journalInode !== 0) {
    const journal = readInode(device.journalInode);
    const places: number[] = [];
    for (const { first, count, start } of readExtents(journal)) for (let i = 0; i < count; i++) places[first + i] = start + i;
    device.replace(
      replayJournal(device, Math.floor(journal.size / blockSize), (at) => {
        const place = places[at];
        if (place === undefined) throw damaged('its journal has holes');
        return device.block(place);
      }),
    );
  }
  if (!isFolder(readInode(ROOT_INODE))) throw damaged('its root is no directory');
  if ((device.incompatible & INCOMPAT.EXTENTS) === 0) throw damaged('it has no extents (ext2 or ext3)');

  return {
    root: ROOT_INODE,
    stat,
    list,
    content: (number) => readContent(readInode(number)),
    readLink(number) {
      const inode = readInode(number);
      const isFast = inode.size < 60 && (inode.flags & (FLAG.EXTENTS | FLAG.INLINE)) === 0;
      return decodeName(isFast ? inode.raw.subarray(0x28, 0x28 + inode.size) : readWhole(inode));
    },
    xattrs: (number) => readXattrs(readInode(number)),
    key: String,
    close: device.close,
  };
}

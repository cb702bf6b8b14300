/**
 * What is in an EROFS image that writeErofs made: names, attributes and content of files. Owns: looking up paths in it, links followed within it. Rules: reads what is asked for and no
 * more; everything read is checked against the image's size, so that a damaged image gives an error, not a loop.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { decodeName } from '../layers/index.ts';
import { decodeDevice, type FilePlace, type FileStat, KIND_OF_MODE, makeReadAt, walkPath } from '../rootfs/index.ts';
import { ErofsError } from './error.ts';
import { BLOCK, COMPACT, decodeXattrs, DIRENT, EXTENDED, LAYOUT, SLOT, SUPER_OFFSET, XATTR_HEAD } from './format.ts';

const MAGIC = 0xe0f5e1e2;
/** Of content that is given at once. */
const PIECE = 1 << 20;
const NS = 1_000_000_000n;

export interface ErofsFile extends FileStat {
  /** Where its content is: whole blocks, then a tail. */
  readonly blocks: number;
  readonly tail: number | undefined;
  /** The image's own number of it. */
  readonly number: number;
  /** Of extended attributes, behind the inode. */
  readonly xattrs: { readonly at: number; readonly size: number };
}

export type ErofsReader = ReturnType<typeof openErofs>;

export function openErofs(path: string) {
  const fd = openSync(path, 'r');
  const end = fstatSync(fd).size;
  const damaged = (what: string) => new ErofsError('image-damaged', `Cannot read "${path}": ${what}, expected an EROFS image as hull writes it: remove it, and it is made again`);

  const readAt = makeReadAt(fd, end, damaged);

  const head = readAt(SUPER_OFFSET, 128);
  if (head.readUInt32LE(0) !== MAGIC) throw damaged('it has no superblock');
  const root = head.readUInt16LE(14);
  /** Of compact inodes. */
  const time = head.readBigInt64LE(24) * NS + BigInt(head.readUInt32LE(32));

  const readInode = (nid: number): ErofsFile => {
    const at = nid * SLOT;
    const compact = readAt(at, COMPACT);
    const format = compact.readUInt16LE(0);
    const isExtended = (format & 1) !== 0;
    const count = compact.readUInt16LE(2);
    const mode = compact.readUInt16LE(4);
    const kind = KIND_OF_MODE[mode >> 12];
    const layout = (format >> 1) & 7;
    if (kind === undefined || (layout !== LAYOUT.PLAIN && layout !== LAYOUT.INLINE)) throw damaged(`an inode at ${at} is of an unknown kind`);
    const body = isExtended ? readAt(at, EXTENDED) : compact;
    const size = isExtended ? Number(body.readBigUInt64LE(8)) : body.readUInt32LE(8);
    const xattrs = { at: at + (isExtended ? EXTENDED : COMPACT), size: count === 0 ? 0 : XATTR_HEAD + 4 * (count - 1) };
    return {
      kind,
      mode: mode & 0o7777,
      uid: isExtended ? body.readUInt32LE(24) : body.readUInt16LE(24),
      gid: isExtended ? body.readUInt32LE(28) : body.readUInt16LE(26),
      size,
      blocks: body.readUInt32LE(16) * BLOCK,
      tail: layout === LAYOUT.INLINE ? xattrs.at + xattrs.size : undefined,
      links: isExtended ? body.readUInt32LE(44) : body.readUInt16LE(6),
      number: body.readUInt32LE(20),
      mtimeNs: isExtended ? body.readBigInt64LE(32) * NS + BigInt(body.readUInt32LE(40)) : time,
      xattrs,
    };
  };

  const readContent = (file: ErofsFile): Buffer => {
    if (file.size > end) throw damaged('a file in it is larger than it');
    if (file.tail === undefined) return readAt(file.blocks, file.size);
    const whole = Math.floor(file.size / BLOCK) * BLOCK;
    return Buffer.concat([whole === 0 ? Buffer.alloc(0) : readAt(file.blocks, whole), readAt(file.tail, file.size - whole)]);
  };

  const folders = new Map<number, Map<string, number>>();
  const readFolder = (nid: number): Map<string, number> => {
    const known = folders.get(nid);
    if (known !== undefined) return known;
    const names = new Map<string, number>();
    const bytes = readContent(readInode(nid));
    for (let from = 0; from < bytes.length; from += BLOCK) {
      const block = bytes.subarray(from, from + BLOCK);
      const count = block.length < DIRENT ? 0 : Math.floor(block.readUInt16LE(8) / DIRENT);
      if (count * DIRENT > block.length) throw damaged('a directory in it is damaged');
      for (let i = 0; i < count; i++) {
        const start = block.readUInt16LE(i * DIRENT + 8);
        const stop = i + 1 < count ? block.readUInt16LE((i + 1) * DIRENT + 8) : block.length;
        const name = block.subarray(start, stop);
        const zero = name.indexOf(0);
        names.set(name.toString('latin1', 0, zero < 0 ? name.length : zero), Number(block.readBigUInt64LE(i * DIRENT)));
      }
    }
    folders.set(nid, names);
    return names;
  };

  /** Links followed, as a program of the image would; `last`: also when the last part is one. */
  const walk = (path: string, last: boolean): number | undefined =>
    walkPath(path, last, {
      root,
      kindOf: (nid) => readInode(nid).kind,
      child: (nid, name) => readFolder(nid).get(Buffer.from(name).toString('latin1')),
      readLink: (nid) => readContent(readInode(nid)).toString(),
    });

  function* readPieces(file: ErofsFile): Generator<Buffer> {
    const whole = file.tail === undefined ? file.size : Math.floor(file.size / BLOCK) * BLOCK;
    for (let at = 0; at < whole; at += PIECE) yield readAt(file.blocks + at, Math.min(PIECE, whole - at));
    if (file.tail !== undefined && whole < file.size) yield readAt(file.tail, file.size - whole);
  }

  const files: FilePlace<number> = {
    root,
    stat(nid) {
      const { kind, mode, uid, gid, size, links, mtimeNs, blocks } = readInode(nid);
      const device = kind === 'character' || kind === 'block' ? decodeDevice(blocks / BLOCK) : undefined;
      return { kind, mode, uid, gid, size: kind === 'file' || kind === 'symlink' ? size : 0, links, mtimeNs, device };
    },
    list: (nid) => new Map([...readFolder(nid)].filter(([name]) => name !== '.' && name !== '..').map(([name, child]) => [decodeName(Buffer.from(name, 'latin1')), child])),
    content: (nid) => readPieces(readInode(nid)),
    readLink: (nid) => decodeName(readContent(readInode(nid))),
    xattrs(nid) {
      const { xattrs } = readInode(nid);
      return xattrs.size === 0 ? new Map() : decodeXattrs(readAt(xattrs.at, xattrs.size));
    },
    key: String,
  };

  return {
    /** Without links being followed. */
    files,
    /** The file at a path, links followed within the image; undefined: none is there. */
    stat(name: string): ErofsFile | undefined {
      const nid = walk(name, true);
      return nid === undefined ? undefined : readInode(nid);
    },
    /** A regular file's content; undefined: there is none. `most`: a larger one counts as none. */
    read(name: string, most = Number.MAX_SAFE_INTEGER): Buffer | undefined {
      const nid = walk(name, true);
      const file = nid === undefined ? undefined : readInode(nid);
      return file?.kind === 'file' && file.size <= most ? readContent(file) : undefined;
    },
    /** The beginning of a regular file's content, at most a block; undefined: there is none. */
    head(name: string): Buffer | undefined {
      const nid = walk(name, true);
      const file = nid === undefined ? undefined : readInode(nid);
      if (file?.kind !== 'file') return undefined;
      return file.size < BLOCK ? readContent(file) : readAt(file.blocks, BLOCK);
    },
    /** The names in a directory, without "." and ".."; undefined: there is none. */
    list(name: string): string[] | undefined {
      const nid = walk(name, true);
      if (nid === undefined || readInode(nid).kind !== 'directory') return undefined;
      return [...readFolder(nid).keys()].filter((each) => each !== '.' && each !== '..').map((each) => Buffer.from(each, 'latin1').toString());
    },
    close: () => closeSync(fd),
  };
}

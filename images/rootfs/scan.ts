/**
 * A directory of this host as a tree. Owns: what is read about each file. Rules: one lstat a file, nothing is opened; names are bytes (a
 * name need not be UTF-8); the files of an unprivileged caller are root's in the tree where `own` says so.
 */
import { type BigIntStats, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { KIND_OF_MODE } from './files.ts';
import type { Tree, TreeEntry, TreeInode } from './tree.ts';

export type TreeErrorCode =
  | 'tree-unreadable'; // the directory of a root file system, or something in it, cannot be read

export class TreeError extends Error {
  readonly code: TreeErrorCode = 'tree-unreadable';

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TreeError';
  }
}

export interface ScanOptions {
  /** Owner of files that `uid` owns on the host: what a root file system that an unprivileged user unpacked means. */
  readonly own?: { readonly uid: number; readonly gid: number };
}

const SLASH = Buffer.from('/');

/** glibc's packing of a device number: 32 bits of major and minor each, in pieces. */
export function splitDevice(packed: bigint): { major: number; minor: number } {
  return {
    major: Number(((packed >> 8n) & 0xfffn) | ((packed >> 32n) & 0xfffff000n)),
    minor: Number((packed & 0xffn) | ((packed >> 12n) & 0xffffff00n)),
  };
}

function attempt<T>(path: Buffer, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new TreeError(`Cannot read "${path.toString()}": ${(error as Error).message}, expected a readable tree`, { cause: error });
  }
}

export function scanDirectory(path: string, options: ScanOptions = {}): Tree {
  const known = new Map<string, TreeInode>();
  const scan = (at: Buffer, stat: BigIntStats): TreeInode => {
    const kind = KIND_OF_MODE[Number(stat.mode >> 12n) & 15];
    if (kind === undefined) throw new TreeError(`Cannot read "${at.toString()}": a file of type ${(stat.mode >> 12n) & 15n}, expected one that Linux knows`);
    const isNamedOften = kind !== 'directory' && stat.nlink > 1n;
    const key = isNamedOften ? `${stat.dev}:${stat.ino}` : '';
    const before = isNamedOften ? known.get(key) : undefined;
    if (before !== undefined) {
      before.links++;
      return before;
    }
    const own = options.own;
    const target = kind === 'symlink' ? attempt(at, () => readlinkSync(at, { encoding: 'buffer' })) : undefined;
    const entries = kind === 'directory' ? list(at) : undefined;
    const inode: TreeInode = {
      kind,
      mode: Number(stat.mode & 0o7777n),
      uid: own !== undefined && Number(stat.uid) === own.uid ? 0 : Number(stat.uid),
      gid: own !== undefined && Number(stat.gid) === own.gid ? 0 : Number(stat.gid),
      mtimeNs: stat.mtimeNs,
      size: kind === 'file' ? Number(stat.size) : (target?.length ?? 0),
      links: entries === undefined ? 1 : 2 + entries.filter(({ inode: child }) => child.kind === 'directory').length,
      ...(kind === 'character' || kind === 'block' ? { device: splitDevice(stat.rdev) } : {}),
      ...(target === undefined ? {} : { target }),
      ...(entries === undefined ? {} : { entries }),
      ...(kind === 'file' ? { source: { path: at, stamp: `${stat.dev}:${stat.ino}:${stat.ctimeNs}` } } : {}),
    };
    if (isNamedOften) known.set(key, inode);
    return inode;
  };
  const list = (folder: Buffer): TreeEntry[] => {
    const names = attempt(folder, () => readdirSync(folder, { encoding: 'buffer' })).sort(Buffer.compare);
    return names.map((name) => {
      const at = Buffer.concat([folder, SLASH, name]);
      return { name, inode: scan(at, attempt(at, () => lstatSync(at, { bigint: true }))) };
    });
  };
  const top = Buffer.from(path);
  const stat = attempt(top, () => statSync(top, { bigint: true }));
  if (!stat.isDirectory()) throw new TreeError(`Cannot read "${path}": not a directory, expected a directory with a root file system`);
  return { root: scan(top, stat) };
}

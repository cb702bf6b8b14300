/** A directory of this host as files that are looked at one by one. Owns: reading them when they are asked for. Limit: extended attributes are not to be had from Node. */
import { type BigIntStats, closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { decodeName, encodeName } from '../layers/index.ts';
import { type FilePlace, KIND_OF_MODE } from './files.ts';
import { splitDevice, TreeError } from './scan.ts';

const PIECE = 1 << 18;

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new TreeError(`Cannot read "${path}": ${(error as Error).message}, expected a readable file`, { cause: error });
  }
}

/** Ids are paths in the form of decodeName. TreeError. */
export function openHostFiles(path: string): FilePlace<string> {
  const look = (at: string): BigIntStats => attempt(at, () => lstatSync(encodeName(at), { bigint: true }));
  return {
    root: path,
    stat(at) {
      const stat = look(at);
      const kind = KIND_OF_MODE[Number(stat.mode >> 12n) & 15];
      if (kind === undefined) throw new TreeError(`Cannot read "${at}": a file of type ${(stat.mode >> 12n) & 15n}, expected one that Linux knows`);
      return {
        kind,
        mode: Number(stat.mode & 0o7777n),
        uid: Number(stat.uid),
        gid: Number(stat.gid),
        size: kind === 'file' || kind === 'symlink' ? Number(stat.size) : 0,
        links: Number(stat.nlink),
        mtimeNs: stat.mtimeNs,
        device: kind === 'character' || kind === 'block' ? splitDevice(stat.rdev) : undefined,
      };
    },
    list: (at) => new Map(attempt(at, () => readdirSync(encodeName(at), { encoding: 'buffer' })).sort(Buffer.compare).map((name) => [decodeName(name), `${at}/${decodeName(name)}`])),
    *content(at) {
      const fd = attempt(at, () => openSync(encodeName(at), 'r'));
      try {
        for (;;) {
          const bytes = Buffer.allocUnsafe(PIECE);
          const count = attempt(at, () => readSync(fd, bytes, 0, PIECE, null));
          if (count === 0) return;
          yield bytes.subarray(0, count);
        }
      } finally {
        closeSync(fd);
      }
    },
    readLink: (at) => decodeName(attempt(at, () => readlinkSync(encodeName(at), { encoding: 'buffer' }))),
    xattrs: () => new Map(),
    key(at) {
      const { dev, ino } = look(at);
      return `${dev}:${ino}`;
    },
  };
}

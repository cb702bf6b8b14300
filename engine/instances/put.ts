/**
 * Entries of an archive -> files in a machine that runs (Docker's "put archive"). Owns: what an entry does to what is there. Rules: the machine itself resolves paths, so links in it lead where they lead there
 * and nowhere on this host; a file is made anew, never written through a link of its name; what is not asked for in the archive stays.
 */
import { CALL } from '../../boot/index.ts';
import { encodeName, type ReadEntry } from '../../images/layers/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';
import { type Argument, codeOfCall, type Guest, IN_MOST, LAST } from './guest-calls.ts';

const O = { WRONLY: 1, CREAT: 0o100, EXCL: 0o200, NOFOLLOW: 0o400000 } as const;
const AT = { SYMLINK_NOFOLLOW: 0x100, REMOVEDIR: 0x200 } as const;
const S_IF: Record<string, number> = { fifo: 0o010000, character: 0o020000, directory: 0o040000, block: 0o060000, file: 0o100000, symlink: 0o120000 };
const S_IFMT = 0o170000;
const STAT_SIZE = 144;
const STAT_MODE = 24;
const NS = 1_000_000_000n;

export interface PutOptions {
  /** Owner of all files; else as the archive has them. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** A directory is not replaced by a file, nor a file by a directory. */
  readonly keepsKinds?: boolean | undefined;
}

const toPath = (path: string): Uint8Array => Buffer.concat([encodeName(path), Buffer.alloc(1)]);

/** 32 bits of major and minor each, in pieces, as Linux's dev_t has it in system calls. */
const encodeDevice = ({ major, minor }: { major: number; minor: number }): bigint => BigInt(((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0);

/** st_mode of what is there; undefined: nothing. */
export async function lookInGuest(guest: Guest, path: string, follow = false): Promise<number | undefined> {
  try {
    const { bytes } = await guest.call(CALL.NEWFSTATAT, [guest.at, toPath(path), { room: STAT_SIZE }, follow ? 0 : AT.SYMLINK_NOFOLLOW]);
    return bytes.readUInt32LE(STAT_MODE);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOfCall(error) ?? '')) return undefined;
    throw explain(path, error);
  }
}

export const isGuestFolder = (mode: number | undefined): boolean => mode !== undefined && (mode & S_IFMT) === S_IF['directory'];

/** Writes entries, whose paths are relative to the directory `folder` of the machine. */
export async function putEntries(guest: Guest, folder: string, entries: AsyncIterable<ReadEntry>, options: PutOptions = {}): Promise<void> {
  const base = folder.replace(/\/+$/, '');
  const made = new Set<string>();
  /** Times of directories last: what is made in them changes them. */
  const times: { path: string; mtimeNs: bigint }[] = [];
  const call = (number: number, ...args: Argument[]) => guest.call(number, args);

  const makeParents = async (path: string) => {
    const parts = path.split('/').slice(1, -1);
    for (let i = 1; i <= parts.length; i++) {
      const parent = `/${parts.slice(0, i).join('/')}`;
      if (made.has(parent) || isGuestFolder(await lookInGuest(guest, parent, true))) continue;
      await call(CALL.MKDIRAT, guest.at, toPath(parent), 0o755);
      made.add(parent);
    }
  };

  const clear = async (path: string, wantsFolder: boolean): Promise<boolean> => {
    const mode = await lookInGuest(guest, path);
    if (mode === undefined) return false;
    const isFolder = isGuestFolder(mode);
    if (isFolder && wantsFolder) return true;
    if (options.keepsKinds === true && isFolder !== wantsFolder) {
      const what = isFolder ? `cannot overwrite directory "${path}" with non-directory` : `cannot overwrite non-directory "${path}" with directory`;
      throw new EngineError('option-invalid', `${what} "${path}"`);
    }
    await call(CALL.UNLINKAT, guest.at, toPath(path), isFolder ? AT.REMOVEDIR : 0);
    return false;
  };

  const setAttributes = async (path: string, entry: ReadEntry) => {
    const { uid, gid } = options.owner ?? entry;
    const at = toPath(path);
    const changes = [call(CALL.FCHOWNAT, guest.at, at, uid, gid, AT.SYMLINK_NOFOLLOW)];
    if (entry.kind !== 'symlink') changes.push(call(CALL.FCHMODAT, guest.at, at, entry.mode));
    for (const [name, value] of entry.xattrs ?? []) if (!name.startsWith('trusted.overlay.')) changes.push(call(CALL.LSETXATTR, at, name, value, value.length, 0));
    if (entry.kind === 'directory') times.push({ path, mtimeNs: entry.mtimeNs });
    else changes.push(setTime(path, entry.mtimeNs));
    await Promise.all(changes);
  };

  const setTime = (path: string, mtimeNs: bigint) => {
    const both = Buffer.alloc(32);
    const seconds = mtimeNs / NS - (mtimeNs % NS < 0n ? 1n : 0n);
    for (const at of [0, 16]) {
      both.writeBigInt64LE(seconds, at);
      both.writeBigInt64LE(mtimeNs - seconds * NS, at + 8);
    }
    return call(CALL.UTIMENSAT, guest.at, toPath(path), both, AT.SYMLINK_NOFOLLOW);
  };

  const writeFile = async (path: string, entry: ReadEntry) => {
    const opened = call(CALL.OPENAT, guest.at, toPath(path), O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o600);
    opened.catch(() => {}); // awaited below
    await opened;
    try {
      for await (const chunk of entry.content()) {
        for (let at = 0; at < chunk.length; at += IN_MOST) {
          const piece = chunk.subarray(at, at + IN_MOST);
          const { result } = await call(CALL.WRITE, LAST, piece, piece.length);
          if (result !== piece.length) throw new EngineError('disk-full', `Cannot write "${path}": its disk took ${result} of ${piece.length} bytes, expected room for the file`);
        }
      }
    } finally {
      await call(CALL.CLOSE, LAST);
    }
  };

  const put = async (path: string, entry: ReadEntry) => {
    const { kind } = entry;
    await makeParents(path);
    const isThere = path === '' || (await clear(path, kind === 'directory'));
    if (path === '') return; // the root itself
    if (kind === 'directory') {
      if (!isThere) await call(CALL.MKDIRAT, guest.at, toPath(path), entry.mode);
      made.add(path);
    } else if (kind === 'file') await writeFile(path, entry);
    else if (kind === 'symlink') await call(CALL.SYMLINKAT, toPath(entry.target ?? ''), guest.at, toPath(path));
    else if (kind === 'hardlink') {
      await call(CALL.LINKAT, guest.at, toPath(`${base}/${entry.target ?? ''}`), guest.at, toPath(path), 0);
      return;
    } else await call(CALL.MKNODAT, guest.at, toPath(path), (S_IF[kind] ?? 0) | entry.mode, entry.device === undefined ? 0 : encodeDevice(entry.device));
    await setAttributes(path, entry);
  };

  for await (const entry of entries) {
    if (entry.kind === 'whiteout' || entry.kind === 'opaque') continue;
    const path = entry.path === '' ? base : `${base}/${entry.path}`;
    try {
      await put(path, entry);
    } catch (error) {
      throw explain(path, error);
    }
  }
  for (const { path, mtimeNs } of times.reverse()) await setTime(path, mtimeNs);
  await call(CALL.SYNC);
}

function explain(path: string, error: unknown): unknown {
  const code = codeOfCall(error);
  if (code === undefined) return error;
  const engineCode = code === 'ENOSPC' ? 'disk-full' : 'option-invalid';
  return new EngineError(engineCode, `Cannot write "${path}" in the container: ${describeSystemError(error)}, expected a place that can be written to`, { cause: error });
}

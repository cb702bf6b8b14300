/**
 * Entries of an archive -> files of this host. Owns: what an entry does to what is there. Rules: nothing is written through a link that is below the folder; who is not root keeps owner and group to himself; device nodes
 * cannot be made here and are named at the end.
 */
import { chmodSync, closeSync, lchownSync, linkSync, lstatSync, lutimesSync, mkdirSync, openSync, rmSync, symlinkSync, unlinkSync, writeSync } from 'node:fs';
import { encodeName, type WriteEntry } from '../../images/layers/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';

export interface ExtractOptions {
  /** Keep owners as the entries have them, where this user may. */
  readonly withOwners: boolean;
}

/** Writes into `folder`; paths of what could not be made. */
export async function extractEntries(entries: Iterable<WriteEntry>, folder: string, options: ExtractOptions): Promise<{ readonly bytes: number; readonly left: readonly string[] }> {
  const left: string[] = [];
  const folders: { at: Buffer; entry: WriteEntry }[] = [];
  let bytes = 0;
  const place = (path: string) => encodeName(path === '' ? folder : `${folder}/${path}`);
  const setAttributes = (at: Buffer, { kind, mode, uid, gid, mtimeNs }: WriteEntry) => {
    if (options.withOwners && process.getuid?.() === 0) lchownSync(at, uid, gid);
    if (kind !== 'symlink') chmodSync(at, mode);
    lutimesSync(at, Number(mtimeNs) / 1e9, Number(mtimeNs) / 1e9);
  };
  const clear = (at: Buffer, wantsFolder: boolean, path: string): boolean => {
    const stat = lstatSync(at, { throwIfNoEntry: false });
    if (stat === undefined) return false;
    if (stat.isDirectory() && wantsFolder) return true;
    if (stat.isDirectory() !== wantsFolder) {
      throw new EngineError('option-invalid', stat.isDirectory() ? `cannot overwrite directory "${path}" with non-directory "${path}"` : `cannot overwrite non-directory "${path}" with directory "${path}"`);
    }
    unlinkSync(at);
    return false;
  };
  for (const entry of entries) {
    const { path, kind } = entry;
    const at = place(path);
    try {
      const isThere = path === '' || clear(at, kind === 'directory', path);
      if (kind === 'directory') {
        if (!isThere) mkdirSync(at, { mode: 0o700 });
        if (path !== '') folders.push({ at, entry });
      } else if (kind === 'file') {
        const fd = openSync(at, 'wx', 0o600);
        try {
          for await (const chunk of entry.content?.() ?? []) for (let from = 0; from < chunk.length; ) from += writeSync(fd, chunk, from);
        } catch (error) {
          rmSync(at, { force: true });
          throw error;
        } finally {
          closeSync(fd);
        }
        bytes += entry.size;
        setAttributes(at, entry);
      } else if (kind === 'symlink') {
        symlinkSync(encodeName(entry.target ?? ''), at);
        setAttributes(at, entry);
      } else if (kind === 'hardlink') linkSync(place(entry.target ?? ''), at);
      else left.push(path);
    } catch (error) {
      if (!(error instanceof Error && 'syscall' in error)) throw error;
      throw new EngineError((error as NodeJS.ErrnoException).code === 'ENOSPC' ? 'disk-full' : 'option-invalid', `Cannot write "${at.toString()}": ${describeSystemError(error)}, expected a place that can be written to`, { cause: error });
    }
  }
  for (const { at, entry } of folders.reverse()) setAttributes(at, entry);
  return { bytes, left };
}

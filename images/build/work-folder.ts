/**
 * Where a build makes things before they are complete. Owns: <cache>/work/<pid>-<start time>-<n>: everything that is not finished lies there, and gets
 * its name in the cache by one rename. Rules: what a process left that is gone (killed, or a host that stopped) is removed by the next build; a pid
 * that was given again is told by the process's start time (proc(5), stat field 22).
 */
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { readProcessStart } from '../store/index.ts';
import { BuildError } from './error.ts';

/** Removes a tree, whoever owns its files. */
export type RemoveTree = (path: string) => void;

export interface WorkFolder {
  readonly path: string;
  /** A path in it that nobody else uses. */
  newPath(name: string): string;
  remove(): void;
}

let counter = 0;

export function explainCacheError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  const what = code === 'ENOSPC' || code === 'EDQUOT' ? 'no space left on device' : error.message;
  return new BuildError('cache-unwritable', `Cannot write "${path}": ${what}, expected to keep the build's layers there`, { cause: error });
}

export function openWorkFolder(cache: string, removeTree: RemoveTree): WorkFolder {
  const folder = join(cache, 'work');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw explainCacheError(error, folder);
  }
  for (const name of readdirSync(folder)) {
    const [, pid, start] = /^(\d+)-(\d+)-/.exec(name) ?? [];
    if (pid !== undefined && readProcessStart(Number(pid)) !== start) removeTree(join(folder, name));
  }
  const path = join(folder, `${process.pid}-${readProcessStart('self') ?? 0}-${counter++}`);
  mkdirSync(path, { mode: 0o700 });
  let made = 0;
  return {
    path,
    newPath: (name) => join(path, `${made++}-${name}`),
    remove: () => removeTree(path),
  };
}

/** Gives what is complete its name; whoever was first has made the same. */
export function finish(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw explainCacheError(error, to);
  }
}

/**
 * A program's path within a root directory. Owns: the search that a shell would do there: PATH, the working directory, links that never
 * lead out of the root. Rule: only says where; whether the file can run is the guest's to say, with execve's own errors.
 */
import { closeSync, lstatSync, openSync, readlinkSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../errors.ts';

const MOST_LINKS = 40;

export type FoundKind = 'file' | 'executable' | 'directory' | undefined;

/** What is at `path` in `root`, with links followed as the guest would. */
const look = (root: string, path: string): FoundKind => follow(root, path)?.kind;

/** The same with the path on this host. */
function follow(root: string, path: string): { readonly kind: NonNullable<FoundKind>; readonly host: string } | undefined {
  const rest = path.split('/').filter((part) => part !== '');
  const at: string[] = [];
  for (let links = 0; rest.length > 0; ) {
    const part = rest.shift() as string;
    if (part === '.') continue;
    if (part === '..') {
      at.pop();
      continue;
    }
    const host = join(root, ...at, part);
    const stat = lstatSync(host, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (stat.isSymbolicLink()) {
      if (++links > MOST_LINKS) return undefined;
      const target = readlinkSync(host);
      if (target.startsWith('/')) at.length = 0;
      rest.unshift(...target.split('/').filter((each) => each !== ''));
      continue;
    }
    if (rest.length === 0 && !stat.isDirectory()) return { kind: (stat.mode & 0o111) !== 0 ? 'executable' : 'file', host };
    if (!stat.isDirectory()) return undefined;
    at.push(part);
  }
  return { kind: 'directory', host: join(root, ...at) };
}

/** The first bytes of a file in `root`: as many as there are, at most `size`; undefined: there is no such file, or it cannot be read. */
export function readHeadInRoot(root: string, path: string, size: number): Buffer | undefined {
  const found = follow(root, path);
  if (found === undefined || found.kind === 'directory') return undefined;
  let fd: number;
  try {
    fd = openSync(found.host, 'r');
  } catch {
    return undefined;
  }
  try {
    const bytes = Buffer.alloc(size);
    return bytes.subarray(0, readSync(fd, bytes, 0, size, 0));
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** The absolute path in `root` of the program that `name` means there. mounted: paths at which the guest has something else than the root. */
export function findInRoot(root: string, name: string, search: string, workdir: string, mounted: readonly string[] = []): string {
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) {
    throw new EngineError('option-invalid', `Cannot use "${root}" as a root file system: no such directory, expected one`);
  }
  return findProgram((path) => look(root, path), root, name, search, workdir, mounted);
}

/** The same in any root; `at`: what is there at a path, `root`: how messages call it. */
export function findProgram(at: (path: string) => FoundKind, root: string, name: string, search: string, workdir: string, mounted: readonly string[] = []): string {
  if (name.includes('/')) {
    const path = name.startsWith('/') ? name : join(workdir, name);
    if (at(path) !== undefined || mounted.some((target) => path === target || path.startsWith(`${target}/`))) return path;
  } else {
    for (const folder of search.split(':')) {
      const path = join(workdir, folder === '' ? '.' : folder, name);
      const absolute = folder.startsWith('/') ? `${folder.replace(/\/+$/, '')}/${name}` : path;
      if (at(absolute) === 'executable') return absolute;
    }
  }
  const where = name.includes('/') ? `"${root}"` : `"${root}", in PATH (${search})`;
  throw new EngineError('program-missing', `Cannot run "${name}": no such file in ${where}, expected a program in the root file system`);
}

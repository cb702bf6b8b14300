/**
 * From items of the command line to what the linker takes. Owns: the search for libraries (-L, then hull's sysroot; archives only).
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { LinkInput } from '../link/index.ts';
import { CcError } from './error.ts';
import type { Item } from './options.ts';

function readInput(path: string, whole: boolean): LinkInput {
  try {
    return { name: path, bytes: readFileSync(path), ...(whole ? { whole } : {}) };
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const what = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'is a directory' : (cause as Error).message;
    throw new CcError('missing-file', `Cannot link "${path}": ${what}, expected an object or an archive`, { cause });
  }
}

function findLibrary(name: string, folders: string[]): string {
  const file = name.startsWith(':') ? name.slice(1) : `lib${name}.a`;
  for (const folder of folders) {
    const path = join(folder, file);
    if (existsSync(path) && statSync(path).isFile()) return path;
  }
  throw new CcError('missing-library', `Cannot find "-l${name}": no ${file} in ${folders.join(', ')}, expected one`);
}

/** `objects` gives the object that a source was compiled to. */
export function collectLinkInputs(items: Item[], objects: Map<Item, string>, libraryPaths: string[], sysrootLib: string): LinkInput[] {
  const inputs: LinkInput[] = [];
  let whole = false;
  for (const item of items) {
    if (item.kind === 'whole') whole = item.on;
    else if (item.kind === 'library') inputs.push(readInput(findLibrary(item.name, [...libraryPaths, sysrootLib]), whole));
    else if (item.kind === 'object') inputs.push(readInput(item.path, whole));
    else inputs.push({ ...readInput(objects.get(item) as string, false), name: item.path });
  }
  return inputs;
}

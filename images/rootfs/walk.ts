/** Paths among files: links followed as chroot(2) would, nothing above the root. Owns: the steps of a path. Rules: ".." goes back to where the path came from; 40 links at most, as Linux (path_resolution(7)). */
import type { FileKind } from './tree.ts';

const MOST_LINKS = 40;

export interface Walkable<Id> {
  readonly root: Id;
  kindOf(id: Id): FileKind;
  /** A name in a directory; undefined: there is none. */
  child(id: Id, name: string): Id | undefined;
  readLink(id: Id): string;
}

const partsOf = (path: string) => path.split('/').filter((part) => part !== '' && part !== '.');

/** The file at a path; `last`: the last part is followed when it is a link. undefined: there is none. */
export function walkPath<Id>(path: string, last: boolean, files: Walkable<Id>): Id | undefined {
  const rest = partsOf(path);
  const at = [files.root];
  for (let links = 0; rest.length > 0; ) {
    const part = rest.shift() as string;
    if (part === '..') {
      if (at.length > 1) at.pop();
      continue;
    }
    const here = at.at(-1) as Id;
    if (files.kindOf(here) !== 'directory') return undefined;
    const next = files.child(here, part);
    if (next === undefined) return undefined;
    if (files.kindOf(next) !== 'symlink' || (rest.length === 0 && !last)) {
      at.push(next);
      continue;
    }
    if (++links > MOST_LINKS) return undefined;
    const target = files.readLink(next);
    if (target.startsWith('/')) at.length = 1;
    rest.unshift(...partsOf(target));
  }
  return at.at(-1);
}

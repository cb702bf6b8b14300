/**
 * The cache of root images: $HULL_ROOT/cache/roots/<identity of the tree>.erofs. Owns: names and life of its files. Rules: a file is complete or
 * absent; the directory is looked through at each run (names, attributes, ctimes), its content is read only when something changed;
 * the images used last are kept.
 */
import { readdirSync, statSync, unlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { identifyTree, scanDirectory, writeErofs } from '../../images/index.ts';
import { produceOnce, sweepTemporaries } from '../state/index.ts';

const KEPT = 8;
const FORMAT = 1; // counts up when the writer makes other images of the same trees

/** The path of an EROFS image of `folder`, made now if there is none. */
export function findRootImage(cache: string, folder: string): string {
  const tree = scanDirectory(folder);
  const path = join(cache, `${identifyTree(tree)}-${FORMAT}.erofs`);
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    sweepTemporaries(cache);
    produceOnce(path, (fd) => void writeErofs(tree, fd));
    evictOld(cache);
  }
  return path;
}

function evictOld(cache: string): void {
  const images = readdirSync(cache)
    .filter((name) => name.endsWith('.erofs'))
    .map((name) => ({ path: join(cache, name), time: statSync(join(cache, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 })) // 0: another run removed it meanwhile
    .sort((a, b) => b.time - a.time);
  for (const { path } of images.slice(KEPT)) {
    try {
      unlinkSync(path);
    } catch {
      // someone else removed it; a machine that uses it has it open
    }
  }
}

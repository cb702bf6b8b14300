/** A root image made of a directory. Owns: writing the file, and which images stay. Rules: a file is complete or absent; the images used last are kept. Loaded where the directory is another than before. */
import { readdirSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { identifyTree, scanDirectory, writeErofs } from '../../images/index.ts';
import { markUsed, produceOnce, sweepTemporaries } from '../state/index.ts';

const KEPT = 8;

/** The name in `cache` of an EROFS image of `folder` as `format` has it, made now if there is none. */
export function makeRootImage(cache: string, folder: string, format: number): string {
  const tree = scanDirectory(folder);
  const name = `${identifyTree(tree)}-${format}.erofs`;
  const path = join(cache, name);
  if (markUsed(path)) return name;
  sweepTemporaries(cache);
  produceOnce(path, (fd) => void writeErofs(tree, fd));
  evictOld(cache);
  return name;
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

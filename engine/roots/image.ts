/**
 * The cache of root images: $HULL_ROOT/cache/roots/<identity of the tree>.erofs. Owns: which image a directory has now. Rules: each file of the directory is looked at in each run; while
 * nothing changed since an image was made or found, that is all; its content is read only when something did.
 */
import { join } from 'node:path';
import { markUsed, readKnown, saveKnown, type StatePaths } from '../state/index.ts';
import { surveyDirectory } from './survey.ts';

const FORMAT = 1; // counts up when the writer makes other images of the same trees
/** A change within one tick of a file system's clock could hide behind another one. */
const RACY_MS = 2000;

/** The path of an EROFS image of `folder`, made now if there is none. dist: the folder of the built product; without it each file is looked at here. */
export async function findRootImage({ roots, known }: Pick<StatePaths, 'roots' | 'known'>, folder: string, dist?: string): Promise<string> {
  const begun = Date.now();
  const survey = () => (dist === undefined ? undefined : surveyDirectory(dist, folder));
  const before = await survey();
  const question = ['root', String(FORMAT), before?.identity ?? ''];
  const name = before && readKnown<string>(known, question);
  if (name !== undefined && markUsed(join(roots, name))) return join(roots, name);
  const made = (await import('./make-image.ts')).makeRootImage(roots, folder, FORMAT);
  const isSettled = before !== undefined && begun - before.newest * 1000 > RACY_MS;
  if (isSettled && (await survey())?.identity === before.identity) saveKnown(known, question, made);
  return join(roots, made);
}

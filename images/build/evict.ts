/**
 * What the build cache gives up. Owns: its limit and the choice: layers and their directories that were not used for the longest time go first. Rules: what was used
 * within the last hour stays, for other builds may be at work on it; a layer that is gone makes the records that name it count as none; caches of RUN mounts
 * are the user's and stay.
 */
import { readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { removeTree } from './privileges.ts';

/** Bytes. HULL_BUILD_CACHE sets another. */
const DEFAULT_LIMIT = 20 * 2 ** 30;
const GRACE_MS = 60 * 60 * 1000;
/** Records are small: by number. */
const MOST_RECORDS = 20_000;

interface Kept {
  readonly path: string;
  readonly used: number;
  readonly bytes: number;
}

/** A directory counts as used when it is entered for a build: its own time is touched (see markUsed). */
function list(folder: string, measure: (path: string) => number): Kept[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const path = join(folder, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ path, used: stat.mtimeMs, bytes: stat.isDirectory() ? measure(path) : stat.size }];
  });
}

export function markUsed(path: string): void {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // it belongs to another id of the namespace: then its age counts
  }
}

/** Bytes that are free afterwards. `now`: ms. */
export function evictOld(cache: string, now: number, limit: number = DEFAULT_LIMIT): number {
  const layers = list(join(cache, 'layers'), () => 0);
  const sizes = new Map(layers.map(({ path, bytes }) => [path.replace(/^.*\/|\.tar$/g, ''), bytes]));
  // A directory has about the bytes of the layer that it was made from.
  const unpacked = list(join(cache, 'unpacked'), (path) => sizes.get(path.replace(/^.*\//, '')) ?? 0);
  const all = [...layers, ...unpacked, ...list(join(cache, 'index'), () => 0)].sort((a, b) => a.used - b.used);
  let total = all.reduce((sum, { bytes }) => sum + bytes, 0);
  let freed = 0;
  for (const { path, used, bytes } of all) {
    if (total <= limit) break;
    if (now - used < GRACE_MS) continue;
    removeTree(path);
    total -= bytes;
    freed += bytes;
  }
  const records = list(join(cache, 'records'), () => 0).sort((a, b) => a.used - b.used);
  for (const { path } of records.slice(0, Math.max(0, records.length - MOST_RECORDS))) rmSync(path, { force: true });
  return freed;
}

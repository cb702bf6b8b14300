/**
 * The instruction cache: what a COPY, ADD, RUN or WORKDIR gave that looked like this one. Owns: records/<key> in the build cache. Rules: a key is made of all
 * that the result depends on (the layers below, by digest; contents, never times; the arguments and variables that are used) and of nothing
 * else; a record whose layer is gone counts as none.
 */
import { createHash } from 'node:crypto';
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LayerCache } from './layer-cache.ts';
import { explainCacheError, finish, type WorkFolder } from './work-folder.ts';

/** Counts up when the same instruction gives another result than before. */
const FORMAT = 1;

export interface BuildRecord {
  /** undefined: the instruction changed no file. */
  readonly diffId?: string;
  /** RFC 3339. */
  readonly created: string;
}

export function makeKey(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify([FORMAT, parts])).digest('hex');
}

export function findRecord(cache: LayerCache, key: string): BuildRecord | undefined {
  const path = join(cache.folder, 'records', key);
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as BuildRecord;
    if (typeof record.created !== 'string' || (record.diffId !== undefined && !cache.has(record.diffId))) return undefined;
    const now = new Date();
    utimesSync(path, now, now);
    return record;
  } catch {
    return undefined; // absent, or damaged: the instruction is executed again
  }
}

export function saveRecord(cache: LayerCache, work: WorkFolder, key: string, record: BuildRecord): void {
  const fresh = work.newPath('record');
  try {
    writeFileSync(fresh, JSON.stringify(record), { mode: 0o600 });
  } catch (error) {
    throw explainCacheError(error, fresh);
  }
  finish(fresh, join(cache.folder, 'records', key));
}

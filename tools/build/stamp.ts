// Content-hash stamps: a step is done again only when the bytes that it reads, or its command, changed.
// A stamp file holds one hash; file hashes are computed once a run.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const known = new Map<string, string>();

export function hashFile(path: string): string {
  let hash = known.get(path);
  if (hash === undefined) {
    hash = existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'absent';
    known.set(path, hash);
  }
  return hash;
}

/** One hash over texts and the contents of files (names included). */
export function hashInputs(texts: string[], files: string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text).update('\0');
  for (const file of files) hash.update(file).update(hashFile(file));
  return hash.digest('hex');
}

export function isCurrent(stamp: string, hash: string, outputs: string[]): boolean {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === hash && outputs.every((output) => existsSync(output));
}

export function writeStamp(stamp: string, hash: string): void {
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, hash);
}

/** All files below a folder whose name has one of the endings, sorted. */
export function listFiles(folder: string, endings: string[] = ['']): string[] {
  if (!existsSync(folder)) return [];
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...listFiles(path, endings));
    else if (endings.some((ending) => entry.name.endsWith(ending))) found.push(path);
  }
  return found.sort();
}

/**
 * The cache of compiled code: $HULL_ROOT/cache/code/<bundle>-<Node's version>-<architecture>. Owns: the life of its files; cli/start.ts names and reads them. Rules: complete or absent; what cannot be written is compiled again.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { sweepTemporaries, writeOnce } from './write.ts';

/** Bundles and versions of Node whose code is kept: several may share a root. */
const KEPT = 4;

/** Called when there was none that could be taken. */
export function keepCompiled(path: string, code: Uint8Array): void {
  const folder = dirname(path);
  try {
    rmSync(path, { force: true }); // one that was refused
    writeOnce(path, code);
    sweepTemporaries(folder);
    const others = readdirSync(folder).filter((name) => name !== basename(path));
    const byAge = others.map((name) => ({ name, time: statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 })).sort((a, b) => b.time - a.time);
    for (const { name } of byAge.slice(KEPT - 1)) rmSync(join(folder, name), { force: true });
  } catch {
    // no room, or no right to write there
  }
}

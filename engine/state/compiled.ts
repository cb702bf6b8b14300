/**
 * The cache of compiled code: $HULL_ROOT/cache/code/<bundle>-<Node's version>-<architecture>. Owns: the life of its files, and the sum at their end by which
 * a damaged one is told (V8 has none in a release, and crashes); cli/start.ts names and reads them. Rules: complete or absent; what cannot be written is compiled again.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { sweepTemporaries, writeOnce } from './write.ts';

/** Bundles and versions of Node whose code is kept: several may share a root. */
const KEPT = 4;

/** Bytes of the sum. */
const SUM = 8;
const SECTOR_WORDS = 128;
const WORDS_READ = 8;

/**
 * Of a few words of each sector of 512 bytes: what a disk or a full file system loses is sectors, and all words would take longer to add, in code that is not compiled yet, than is won by not compiling. Fletcher's two sums.
 */
function sumSectors(bytes: Uint8Array): Int32Array {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  let [a, b] = [bytes.byteLength | 0, 1];
  for (let at = 0; at < words.length; at += SECTOR_WORDS / WORDS_READ) {
    a = (Math.imul(a, 31) + (words[at] as number)) | 0;
    b = (b + a) | 0;
  }
  return new Int32Array([a, b]);
}

/** What keepCompiled() was given; undefined: the file is not what was written. `bytes` begins at a multiple of 4 of its buffer. */
export function openCompiled(bytes: Buffer): Buffer | undefined {
  if (bytes.length <= SUM) return undefined;
  const code = bytes.subarray(0, -SUM);
  const [a, b] = sumSectors(code);
  return bytes.readInt32LE(code.length) === a && bytes.readInt32LE(code.length + 4) === b ? code : undefined;
}

/** Called when there was none that could be taken. */
export function keepCompiled(path: string, code: Uint8Array): void {
  const folder = dirname(path);
  try {
    rmSync(path, { force: true }); // one that was refused
    writeOnce(path, Buffer.concat([code, new Uint8Array(sumSectors(code).buffer)]));
    sweepTemporaries(folder);
    const others = readdirSync(folder).filter((name) => name !== basename(path));
    const byAge = others.map((name) => ({ name, time: statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 })).sort((a, b) => b.time - a.time);
    for (const { name } of byAge.slice(KEPT - 1)) rmSync(join(folder, name), { force: true });
  } catch {
    // no room, or no right to write there
  }
}

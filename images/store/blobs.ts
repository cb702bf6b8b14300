/**
 * Content by its digest: blobs/sha256/<hex> (OCI Image Layout Specification 1.1). Owns: how blobs are written and read. Rules: a blob's file has its name
 * only when it is complete, on disk and of that digest; what is read is verified before its end is reported; one chunk in memory,
 * but for `readBlob`, which is for manifests and configs.
 */
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, openSync, readFileSync, statSync, fsyncSync, closeSync, existsSync, renameSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { makeOwnName, removeQuietly } from './claims.ts';
import { explainWrite, StoreError } from './error.ts';
import { DIGEST } from './oci.ts';

/** Manifests, indexes and configs are refused above this: registries take 4 MiB. */
const MOST_JSON = 16 * 1024 * 1024;

export interface BlobFolders {
  /** blobs/sha256 */
  readonly blobs: string;
  readonly temporary: string;
}

export interface BlobInfo {
  readonly digest: string;
  readonly size: number;
}

export function pathOfBlob(folders: BlobFolders, digest: string): string {
  if (!DIGEST.test(digest)) throw new StoreError('image-invalid', `Cannot find "${digest}": not a sha256 digest, expected "sha256:" and 64 hexadecimal digits`);
  return join(folders.blobs, digest.slice('sha256:'.length));
}

/** Its bytes on disk; undefined when it is not there. */
export function sizeOfBlob(folders: BlobFolders, digest: string): number | undefined {
  return statSync(pathOfBlob(folders, digest), { throwIfNoEntry: false })?.size;
}

const missing = (digest: string, cause?: unknown) =>
  new StoreError('blob-missing', `Cannot read "${digest}": the store has no such content, expected the image to be whole: remove it and pull or build it again`, { cause });

const damaged = (digest: string, what: string) =>
  new StoreError('blob-damaged', `Cannot read "${digest}": ${what}, expected what its digest says: remove the image and pull or build it again`);

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Whole and verified. */
export function readBlob(folders: BlobFolders, digest: string): Buffer {
  const path = pathOfBlob(folders, digest);
  const size = sizeOfBlob(folders, digest);
  if (size === undefined) throw missing(digest);
  if (size > MOST_JSON) throw new StoreError('image-invalid', `Cannot read "${digest}": ${size} bytes, expected a manifest or config of at most ${MOST_JSON}`);
  const bytes = readFileSync(path);
  const found = digestOf(bytes);
  if (found !== digest) throw damaged(digest, `its content has the digest ${found}`);
  return bytes;
}

/** Verified while it is read: the last chunk is given only when everything was right. */
export async function* streamBlob(folders: BlobFolders, descriptor: BlobInfo, from = 0): AsyncGenerator<Buffer, void, undefined> {
  const { digest, size } = descriptor;
  const path = pathOfBlob(folders, digest);
  const found = sizeOfBlob(folders, digest);
  if (found === undefined) throw missing(digest);
  if (found !== size) throw damaged(digest, `it has ${found} bytes instead of ${size}`);
  const hash = createHash('sha256');
  let held: Buffer | undefined;
  let at = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    if (held !== undefined) yield held;
    // The part before `from` counts for the digest only.
    held = at >= from ? chunk : at + chunk.length > from ? chunk.subarray(from - at) : undefined;
    at += chunk.length;
  }
  const actual = `sha256:${hash.digest('hex')}`;
  if (actual !== digest) throw damaged(digest, `its content has the digest ${actual}`);
  if (held !== undefined) yield held;
}

export function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } catch {
    // not every file system can
  } finally {
    closeSync(fd);
  }
}

type Source = Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export interface WrittenBlob extends BlobInfo {
  /** Gives the content its name. */
  name(): void;
  discard(): void;
}

/** Content on disk, without its name yet. `expected`: what it must be; more bytes than that are not even read. */
export async function writeBlob(folders: BlobFolders, source: Source, expected: { readonly digest?: string; readonly size?: number } = {}): Promise<WrittenBlob> {
  const temporary = join(folders.temporary, makeOwnName());
  let isNamed = false;
  try {
    mkdirSync(folders.temporary, { recursive: true, mode: 0o700 });
    mkdirSync(folders.blobs, { recursive: true, mode: 0o755 });
    const hash = createHash('sha256');
    let size = 0;
    const file = await open(temporary, 'wx', 0o644);
    try {
      for await (const chunk of source instanceof Uint8Array ? [source] : source) {
        size += chunk.length;
        if (expected.size !== undefined && size > expected.size) throw mismatch(expected, `more than ${expected.size} bytes`);
        hash.update(chunk);
        for (let done = 0; done < chunk.length; ) done += (await file.write(chunk, done)).bytesWritten;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    const digest = `sha256:${hash.digest('hex')}`;
    if (expected.size !== undefined && size !== expected.size) throw mismatch(expected, `${size} bytes, not ${expected.size}`);
    if (expected.digest !== undefined && digest !== expected.digest) throw mismatch(expected, `content with the digest ${digest}`);
    const path = pathOfBlob(folders, digest);
    return {
      digest,
      size,
      name() {
        try {
          if (sizeOfBlob(folders, digest) === size) removeQuietly(temporary);
          else {
            renameSync(temporary, path);
            syncFolder(folders.blobs);
          }
          isNamed = true;
        } catch (error) {
          throw explainWrite(error, path);
        }
      },
      discard() {
        if (!isNamed && existsSync(temporary)) removeQuietly(temporary);
      },
    };
  } catch (error) {
    removeQuietly(temporary);
    throw explainWrite(error, temporary);
  }
}

function mismatch(expected: { readonly digest?: string }, what: string): StoreError {
  return new StoreError('blob-damaged', `Cannot take "${expected.digest ?? 'content'}": ${what}, expected what its descriptor says`);
}

/**
 * The layers that builds make and use. Owns, in the build cache:
 *   layers/<diffId>.tar   a layer that a build made, not compressed: what RUN and COPY --from read
 *   index/<diffId>.json   the entries of a layer, with the digests of their contents; also of layers of base images
 *   records/<key>         what an instruction with this key gave (see records.ts)
 *   unpacked/<diffId>     a layer as a directory for overlayfs (see overlay.ts)
 *   texts/<digest>        small files of layers
 * Rules: files are complete or absent; a layer's name is its content's digest, so any number of builds may work at once; layers of images
 * stay in the image store and are read from there.
 */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, createWriteStream, existsSync, mkdirSync, openSync, readFileSync, statSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { type LayerEntry, type ReadEntry, readLayer, type WriteEntry, writeTar } from '../layers/index.ts';
import type { Descriptor } from '../store/index.ts';
import { BuildError } from './error.ts';
import type { IndexedEntry } from './tree.ts';
import { explainCacheError, finish, type WorkFolder } from './work-folder.ts';

/** Where blobs of images are: the image store. */
export interface BlobSource {
  streamBlob(descriptor: Descriptor): AsyncIterable<Uint8Array>;
}

/** A part of a spool file. */
export interface Spooled {
  readonly file: string;
  readonly offset: number;
  readonly size: number;
}

export type LayerCache = ReturnType<typeof openLayerCache>;

const hexOf = (diffId: string) => diffId.slice('sha256:'.length);

export function openLayerCache(folder: string, work: WorkFolder, blobs: BlobSource) {
  const stored = new Map<string, Descriptor>();
  const indexes = new Map<string, readonly IndexedEntry[]>();
  for (const name of ['layers', 'index', 'records', 'unpacked', 'texts']) {
    try {
      mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
    } catch (error) {
      throw explainCacheError(error, join(folder, name));
    }
  }
  const tarPath = (diffId: string) => join(folder, 'layers', `${hexOf(diffId)}.tar`);
  const indexPath = (diffId: string) => join(folder, 'index', `${hexOf(diffId)}.json`);

  /** The layer's bytes, not compressed. */
  function openEntries(diffId: string): AsyncGenerator<ReadEntry, void, undefined> {
    if (existsSync(tarPath(diffId))) return readLayer(createReadStream(tarPath(diffId), { highWaterMark: 1 << 18 }));
    const descriptor = stored.get(diffId);
    if (descriptor === undefined) throw new BuildError('cache-unwritable', `Cannot read "${diffId}": the build cache lost this layer, expected it to stay while a build runs: build again`);
    return readLayer(blobs.streamBlob(descriptor));
  }

  function saveIndex(diffId: string, entries: readonly IndexedEntry[]): void {
    indexes.set(diffId, entries);
    const fresh = work.newPath('index');
    try {
      writeFileSync(fresh, JSON.stringify(entries.map(packEntry)), { mode: 0o600 });
    } catch (error) {
      throw explainCacheError(error, fresh);
    }
    finish(fresh, indexPath(diffId));
  }

  async function readIndex(diffId: string): Promise<readonly IndexedEntry[]> {
    const known = indexes.get(diffId) ?? loadIndex(indexPath(diffId));
    if (known !== undefined) {
      indexes.set(diffId, known);
      return known;
    }
    const entries: IndexedEntry[] = [];
    for await (const entry of openEntries(diffId)) {
      const { content, ...plain } = entry;
      if (entry.kind !== 'file') {
        entries.push(plain);
        continue;
      }
      const hash = createHash('sha256');
      for await (const chunk of content()) hash.update(chunk);
      entries.push({ ...plain, digest: hash.digest('hex') });
    }
    saveIndex(diffId, entries);
    return entries;
  }

  /** Makes a layer; its diffId. Entries come in their order, contents are asked for one by one. */
  async function write(entries: AsyncIterable<WriteEntry> | Iterable<WriteEntry>, epoch: number | undefined): Promise<string> {
    const index: IndexedEntry[] = [];
    async function* watch(): AsyncGenerator<WriteEntry> {
      for await (const entry of entries) {
        const { content, ...plain } = entry;
        if (entry.kind !== 'file' || content === undefined) {
          index.push(plain);
          yield entry;
          continue;
        }
        const hash = createHash('sha256');
        yield { ...plain, content: () => hashWhile(content(), hash) };
        index.push({ ...plain, digest: hash.digest('hex') });
      }
    }
    const fresh = work.newPath('layer');
    const hash = createHash('sha256');
    const out = createWriteStream(fresh, { mode: 0o600 });
    const end = finished(out).catch((error) => Promise.reject(explainCacheError(error, fresh)));
    end.catch(() => undefined);
    try {
      for await (const chunk of writeTar(watch(), epoch === undefined ? {} : { epoch })) {
        hash.update(chunk);
        if (!out.write(chunk)) await Promise.race([new Promise<void>((resolve) => out.once('drain', resolve)), end]);
      }
    } finally {
      out.end();
    }
    await end;
    const diffId = `sha256:${hash.digest('hex')}`;
    finish(fresh, tarPath(diffId));
    saveIndex(diffId, index);
    return diffId;
  }

  /** Puts the contents of files of a layer into one file, in one pass over the layer. */
  async function spool(diffId: string, paths: ReadonlySet<string>): Promise<Map<string, Spooled>> {
    const found = new Map<string, Spooled>();
    const file = work.newPath('contents');
    const fd = openSync(file, 'wx', 0o600);
    let offset = 0;
    try {
      for await (const entry of openEntries(diffId)) {
        if (entry.kind !== 'file' || !paths.has(entry.path)) continue;
        const start = offset;
        for await (const chunk of entry.content()) {
          for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
          offset += chunk.length;
        }
        found.set(entry.path, { file, offset: start, size: offset - start });
      }
    } catch (error) {
      throw explainCacheError(error, file);
    } finally {
      closeSync(fd);
    }
    return found;
  }

  /** Whether a layer can be read; it counts as used now. */
  function has(diffId: string): boolean {
    try {
      const now = new Date();
      utimesSync(tarPath(diffId), now, now);
      return true;
    } catch {
      return stored.has(diffId);
    }
  }

  /** Small files that are asked for in each build (/etc/passwd): a layer is not read through again for them. */
  function readText(digest: string): string | undefined {
    try {
      return readFileSync(join(folder, 'texts', digest), 'utf8');
    } catch {
      return undefined;
    }
  }

  function saveText(digest: string, text: string): void {
    const fresh = work.newPath('text');
    try {
      writeFileSync(fresh, text, { mode: 0o600 });
    } catch (error) {
      throw explainCacheError(error, fresh);
    }
    finish(fresh, join(folder, 'texts', digest));
  }

  return {
    folder,
    readText,
    saveText,
    /** A layer of an image is in the image store. */
    addStored: (diffId: string, descriptor: Descriptor) => void stored.set(diffId, descriptor),
    findStored: (diffId: string) => stored.get(diffId),
    has,
    openEntries,
    readIndex,
    write,
    spool,
    tarPath,
    /** Bytes, not compressed. */
    sizeOf: (diffId: string) => statSync(tarPath(diffId), { throwIfNoEntry: false })?.size ?? 0,
    unpackedPath: (diffId: string) => join(folder, 'unpacked', hexOf(diffId)),
  };
}

async function* hashWhile(source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, hash: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
}

type PackedEntry = Omit<IndexedEntry, 'mtimeNs' | 'xattrs'> & { readonly mtimeNs: string; readonly xattrs?: readonly (readonly [string, string])[] };

function packEntry({ mtimeNs, xattrs, ...rest }: IndexedEntry): PackedEntry {
  return { ...rest, mtimeNs: String(mtimeNs), ...(xattrs === undefined ? {} : { xattrs: [...xattrs].map(([name, value]) => [name, value.toString('base64')] as const) }) };
}

function unpackEntry({ mtimeNs, xattrs, ...rest }: PackedEntry): IndexedEntry {
  return {
    ...(rest as LayerEntry & { digest?: string }),
    mtimeNs: BigInt(mtimeNs),
    ...(xattrs === undefined ? {} : { xattrs: new Map(xattrs.map(([name, value]) => [name, Buffer.from(value, 'base64')])) }),
  };
}

function loadIndex(path: string): IndexedEntry[] | undefined {
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as PackedEntry[]).map(unpackEntry);
  } catch {
    return undefined; // absent, or damaged: it is made again
  }
}

/**
 * Files of an instance as archives: out of it (`cp`, `export`), and into it. Owns: Docker's words and its form of a file's description (Docker Engine API v1.47, ContainerArchive). Rules: a machine that runs holds
 * still only as long as this process reads, not as long as somebody takes the archive: what is read of it waits in a file without a name.
 */
import { closeSync, readSync, writeSync } from 'node:fs';
import { posix } from 'node:path';
import { type FileStat, openHostFiles, type StackedFile } from '../../images/index.ts';
import { type ReadEntry, readLayer, walkEntries, type WriteEntry, writeTar } from '../../images/layers/index.ts';
import { EngineError } from '../errors.ts';
import type { RunHost } from '../prepare.ts';
import { findStatePaths, openScratch } from '../state/index.ts';
import { type InstanceFiles, withInstanceFiles } from './files.ts';
import { isGuestFolder, lookInGuest, putEntries, type PutOptions } from './put.ts';
import { withAnyGuest } from './helper.ts';
import { findInstance, isRunning, recordInstanceEvent } from './observe.ts';

const PIECE = 1 << 18;

/** Of X-Docker-Container-Path-Stat. */
export interface InstancePathStat {
  readonly name: string;
  readonly size: number;
  /** Go's os.FileMode. */
  readonly mode: number;
  /** RFC 3339. */
  readonly mtime: string;
  readonly linkTarget: string;
}

const GO_KIND: Record<FileStat['kind'], number> = { file: 0, directory: 2 ** 31, symlink: 2 ** 27, block: 2 ** 26, character: 2 ** 26 + 2 ** 21, fifo: 2 ** 25, socket: 2 ** 24 };

function describe(files: InstanceFiles, file: StackedFile, name: string): InstancePathStat {
  const { kind, mode, size, mtimeNs } = files.all.stat(file);
  const special = ((mode & 0o4000) !== 0 ? 2 ** 23 : 0) + ((mode & 0o2000) !== 0 ? 2 ** 22 : 0) + ((mode & 0o1000) !== 0 ? 2 ** 20 : 0);
  // Where a link leads, from the root on.
  const linkTarget = kind === 'symlink' ? posix.resolve(posix.dirname(file.path), files.all.readLink(file)) : '';
  return { name, size, mode: GO_KIND[kind] + special + (mode & 0o777), mtime: new Date(Number(mtimeNs / 1_000_000n)).toISOString(), linkTarget };
}

/** A trailing slash or "/." means what a link leads to. */
function find(files: InstanceFiles, text: string, path: string, follows = false): StackedFile {
  const file = files.all.find(path, follows || /\/\.?$/.test(path));
  if (file === undefined || (/\/\.?$/.test(path) && files.all.stat(file).kind !== 'directory')) throw new EngineError('path-missing', `Could not find the file ${path} in container ${text}`);
  return file;
}

const nameOf = (path: string) => posix.basename(posix.resolve('/', path)) || '/';

/** `follows`: what a link leads to. */
export async function statInstancePath(text: string, env: NodeJS.ProcessEnv, path: string, follows = false): Promise<InstancePathStat> {
  return await withInstanceFiles(text, env, (files) => describe(files, find(files, text, path, follows), nameOf(path)));
}

/** Puts what `make` gives of a running machine's files into a file without a name; of others it is passed on as it comes. */
async function* readQuietly(text: string, env: NodeJS.ProcessEnv, make: (files: InstanceFiles) => Iterable<WriteEntry>): AsyncGenerator<Buffer> {
  const { folder } = await findInstance(findStatePaths(env), text);
  const fd = openScratch(folder);
  try {
    await withInstanceFiles(text, env, async (files) => {
      for await (const chunk of writeTar(make(files))) for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
    });
    for (let at = 0; ; ) {
      const bytes = Buffer.allocUnsafe(PIECE);
      const count = readSync(fd, bytes, 0, PIECE, at);
      if (count === 0) return;
      at += count;
      yield bytes.subarray(0, count);
    }
  } finally {
    closeSync(fd);
  }
}

/** Entries of what is at `path`, the first of them named `name` ("": without a name, its content only). The machine holds still until they have been taken. */
export async function readInstanceEntries<T>(text: string, env: NodeJS.ProcessEnv, path: string, name: string, follows: boolean, take: (entries: Iterable<WriteEntry>) => Promise<T>): Promise<T> {
  return await withInstanceFiles(text, env, (files) => take(walkEntries(files.all, find(files, text, path, follows), name)));
}

/** What is at `path` as a tar archive, whose names begin with the file's own; of "/." and "/": with "./". */
export async function readInstanceArchive(text: string, env: NodeJS.ProcessEnv, path: string): Promise<{ readonly stat: InstancePathStat; readonly archive: AsyncIterable<Buffer> }> {
  const stat = await statInstancePath(text, env, path);
  const isContent = /\/\.$/.test(path) || stat.name === '/';
  return { stat, archive: readQuietly(text, env, (files) => walkEntries(files.all, find(files, text, path), isContent ? '' : stat.name)) };
}

/** `docker export`: all files, without what is mounted. */
export async function exportInstance(text: string, env: NodeJS.ProcessEnv): Promise<AsyncIterable<Buffer>> {
  const paths = findStatePaths(env);
  const instance = await findInstance(paths, text);
  await withInstanceFiles(instance.id, env, () => {}, { pause: false }); // its errors now
  recordInstanceEvent(paths, instance, 'export');
  return readQuietly(instance.id, env, function* (files) {
    for (const entry of walkEntries(files.root, files.root.root, '')) if (entry.path !== '') yield entry;
  });
}

/** Unpacks a tar archive, packed or not, in the directory `path`, which has to be there. */
export async function writeInstanceArchive(text: string, host: RunHost, path: string, archive: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<void> {
  await writeInstanceEntries(text, host, path, readLayer(archive, { isPlain: true }), options);
}

/** The same of entries. */
async function writeInstanceEntries(text: string, host: RunHost, path: string, entries: AsyncIterable<ReadEntry>, options: PutOptions = {}): Promise<void> {
  const paths = findStatePaths(host.env);
  const instance = await findInstance(paths, text);
  const { mounts, readOnly, rootfs, image } = instance.config.request;
  const target = posix.resolve('/', path);
  const mount = mounts.filter((each) => target === each.target || target.startsWith(`${each.target}/`)).sort((a, b) => b.target.length - a.target.length)[0];
  if (rootfs === undefined && image === undefined) {
    throw new EngineError('option-invalid', `Cannot copy into container ${instance.config.name}: it runs a program without a root file system, expected one of an image or with --rootfs`);
  }
  if (mount === undefined && readOnly === true) throw new EngineError('option-invalid', 'container rootfs is marked read-only');
  if (mount?.readOnly === true) throw new EngineError('option-invalid', 'mounted volume is marked read-only');
  if (mount?.type === 'tmpfs' && !isRunning(instance.state)) {
    throw new EngineError('option-invalid', `Cannot copy to "${target}" of container ${instance.config.name}: it is memory (tmpfs), and the container does not run, expected one that does`);
  }
  await withAnyGuest(instance, host, async (guest) => {
    const mode = await lookInGuest(guest, target, true);
    if (mode === undefined) throw new EngineError('path-missing', `Could not find the file ${path} in container ${text}`);
    if (!isGuestFolder(mode)) throw new EngineError('option-invalid', 'extraction point is not a directory');
    await putEntries(guest, target, entries, options);
  });
  recordInstanceEvent(paths, instance, 'extract-to-dir', { path: target });
}

/** A file or directory of this host, with all in it, as `name` in the directory `folder` ("": what is in it, without itself); its bytes. */
export async function copyHostFiles(text: string, host: RunHost, source: string, target: { readonly folder: string; readonly name: string }, options: PutOptions = {}): Promise<number> {
  const place = openHostFiles(source);
  let bytes = 0;
  async function* read(): AsyncGenerator<ReadEntry> {
    for (const entry of walkEntries(place, place.root, target.name)) {
      yield {
        ...entry,
        async *content() {
          for await (const chunk of entry.content?.() ?? []) {
            bytes += chunk.length;
            yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
          }
        },
      };
    }
  }
  await writeInstanceEntries(text, host, target.folder, read(), options);
  return bytes;
}

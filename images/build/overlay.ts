/**
 * Layers as directories for overlayfs, and back. Owns: both translations (Documentation/filesystems/overlayfs.rst: a removed file is a character device
 * 0:0, an opaque directory has an attribute; OCI layer.md: ".wh." files). Rules: GNU tar writes and reads the directories, so that attributes
 * and file capabilities stay; a layer's directory has its name only when it is complete; the upper directory is read when nothing writes to it.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { type LayerEntry, readLayer, type WriteEntry, writeTar } from '../layers/index.ts';
import { markUsed } from './evict.ts';
import { type Spools, readContent } from './contents.ts';
import type { LayerCache } from './layer-cache.ts';
import { findPrivileges, pipeThrough } from './privileges.ts';
import { findNode, type Node, walkTree } from './tree.ts';
import { finish, type WorkFolder } from './work-folder.ts';

const NS = 1_000_000_000n;
const REMOVED = { major: 0, minor: 0 };

/** Only the initial namespace's root may set trusted attributes; others mount with "userxattr". */
const attributePrefix = () => (findPrivileges().kind === 'root' ? 'trusted.overlay.' : 'user.overlay.');

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

async function extract(entries: AsyncIterable<WriteEntry> | Iterable<WriteEntry>, folder: string, what: string): Promise<void> {
  const owner = findPrivileges().kind === 'single-id' ? '--no-same-owner' : '--same-owner';
  const args = ['tar', '--extract', '--file=-', `--directory=${folder}`, '--numeric-owner', owner, '--same-permissions', '--xattrs', '--xattrs-include=*', '--delay-directory-restore', '--warning=no-timestamp'];
  await drain(pipeThrough({ args, what, input: writeTar(entries) }));
}

/** The directory of a layer, made now if there is none. */
export async function unpackLayer(diffId: string, cache: LayerCache, work: WorkFolder): Promise<string> {
  const path = cache.unpackedPath(diffId);
  if (existsSync(path)) {
    markUsed(path);
    return path;
  }
  const fresh = work.newPath('unpacked');
  mkdirSync(fresh, { mode: 0o755 });
  const opaque = new Set((await cache.readIndex(diffId)).filter(({ kind }) => kind === 'opaque').map((entry) => entry.path));
  async function* translate(): AsyncGenerator<WriteEntry> {
    for await (const entry of cache.openEntries(diffId)) {
      if (entry.kind === 'opaque') continue;
      if (entry.kind === 'whiteout') yield { ...entry, kind: 'character', device: REMOVED, mode: 0 };
      else if (entry.kind === 'directory' && opaque.has(entry.path)) {
        yield { ...entry, xattrs: new Map([...(entry.xattrs ?? []), [`${attributePrefix()}opaque`, Buffer.from('y')]]) };
      } else yield entry;
    }
  }
  await extract(translate(), fresh, `unpack the layer "${diffId}"`);
  finish(fresh, path);
  return path;
}

/** What a part of a tree has, as files in `folder`. */
export async function materialize(node: Node, name: string, folder: string, spools: Spools): Promise<void> {
  function* list(): Generator<WriteEntry> {
    const all = node.children === undefined ? [{ path: name, node }] : [{ path: name, node }, ...[...walkTree(node)].map((each) => ({ path: `${name}/${each.path}`, node: each.node }))];
    for (const { path, node: each } of all) {
      const { content: _, children: __, digest: ___, ...plain } = each;
      yield { ...plain, path, ...(each.kind === 'file' ? { content: () => readContent(each, spools) } : {}) };
    }
  }
  await extract(list(), folder, `copy "${name}" for a mount`);
}

/**
 * The upper directory as a layer's entries. `before`: the root file system below it; `stubs`: paths that were made only to mount something there.
 * A directory that stands in the upper one only because something in it was touched, and in which nothing changed in the end, is left out.
 */
export async function packUpper(folder: string, before: Node, stubs: ReadonlySet<string>, write: (entries: AsyncIterable<WriteEntry>) => Promise<string>): Promise<string | undefined> {
  const args = ['tar', '--create', '--file=-', `--directory=${folder}`, '--sort=name', '--format=pax', '--pax-option=delete=atime,delete=ctime', '--numeric-owner', '--xattrs', '--xattrs-include=*', '--warning=no-file-ignored', '.'];
  let count = 0;
  async function* translate(): AsyncGenerator<WriteEntry> {
    let held: WriteEntry[] = [];
    for await (const entry of readLayer(pipeThrough({ args, what: 'read what RUN changed' }), { isPlain: true })) {
      if (entry.path === '' || (stubs.has(entry.path) && entry.kind === 'file' && entry.size === 0)) continue;
      held = held.filter(({ path }) => entry.path.startsWith(`${path}/`));
      const { isOpaque, ...changed } = toChange(entry);
      if (entry.kind === 'directory' && (stubs.has(entry.path) || (!isOpaque && isSameDirectory(entry, before)))) {
        held.push(changed);
        continue;
      }
      for (const each of held) yield each;
      count += 1 + held.length;
      held = [];
      yield entry.kind === 'file' ? { ...changed, content: () => entry.content() } : changed;
      if (isOpaque) yield { ...changed, kind: 'opaque' };
    }
  }
  const diffId = await write(translate());
  return count === 0 ? undefined : diffId;
}

function isSameDirectory(entry: LayerEntry, before: Node): boolean {
  const { node, path } = findNode(before, entry.path, false);
  return path === `/${entry.path}` && node?.children !== undefined && node.mode === entry.mode && node.uid === entry.uid && node.gid === entry.gid;
}

function toChange(entry: LayerEntry): LayerEntry & { isOpaque: boolean } {
  const xattrs = new Map([...(entry.xattrs ?? [])].filter(([name]) => !name.startsWith('trusted.overlay.') && !name.startsWith('user.overlay.')));
  const isOpaque = ['trusted', 'user'].some((kind) => entry.xattrs?.get(`${kind}.overlay.opaque`)?.toString() === 'y');
  const { xattrs: _, path, kind, mode, uid, gid, size, target, device } = entry;
  const isRemoved = kind === 'character' && device?.major === 0 && device.minor === 0;
  return {
    ...{ path, kind: isRemoved ? 'whiteout' : kind, mode, uid, gid, size, mtimeNs: (entry.mtimeNs / NS) * NS, isOpaque },
    ...(target === undefined ? {} : { target }),
    ...(device === undefined || isRemoved ? {} : { device }),
    ...(xattrs.size === 0 ? {} : { xattrs }),
  };
}

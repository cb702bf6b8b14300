/**
 * The target stage -> an image in the store, an archive, or a directory. Owns: what the result's config says, and that its layers are where they belong.
 * Rules: a layer that was compressed before is not compressed again; the image has its name only when all of it is there; a file that
 * is written beside the store is complete or absent.
 */
import { createReadStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compress, type WriteEntry, writeTar } from '../layers/index.ts';
import { type Descriptor, type ImageConfig, type Lease, MEDIA, type Platform, type Store } from '../store/index.ts';
import { toTime } from './build.ts';
import { closeConfig } from './config.ts';
import { fetchContents, readContent } from './contents.ts';
import type { LayerCache } from './layer-cache.ts';
import { pipeThrough } from './privileges.ts';
import type { Session } from './session.ts';
import type { StageResult } from './stage.ts';
import { type Node, walkTree } from './tree.ts';
import { finish } from './work-folder.ts';

/** Layers that are compressed at the same time: the rest of a host's CPUs is its owner's. */
const AT_ONCE = 2;

function recordPath(cache: LayerCache, diffId: string): string {
  return join(cache.folder, 'records', `gzip-${diffId.slice('sha256:'.length)}`);
}

/** The layer in the store, put there now if it is not. */
async function storeLayer(session: Session, store: Store, lease: Lease, diffId: string): Promise<Descriptor> {
  const { cache, work } = session;
  const stored = cache.findStored(diffId) ?? readRecord(recordPath(cache, diffId));
  if (stored !== undefined) {
    await lease.keep([stored.digest]);
    if (store.hasBlob(stored)) return stored;
  }
  const blob = await store.putBlob(lease, compress(createReadStream(cache.tarPath(diffId), { highWaterMark: 1 << 18 }), 'gzip'));
  const descriptor: Descriptor = { mediaType: MEDIA.OCI_LAYER_GZIP, ...blob };
  const fresh = work.newPath('record');
  writeFileSync(fresh, JSON.stringify(descriptor), { mode: 0o600 });
  finish(fresh, recordPath(cache, diffId));
  return descriptor;
}

function readRecord(path: string): Descriptor | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Descriptor;
  } catch {
    return undefined;
  }
}

export interface ImageExtras {
  /** --label. */
  readonly labels: ReadonlyMap<string, string>;
}

export function makeConfig(session: Session, stage: StageResult, extras: ImageExtras): ImageConfig {
  const config = { ...stage.config, ...(extras.labels.size === 0 ? {} : { Labels: { ...stage.config.Labels, ...Object.fromEntries(extras.labels) } }) };
  const { os, architecture, variant }: Platform = stage.platform;
  const { epoch } = session.settings;
  const latest = stage.history.at(-1)?.created;
  return {
    // Nothing new: as old as its last layer, so that the same sources give the same image.
    created: epoch === undefined ? newest(stage, latest ?? toTime(session)) : toTime(session),
    ...(stage.config.author === undefined ? {} : { author: stage.config.author }),
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    config: closeConfig(config),
    rootfs: { type: 'layers', diff_ids: stage.layers },
    history: stage.history,
  };
}

const newest = (stage: StageResult, otherwise: string): string => stage.history.reduce((latest, { created = '' }) => (created > latest ? created : latest), '') || otherwise;

/** Writes the image; its manifest. It has no name yet. */
export async function storeImage(session: Session, store: Store, lease: Lease, stage: StageResult, extras: ImageExtras): Promise<Descriptor> {
  const layers: Descriptor[] = [];
  const waiting = [...stage.layers.entries()];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) layers[next[0]] = await storeLayer(session, store, lease, next[1]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return store.putImage(lease, { config: makeConfig(session, stage, extras), layers });
}

/** The root file system's entries, whole. */
async function listAll(session: Session, stage: StageResult): Promise<WriteEntry[]> {
  const root = await stage.readTree();
  const all = [...walkTree(root)];
  const spools = await fetchContents(all.map(({ node }) => node), session.cache);
  const first = new Map<Node, string>();
  return all.map(({ path, node }) => {
    const { content: _, children: __, digest: ___, ...plain } = node;
    const known = node.kind === 'directory' ? undefined : first.get(node);
    if (known !== undefined) return { ...plain, kind: 'hardlink', size: 0, path, target: known };
    first.set(node, path);
    return { ...plain, path, ...(node.kind === 'file' ? { content: () => readContent(node, spools) } : {}) };
  });
}

/** --output type=tar: the root file system as an archive. */
export async function* archiveFilesystem(session: Session, stage: StageResult): AsyncGenerator<Uint8Array> {
  const { epoch } = session.settings;
  yield* writeTar(await listAll(session, stage), epoch === undefined ? {} : { epoch });
}

/** --output type=local: the root file system as files of whoever calls. */
export async function exportFilesystem(session: Session, stage: StageResult, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const args = ['tar', '--extract', '--file=-', `--directory=${folder}`, '--no-same-owner', '--same-permissions', '--delay-directory-restore', '--warning=no-timestamp'];
  for await (const _ of pipeThrough({ args, what: `write the files to "${folder}"`, input: archiveFilesystem(session, stage), isPlain: true }));
}

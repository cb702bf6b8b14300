/**
 * Images between a registry and a store. Owns: the order of transfers, how many go at once, what is left out because it is there. Rules: a lease first, so that nobody removes
 * what is about to be named; content before manifests, manifests before names: whatever ends a transfer, no name leads to something that is not whole.
 */
import {
  type Descriptor,
  formatPlatform,
  isIndexType,
  isManifestType,
  type Lease,
  matchesPlatform,
  parseConfig,
  parseIndex,
  parseManifest,
  type Platform,
  type Reference,
  type Store,
  withDigest,
} from '../store/index.ts';
import type { Registry } from './client.ts';
import { isBroken } from './connection.ts';
import { RegistryError } from './error.ts';

const PARALLEL = 4;
const MOST_REFERRERS = 1000;
/** Of referrers of referrers. */
const MOST_DEPTH = 4;

export type TransferState = 'waiting' | 'moving' | 'done' | 'there' | 'mounted';

export interface TransferEvents {
  /** Of one blob; bytes so far, and of how many. */
  blob(descriptor: Descriptor, state: TransferState, done: number): void;
}

export interface Pulled {
  /** What the registry calls the tag: of a manifest, or an index. */
  readonly digest: string;
  readonly target: Descriptor;
  readonly isNew: boolean;
}

async function inParallel<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  let failure: { error: unknown } | undefined;
  await Promise.all(
    Array.from({ length: Math.min(PARALLEL, items.length) }, async () => {
      for (let item = queue.shift(); item !== undefined && failure === undefined; item = queue.shift()) {
        try {
          await action(item);
        } catch (error) {
          failure ??= { error };
        }
      }
    }),
  );
  if (failure !== undefined) throw failure.error;
}

const isSeveral = (platform: Platform | readonly Platform[]): platform is readonly Platform[] => Array.isArray(platform);

const uniqueByDigest = (list: readonly Descriptor[]): Descriptor[] => [...new Map(list.map((each) => [each.digest, each])).values()];

/** `platform`: of an index, that one, without the index; several: the index with those; undefined: all of it. */
export async function pullImage(store: Store, registry: Registry, reference: Reference, platform: Platform | readonly Platform[] | undefined, events: TransferEvents): Promise<Pulled> {
  const asked = reference.digest ?? reference.tag ?? 'latest';
  return store.withLease(async (lease) => {
    const top = await registry.getManifest(asked);
    const { mediaType, digest } = top.descriptor;
    let target = top.descriptor;
    if (isIndexType(mediaType)) {
      const { manifests } = parseIndex(top.bytes, `${registry.name}@${digest}`);
      const select = (wanted: Platform): Descriptor => {
        const found = manifests.find((each) => isManifestType(each.mediaType) && matchesPlatform(each.platform, wanted));
        if (found !== undefined) return found;
        const have = manifests.flatMap((each) => (each.platform === undefined || each.platform.os === 'unknown' ? [] : formatPlatform(each.platform)));
        throw new RegistryError('platform-missing', `Cannot pull "${registry.name}:${asked}": no matching manifest for ${formatPlatform(wanted)} in the manifest list entries, expected one of ${have.join(', ') || 'its platforms'}`);
      };
      if (platform === undefined || isSeveral(platform)) {
        const chosen = platform === undefined ? manifests.filter((every) => isManifestType(every.mediaType)) : platform.map(select);
        for (const each of uniqueByDigest(chosen)) await pullManifest(store, registry, lease, each, events);
        await putManifest(store, lease, top.bytes, top.descriptor);
      } else {
        target = select(platform);
        await pullManifest(store, registry, lease, target, events);
      }
    } else if (isManifestType(mediaType)) await pullManifest(store, registry, lease, top.descriptor, events, top.bytes);
    else throw new RegistryError('registry-invalid', `Cannot pull "${registry.name}:${asked}": it is of type "${mediaType}", expected an image`);
    const names = [...(reference.tag === undefined ? [] : [reference]), withDigest(reference, digest)];
    const found = await pullReferrers(store, registry, lease, listSubjects(store, target), events);
    const before = store.findTarget((reference.tag === undefined ? withDigest(reference, digest) : reference).canonical);
    await store.tag(target, names);
    for (const each of found) await store.attach(each);
    return { digest, target, isNew: before?.digest !== target.digest };
  }, isBroken);
}

async function putManifest(store: Store, lease: Lease, bytes: Buffer, descriptor: Descriptor): Promise<void> {
  await store.putBlob(lease, bytes, { digest: descriptor.digest, size: bytes.length });
}

async function pullManifest(store: Store, registry: Registry, lease: Lease, descriptor: Descriptor, events: TransferEvents, known?: Buffer): Promise<void> {
  const what = `${registry.name}@${descriptor.digest}`;
  await lease.keep([descriptor.digest]);
  const bytes = known ?? (store.hasBlob(descriptor) ? store.readBlob(descriptor.digest) : (await registry.getManifest(descriptor.digest)).bytes);
  const manifest = parseManifest(bytes, what);
  const blobs = uniqueByDigest([manifest.config, ...manifest.layers.filter((layer) => layer.urls === undefined || !/foreign|nondistributable/.test(layer.mediaType))]);
  await lease.keep(blobs.map(({ digest }) => digest));
  for (const each of blobs) events.blob(each, store.hasBlob(each) ? 'there' : 'waiting', 0);
  await inParallel(
    blobs.filter((each) => !store.hasBlob(each)),
    async (blob) => {
      let done = 0;
      events.blob(blob, 'moving', 0);
      async function* watch() {
        for await (const chunk of registry.getBlob(blob)) {
          done += chunk.length;
          events.blob(blob, 'moving', done);
          yield chunk;
        }
      }
      await store.putBlob(lease, watch(), blob);
      events.blob(blob, 'done', done);
    },
  );
  if (/image\.(config\.v1|v1)\+json$/.test(manifest.config.mediaType)) {
    const { rootfs } = parseConfig(store.readBlob(manifest.config.digest), what);
    if (rootfs.diff_ids.length !== manifest.layers.length) {
      throw new RegistryError('registry-invalid', `Cannot pull "${what}": ${manifest.layers.length} layers and ${rootfs.diff_ids.length} diff_ids, expected as many`);
    }
  }
  await putManifest(store, lease, bytes, descriptor);
}

/** What may be referred to in an entry. */
const listSubjects = (store: Store, target: Descriptor): string[] => [...new Set([target.digest, ...store.listManifests(target).map(({ digest }) => digest)])];

/** Signatures, lists of contents and the like of what was pulled, and what refers to those in turn. */
async function pullReferrers(store: Store, registry: Registry, lease: Lease, subjects: readonly string[], events: TransferEvents): Promise<Descriptor[]> {
  const found = new Map<string, Descriptor>();
  const queue = subjects.map((digest) => ({ digest, depth: 0 }));
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const each of await registry.listReferrers(next.digest)) {
      if (found.has(each.digest) || !isManifestType(each.mediaType) || found.size >= MOST_REFERRERS) continue;
      try {
        await pullManifest(store, registry, lease, each, events);
      } catch (error) {
        if (error instanceof RegistryError && error.code === 'manifest-missing') continue; // lists by tag are not kept by the registry: it may be long gone
        throw error;
      }
      found.set(each.digest, each);
      if (next.depth < MOST_DEPTH) queue.push({ digest: each.digest, depth: next.depth + 1 });
    }
  }
  return [...found.values()].filter((each) => parseManifest(store.readBlob(each.digest), each.digest).subject !== undefined);
}

/** Repositories of the same registry that hold a blob, as far as names in the store tell. */
function listSources(store: Store, reference: Reference): Map<string, string> {
  const sources = new Map<string, string>();
  for (const image of store.list()) {
    const others = [...image.tags, ...image.digests].filter((name) => name.startsWith(`${reference.domain}/`)).map((name) => name.slice(reference.domain.length + 1).replace(/(@sha256:.*|:[\w.-]*)$/, ''));
    // Only what came from there or went there has a name by digest.
    const from = image.digests.length === 0 ? undefined : others.find((path) => path !== reference.path);
    if (from !== undefined) for (const { digest } of image.manifest.layers) sources.set(digest, from);
  }
  return sources;
}

/** The digest by which the registry knows it. What is pushed stays for that long, also when somebody removes the image meanwhile; it gets no further name then. */
export async function pushImage(store: Store, registry: Registry, reference: Reference, target: Descriptor, events: TransferEvents): Promise<{ digest: string; size: number }> {
  registry.willPush();
  return store.withLease(async (lease) => {
    const needed = listNeeded(store, target);
    await lease.keep(needed);
    const sources = listSources(store, reference);
    await pushEntry(store, registry, target, reference.tag ?? target.digest, sources, events);
    await pushReferrers(store, registry, listSubjects(store, target), sources, events);
    const isThere = await store.tag(target, [withDigest(reference, target.digest)], { isMore: true });
    if (!isThere) for (const digest of needed) lease.made.add(digest);
    if (!isThere) await lease.abandon();
    return { digest: target.digest, size: target.size };
  });
}

/** Everything that an entry consists of here. */
function listNeeded(store: Store, target: Descriptor): string[] {
  const needed = new Set([target.digest]);
  for (const each of store.listManifests(target)) {
    const { config, layers } = parseManifest(store.readBlob(each.digest), each.digest);
    for (const { digest } of [each, config, ...layers]) needed.add(digest);
  }
  return [...needed];
}

async function pushEntry(store: Store, registry: Registry, target: Descriptor, name: string, sources: ReadonlyMap<string, string>, events: TransferEvents): Promise<{ readonly listsReferrers: boolean }> {
  const bytes = store.readBlob(target.digest);
  if (isIndexType(target.mediaType)) {
    const { manifests } = parseIndex(bytes, target.digest);
    const absent = manifests.find((each) => !store.hasBlob(each));
    if (absent !== undefined) {
      const platform = absent.platform === undefined ? absent.digest : formatPlatform(absent.platform);
      throw new RegistryError('platform-missing', `Cannot push "${registry.name}:${name}": the store has not its part for ${platform}, expected all of them: pull it with --all-platforms first`);
    }
    for (const each of manifests) await pushEntry(store, registry, each, each.digest, sources, events);
  } else {
    const manifest = parseManifest(bytes, target.digest);
    const blobs = uniqueByDigest([manifest.config, ...manifest.layers]).filter((each) => each.urls === undefined || store.hasBlob(each));
    for (const blob of blobs) events.blob(blob, 'waiting', 0);
    await inParallel(blobs, async (blob) => {
      async function* open(from: number, end: number) {
        let done = from;
        for await (const chunk of store.streamBlob(blob, from)) {
          const part = chunk.subarray(0, end - done);
          done += part.length;
          events.blob(blob, 'moving', done);
          yield part;
          if (done === end && end < blob.size) return;
        }
      }
      const state = await registry.putBlob(blob, open, sources.get(blob.digest));
      events.blob(blob, state === 'sent' ? 'done' : state, blob.size);
    });
  }
  return await registry.putManifest(bytes, target.mediaType, name);
}

/** What the store has that refers to what was pushed; a registry that does not list them itself gets the list, too. */
async function pushReferrers(store: Store, registry: Registry, subjects: readonly string[], sources: ReadonlyMap<string, string>, events: TransferEvents): Promise<void> {
  const queue = [...subjects];
  const seen = new Set(subjects);
  for (let subject = queue.shift(); subject !== undefined; subject = queue.shift()) {
    for (const { mediaType, digest, size } of store.listReferrers(subject)) {
      if (seen.has(digest)) continue;
      seen.add(digest);
      queue.push(digest);
      const { listsReferrers } = await pushEntry(store, registry, { mediaType, digest, size }, digest, sources, events);
      if (listsReferrers) continue;
      const { artifactType, config, annotations } = parseManifest(store.readBlob(digest), digest);
      await registry.addTagged(subject, { mediaType, digest, size, artifactType: artifactType ?? config.mediaType, ...(annotations === undefined ? {} : { annotations }) });
    }
  }
}

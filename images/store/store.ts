/**
 * The image store: an OCI image layout that others may use, too, and beside it, in a folder of its own, who uses it now. Owns: what is an image, what it
 * is called, what is still needed. Rules: content is verified when it is read; index.json changes, and blobs go, only under the lock; a process that is
 * killed leaves at most content that nothing names, which the next writer or prune() removes.
 *
 * An image's ID is its config's digest, as in Docker. Its names are annotations of entries in index.json, one entry a name: "docker.io/library/web:latest",
 * or "docker.io/library/web@sha256:…" for what a registry calls it; an entry without a name is a dangling image, or, where its manifest has a subject,
 * what refers to another one (a signature, a list of contents): it stays as long as that.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type BlobFolders, type BlobInfo, pathOfBlob, readBlob, sizeOfBlob, streamBlob, writeBlob } from './blobs.ts';
import { isMakerAlive, type Lease, listNames, makeOwnName, readLeases, removeQuietly, withLock, writeLease } from './claims.ts';
import { StoreError } from './error.ts';
import { readLayout, writeLayout } from './layout.ts';
import {
  HOST_PLATFORM,
  type Descriptor,
  DIGEST,
  formatPlatform,
  type ImageConfig,
  type ImageIndex,
  isIndexType,
  isManifestType,
  type Manifest,
  matchesPlatform,
  MEDIA,
  parseConfig,
  parseIndex,
  parseManifest,
  parseSubject,
  type Platform,
  REF_NAME,
} from './oci.ts';
import { parseReference, readRefName, type Reference, withDefaultTag } from './reference.ts';

/** One image for one platform. */
export interface Image {
  /** The config's digest. */
  readonly id: string;
  /** What index.json names: the manifest, or an index in which it is. */
  readonly target: Descriptor;
  /** The manifest's own. */
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** Canonical names with tags, sorted. */
  readonly tags: readonly string[];
  /** Canonical names with digests, sorted. */
  readonly digests: readonly string[];
}

export interface NewImage {
  readonly config: ImageConfig;
  /** Lowest first; their blobs are in the store. */
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Removal {
  readonly untagged: readonly string[];
  /** Digests of the images and blobs that are gone. */
  readonly deleted: readonly string[];
  /** Bytes on disk. */
  readonly reclaimed: number;
}

export type Store = ReturnType<typeof openStore>;

/** Content that nothing names and no process of ours left behind may be another tool's, at work: it stays for so long. */
const FOREIGN_GRACE_MS = 60 * 60 * 1000;

/** `layout`: the folder of the image layout; `<layout>.state` beside it is ours. Nothing is made before something is written. */
export function openStore(layout: string) {
  const state = `${layout}.state`;
  const locks = join(state, 'lock');
  const leases = join(state, 'leases');
  const folders: BlobFolders = { blobs: join(layout, 'blobs', 'sha256'), temporary: join(state, 'tmp') };

  const nameOf = (entry: Descriptor): Reference | undefined => {
    const name = entry.annotations?.[REF_NAME];
    return name === undefined ? undefined : readRefName(name);
  };

  const changeIndex = (change: (entries: readonly Descriptor[]) => readonly Descriptor[]) => {
    const index = readLayout(layout);
    writeLayout(layout, folders.temporary, { ...index, manifests: change(index.manifests) });
  };

  // ---- content

  async function lease(): Promise<Lease> {
    const path = join(leases, makeOwnName());
    const made = new Set<string>();
    const keep = (digests: readonly string[]) => withLock(locks, () => writeLease(path, '+', digests));
    mkdirSync(leases, { recursive: true, mode: 0o700 });
    if (hasLeftovers()) await withLock(locks, () => void sweep());
    const release = () => removeQuietly(path);
    const abandon = () =>
      withLock(locks, () => {
        release();
        removeUnneeded(made);
      });
    return { keep, release, abandon, made };
  }

  /** Does `action` with a lease that ends with it. What it brought goes when it fails, unless the error `isWorthKeeping`: another try would bring it again. */
  async function withLease<T>(action: (lease: Lease) => Promise<T>, isWorthKeeping: (error: unknown) => boolean = () => false): Promise<T> {
    const held = await lease();
    try {
      return await action(held);
    } catch (error) {
      if (!isWorthKeeping(error)) await held.abandon().catch(() => undefined); // the first error counts; what is left then is prune's
      throw error;
    } finally {
      held.release();
    }
  }

  async function putBlob(held: Lease, source: Parameters<typeof writeBlob>[1], expected?: { readonly digest?: string; readonly size?: number }): Promise<BlobInfo> {
    const written = await writeBlob(folders, source, expected);
    try {
      await held.keep([written.digest]);
      if (sizeOfBlob(folders, written.digest) === undefined) held.made.add(written.digest);
      written.name();
      return { digest: written.digest, size: written.size };
    } finally {
      written.discard();
    }
  }

  const putJson = async (held: Lease, value: object, mediaType: string): Promise<Descriptor> => ({ mediaType, ...(await putBlob(held, Buffer.from(JSON.stringify(value)))) });

  /** Writes the config and the manifest; give it a name with `tag`, or it goes with the lease. */
  async function putImage(held: Lease, image: NewImage): Promise<Descriptor> {
    if (image.layers.length !== image.config.rootfs.diff_ids.length) {
      throw new StoreError('image-invalid', `Cannot write "the image": ${image.layers.length} layers and ${image.config.rootfs.diff_ids.length} diff_ids, expected as many`);
    }
    await held.keep(image.layers.map(({ digest }) => digest));
    const absent = image.layers.find(({ digest, size }) => sizeOfBlob(folders, digest) !== size);
    if (absent !== undefined) throw new StoreError('blob-missing', `Cannot write "the image": its layer ${absent.digest} is not in the store, expected it to be put there first`);
    const config = await putJson(held, image.config, MEDIA.OCI_CONFIG);
    const manifest: Manifest = {
      schemaVersion: 2,
      mediaType: MEDIA.OCI_MANIFEST,
      config,
      layers: image.layers.map(({ mediaType, digest, size, annotations }) => ({ mediaType, digest, size, ...(annotations === undefined ? {} : { annotations }) })),
      ...(image.annotations === undefined ? {} : { annotations: image.annotations }),
    };
    const { os, architecture, variant } = image.config;
    return { ...(await putJson(held, manifest, MEDIA.OCI_MANIFEST)), platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } };
  }

  /** Writes an index of images that `putImage` wrote, one a platform. */
  const putIndex = (held: Lease, manifests: readonly Descriptor[]): Promise<Descriptor> =>
    putJson(held, { schemaVersion: 2, mediaType: MEDIA.OCI_INDEX, manifests }, MEDIA.OCI_INDEX);

  // ---- names

  /**
   * Gives `target` (a manifest or an index in the store) the names; with none it becomes a dangling image. An image that had one of them loses it. `isMore`: only in addition to what it
   * is in the index by; false, then, when somebody removed it meanwhile.
   */
  async function tag(target: Descriptor, names: readonly Reference[], { isMore = false }: { readonly isMore?: boolean } = {}): Promise<boolean> {
    const { mediaType, digest, size, platform } = target;
    const entry: Descriptor = { mediaType, digest, size, ...(platform === undefined ? {} : { platform }) };
    const wanted = new Set(names.map((name) => withDefaultTag(name).canonical));
    return await withLock(locks, () => {
      // Another process may have removed it since the caller found it, or have been killed with half of it removed.
      sweep();
      if (isMore && !readLayout(layout).manifests.some((each) => each.digest === digest)) return false;
      checkWhole(target);
      changeIndex((entries) => {
        const kept: Descriptor[] = [];
        const lost: Descriptor[] = [];
        for (const each of entries) {
          const name = nameOf(each)?.canonical;
          if (name !== undefined && wanted.has(name)) lost.push(each);
          else kept.push(each);
        }
        const all = [...kept, ...[...wanted].map((name) => ({ ...entry, annotations: { [REF_NAME]: name } }))];
        const isNamed = (wantedDigest: string) => all.some((each) => each.digest === wantedDigest);
        // Docker keeps what lost its last name as a dangling image, and so do we.
        for (const { annotations: _, ...each } of lost) if (!isNamed(each.digest)) all.push(each);
        return isNamed(digest) ? all.filter((each, i) => isUseful(each, i, all)) : [...all, entry];
      });
      return true;
    });
  }

  /** The error of what an entry needs and has not. Of an index every platform may be absent as a whole. */
  function checkWhole(entry: Descriptor): void {
    if (isIndexType(entry.mediaType)) {
      for (const each of readIndexBlob(entry.digest).manifests) if (sizeOfBlob(folders, each.digest) !== undefined) checkWhole(each);
      return;
    }
    const bytes = readBlob(folders, entry.digest);
    if (!isManifestType(entry.mediaType)) return;
    const { config, layers } = parseManifest(bytes, entry.digest);
    for (const each of [config, ...layers]) {
      if (each.urls !== undefined || sizeOfBlob(folders, each.digest) !== undefined) continue;
      throw new StoreError('blob-missing', `Cannot name "${entry.digest}": the store has not "${each.digest}" of it, expected the image to be whole: it was removed meanwhile`);
    }
  }

  /** What refers to others stays with them. `target`: its manifest and content are in the store, and so is its subject. */
  async function attach({ mediaType, digest, size, artifactType, annotations = {} }: Descriptor): Promise<void> {
    const { [REF_NAME]: _, ...others } = annotations;
    const entry: Descriptor = { mediaType, digest, size, ...(artifactType === undefined ? {} : { artifactType }), ...(Object.keys(others).length === 0 ? {} : { annotations: others }) };
    await withLock(locks, () => {
      sweep();
      if (sizeOfBlob(folders, digest) === undefined) readBlob(folders, digest); // its error
      changeIndex((entries) => (entries.some((each) => each.digest === digest) ? entries : [...entries, entry]));
    });
  }

  /** The digest that a nameless entry refers to; undefined: it stands for itself. */
  function subjectOf(entry: Descriptor): string | undefined {
    if (entry.annotations?.[REF_NAME] !== undefined || !(isManifestType(entry.mediaType) || isIndexType(entry.mediaType))) return undefined;
    try {
      return parseSubject(readBlob(folders, entry.digest), entry.digest)?.digest;
    } catch {
      return undefined; // check() tells
    }
  }

  /** What refers to a manifest, as entries of the index. */
  const listReferrers = (digest: string): Descriptor[] => readLayout(layout).manifests.filter((entry) => subjectOf(entry) === digest);

  /** A nameless entry says nothing once its image has a name. */
  function isUseful(entry: Descriptor, at: number, all: readonly Descriptor[]): boolean {
    if (entry.annotations?.[REF_NAME] !== undefined) return true;
    return !all.some((each, i) => each.digest === entry.digest && (each.annotations?.[REF_NAME] !== undefined || i < at));
  }

  // ---- finding

  function readIndexBlob(digest: string): ImageIndex {
    return parseIndex(readBlob(folders, digest), digest);
  }

  /** The manifests in an entry, whose blobs are here. */
  function listManifests(entry: Descriptor, depth = 0): Descriptor[] {
    if (!isIndexType(entry.mediaType)) return isManifestType(entry.mediaType) && existsSync(pathOfBlob(folders, entry.digest)) ? [entry] : [];
    if (depth > 4 || !existsSync(pathOfBlob(folders, entry.digest))) return [];
    return readIndexBlob(entry.digest).manifests.flatMap((each) => listManifests(each, depth + 1));
  }

  function readImage(target: Descriptor, descriptor: Descriptor, entries: readonly Descriptor[]): Image {
    const manifest = parseManifest(readBlob(folders, descriptor.digest), descriptor.digest);
    const config = parseConfig(readBlob(folders, manifest.config.digest), manifest.config.digest);
    const names = entries.filter((each) => each.digest === target.digest).flatMap((each) => nameOf(each) ?? []);
    const pick = (isWanted: (name: Reference) => boolean) => [...new Set(names.filter(isWanted).map((name) => name.canonical))].sort();
    return { id: manifest.config.digest, target, descriptor, manifest, config, tags: pick(({ digest }) => digest === undefined), digests: pick(({ digest }) => digest !== undefined) };
  }

  /** The image in an entry for a platform. */
  function selectImage(target: Descriptor, name: string, platform: Platform, entries: readonly Descriptor[]): Image {
    if (!isIndexType(target.mediaType)) return readImage(target, target, entries);
    const manifests = listManifests(target);
    const found = manifests.find((each) => matchesPlatform(each.platform, platform)) ?? (manifests.length === 1 && manifests[0]?.platform === undefined ? manifests[0] : undefined);
    if (found !== undefined) return readImage(target, found, entries);
    const have = readIndexBlob(target.digest).manifests.filter((each) => each.platform !== undefined && each.platform.os !== 'unknown');
    throw new StoreError(
      'platform-missing',
      `Cannot use "${name}": it is not there for ${formatPlatform(platform)}, expected one of ${have.map((each) => formatPlatform(each.platform as Platform)).join(', ') || 'its platforms'}`,
    );
  }

  const absent = (name: string) => new StoreError('image-missing', `No such image: ${name}`);

  /** The entry of a name, a digest or the beginning of an ID; as Docker looks: names come before IDs. */
  function findEntry(text: string, entries: readonly Descriptor[]): { entry: Descriptor; manifest?: Descriptor } | undefined {
    const bare = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(text)?.[1];
    if (!/^sha256:/.test(text) && bare?.length !== 64) {
      const wanted = withDefaultTag(parseReference(text));
      const named = entries.find((each) => nameOf(each)?.canonical === wanted.canonical);
      if (named !== undefined) return { entry: named };
      if (wanted.digest !== undefined) {
        const isOfRepository = (each: Descriptor) => {
          const name = nameOf(each);
          return name?.domain === wanted.domain && name.path === wanted.path;
        };
        const found = entries.find((each) => isOfRepository(each) && (each.digest === wanted.digest || nameOf(each)?.digest === wanted.digest));
        return found === undefined ? undefined : { entry: found };
      }
    }
    if (bare === undefined) return undefined;
    const found = new Map<string, { entry: Descriptor; manifest?: Descriptor }>();
    for (const entry of entries) {
      if (entry.digest.startsWith(`sha256:${bare}`)) found.set(entry.digest, { entry });
      for (const manifest of listManifests(entry)) {
        const { config } = parseManifest(readBlob(folders, manifest.digest), manifest.digest);
        const isMeant = [manifest.digest, config.digest].some((digest) => digest.startsWith(`sha256:${bare}`));
        if (isMeant && !found.has(entry.digest)) found.set(config.digest, { entry, manifest });
      }
    }
    if (found.size > 1) throw new StoreError('image-ambiguous', `Cannot use "${text}" as an ID: ${found.size} images begin so, expected more digits`);
    return [...found.values()][0];
  }

  /** The image of a name, digest, ID or the beginning of one; undefined: not here. */
  function find(text: string, platform: Platform = HOST_PLATFORM): Image | undefined {
    const { manifests } = readLayout(layout);
    const found = findEntry(text, manifests);
    if (found === undefined) return undefined;
    return found.manifest === undefined ? selectImage(found.entry, text, platform, manifests) : readImage(found.entry, found.manifest, manifests);
  }

  /** What a name, digest or ID is of, a manifest or an index, whatever it is for. */
  const findTarget = (text: string): Descriptor | undefined => findEntry(text, readLayout(layout).manifests)?.entry;

  function resolve(text: string, platform?: Platform): Image {
    const image = find(text, platform);
    if (image === undefined) throw absent(text);
    return image;
  }

  /** Every image, whatever its platform; one that cannot be read is left out: check() tells. */
  function list(): Image[] {
    const { manifests } = readLayout(layout);
    const seen = new Set<string>();
    return manifests.flatMap((entry) => {
      if (seen.has(entry.digest)) return [];
      seen.add(entry.digest);
      if (subjectOf(entry) !== undefined) return [];
      try {
        return listManifests(entry).flatMap((each) => {
          try {
            return [readImage(entry, each, manifests)];
          } catch {
            return []; // an artifact, or damaged
          }
        });
      } catch {
        return [];
      }
    });
  }

  // ---- what is still needed

  /** The digests of everything that an entry names, itself first; what cannot be read names nothing. */
  function collect(entry: Descriptor, into: Set<string>): void {
    if (into.has(entry.digest)) return;
    into.add(entry.digest);
    if (!existsSync(pathOfBlob(folders, entry.digest))) return;
    try {
      if (isIndexType(entry.mediaType)) for (const each of readIndexBlob(entry.digest).manifests) collect(each, into);
      else if (isManifestType(entry.mediaType)) {
        const { config, layers } = parseManifest(readBlob(folders, entry.digest), entry.digest);
        for (const { digest } of [config, ...layers]) into.add(digest);
      }
    } catch {
      // check() tells
    }
  }

  function collectNeeded(): Set<string> {
    const needed = new Set<string>();
    for (const entry of readLayout(layout).manifests) collect(entry, needed);
    for (const { isAlive, kept } of readLeases(leases)) if (isAlive) for (const digest of kept) needed.add(digest);
    return needed;
  }

  /** Removes those of `candidates` that nothing needs. Only under the lock. */
  function removeUnneeded(candidates: Iterable<string>): { deleted: string[]; reclaimed: number } {
    const needed = collectNeeded();
    const deleted: string[] = [];
    let reclaimed = 0;
    for (const digest of candidates) {
      const size = needed.has(digest) ? undefined : sizeOfBlob(folders, digest);
      if (size === undefined) continue;
      removeQuietly(pathOfBlob(folders, digest));
      deleted.push(digest);
      reclaimed += size;
    }
    return { deleted, reclaimed };
  }

  const hasLeftovers = () => [...listNames(leases), ...listNames(folders.temporary)].some((name) => !isMakerAlive(name));

  /** What killed processes left. Only under the lock. */
  function sweep(): { deleted: string[]; reclaimed: number } {
    for (const name of listNames(folders.temporary)) if (!isMakerAlive(name)) removeQuietly(join(folders.temporary, name));
    const dead = readLeases(leases).filter(({ isAlive }) => !isAlive);
    if (dead.length === 0) return { deleted: [], reclaimed: 0 };
    const removed = removeUnneeded(dead.flatMap(({ kept, doomed }) => [...kept, ...doomed]));
    for (const { path } of dead) removeQuietly(path);
    return removed;
  }

  /** Takes entries out of the index, and then what only they needed. */
  async function removeEntries(pick: (entries: readonly Descriptor[]) => { gone: readonly Descriptor[]; left: readonly Descriptor[] }, isFull: boolean): Promise<Removal> {
    return withLock(locks, () => {
      const before = readLayout(layout).manifests;
      const referrers = before.filter((entry) => subjectOf(entry) !== undefined);
      const picked = pick(before.filter((entry) => !referrers.includes(entry)));
      const { gone, left } = shareReferrers(picked, referrers);
      const candidates = new Set<string>();
      for (const entry of gone) collect(entry, candidates);
      const intent = join(leases, makeOwnName());
      const swept = sweep();
      if (gone.length > 0) {
        mkdirSync(leases, { recursive: true, mode: 0o700 });
        writeLease(intent, '-', [...candidates]);
        writeLayout(layout, folders.temporary, { ...readLayout(layout), manifests: left });
      }
      const old = isFull ? listForeign() : [];
      const removed = removeUnneeded([...candidates, ...old]);
      removeQuietly(intent);
      return {
        untagged: gone.flatMap((entry) => nameOf(entry)?.canonical ?? []),
        deleted: [...removed.deleted, ...swept.deleted],
        reclaimed: removed.reclaimed + swept.reclaimed,
      };
    });
  }

  /** Those whose subject goes, go with it; whose subject is not here at all, too. */
  function shareReferrers({ gone, left }: { gone: readonly Descriptor[]; left: readonly Descriptor[] }, referrers: readonly Descriptor[]): { gone: readonly Descriptor[]; left: readonly Descriptor[] } {
    const kept = new Set<string>();
    for (const entry of left) collect(entry, kept);
    let waiting = referrers;
    for (;;) {
      const staying = waiting.filter((entry) => kept.has(subjectOf(entry) as string));
      if (staying.length === 0) break;
      for (const entry of staying) collect(entry, kept);
      waiting = waiting.filter((entry) => !staying.includes(entry));
    }
    return { gone: [...gone, ...waiting], left: [...left, ...referrers.filter((entry) => !waiting.includes(entry))] };
  }

  function listForeign(): string[] {
    return listNames(folders.blobs)
      .filter((name) => DIGEST.test(`sha256:${name}`) && Date.now() - (statSync(join(folders.blobs, name), { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > FOREIGN_GRACE_MS)
      .map((name) => `sha256:${name}`);
  }

  /**
   * `docker rmi`: a name goes, and the image with its last name; by ID the image goes, but not with several repositories' names unless forced.
   */
  async function remove(text: string, options: { readonly force?: boolean } = {}): Promise<Removal> {
    return removeEntries((entries) => {
      const found = findEntry(text, entries);
      if (found === undefined) throw absent(text);
      const name = nameOf(found.entry);
      const isByName = name !== undefined && !isId(text, name);
      const same = entries.filter((each) => each.digest === found.entry.digest);
      if (!isByName) {
        const tags = same.flatMap((each) => nameOf(each) ?? []).filter(({ digest }) => digest === undefined);
        if (tags.length > 1 && options.force !== true) {
          throw new StoreError('image-in-use', `conflict: unable to delete ${text} (must be forced) - image is referenced in multiple repositories`);
        }
        return { gone: same, left: entries.filter((each) => !same.includes(each)) };
      }
      const isTag = (each: Descriptor) => nameOf(each)?.digest === undefined && nameOf(each) !== undefined;
      const others = same.filter((each) => each !== found.entry);
      // The names by digest stay only while there is a tag.
      const gone = others.some(isTag) || !isTag(found.entry) ? [found.entry] : same;
      return { gone, left: entries.filter((each) => !gone.includes(each)) };
    }, false);
  }

  /** Whether a text that found an entry did so as an ID, not by its name. */
  function isId(text: string, name: Reference): boolean {
    if (/^sha256:/.test(text) || /^[0-9a-f]{64}$/.test(text)) return true;
    try {
      const wanted = withDefaultTag(parseReference(text));
      return !(wanted.domain === name.domain && wanted.path === name.path);
    } catch {
      return true;
    }
  }

  /** Removes images without a name (`all`: and those that `isUsed` does not know), and what nothing needs. */
  async function prune(options: { readonly all?: boolean; readonly isUsed?: (image: Image) => boolean } = {}): Promise<Removal> {
    return removeEntries((entries) => {
      const isDangling = (entry: Descriptor) => nameOf(entry) === undefined && entry.annotations?.[REF_NAME] === undefined;
      const isUsed = (entry: Descriptor) => {
        if (options.isUsed === undefined) return false;
        return listManifests(entry).some((each) => {
          try {
            return options.isUsed?.(readImage(entry, each, entries));
          } catch {
            return false;
          }
        });
      };
      const gone = entries.filter((entry) => (options.all === true || isDangling(entry)) && !isUsed(entry));
      return { gone, left: entries.filter((entry) => !gone.includes(entry)) };
    }, true);
  }

  return {
    layout,
    lease,
    withLease,
    putBlob,
    putImage,
    putIndex,
    putJson,
    tag,
    attach,
    listReferrers,
    find,
    findTarget,
    resolve,
    list,
    remove,
    prune,
    /** Whether it is there with that size; `keep` it in a lease first, or it may go at any time. */
    hasBlob: ({ digest, size }: BlobInfo) => sizeOfBlob(folders, digest) === size,
    /** Whole and verified: for manifests and configs. */
    readBlob: (digest: string) => readBlob(folders, digest),
    /** Verified; the last chunk comes only when everything was right. `from`: bytes to leave out at the beginning. */
    streamBlob: (descriptor: BlobInfo, from?: number) => streamBlob(folders, descriptor, from),
    /** Where the file is; verify what you read of it. */
    pathOfBlob: (digest: string) => pathOfBlob(folders, digest),
    /** The entries of index.json, as they are. */
    entries: () => readLayout(layout).manifests,
    selectImage: (target: Descriptor, name: string, platform: Platform = HOST_PLATFORM) => selectImage(target, name, platform, readLayout(layout).manifests),
    listManifests: (entry: Descriptor) => listManifests(entry),
    /** The name that an entry has; undefined: none, or one that is no reference. */
    namesOf: nameOf,
    /** For checkStore. */
    folders: { ...folders, leases },
  };
}

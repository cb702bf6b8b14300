/**
 * A tar archive -> images in a store: of `docker save` in its old and new form, or of an OCI image layout. Owns: which of them it is. Rules: one pass; what the archive
 * holds goes into the store under its own digest, and gets a name only when all is there; limits as for layers.
 */
import { LayerError, readLayer } from '../layers/index.ts';
import {
  computeChainId,
  type Descriptor,
  type ImageConfig,
  isIndexType,
  type Lease,
  MEDIA,
  parseConfig,
  parseIndex,
  parseManifest,
  parseReference,
  readRefName,
  REF_NAME,
  type Reference,
  type Store,
} from '../store/index.ts';

const MOST_JSON = 16 * 1024 * 1024;

export interface LoadedImage {
  readonly target: Descriptor;
  readonly names: readonly Reference[];
}

const invalid = (what: string) => new LayerError('layer-invalid', `Cannot load "the archive": ${what}, expected an archive of docker save or of an OCI image layout`);

/** Gives the images their names, too. */
export async function loadImages(store: Store, source: AsyncIterable<Uint8Array>): Promise<LoadedImage[]> {
  return store.withLease(async (lease) => {
    const files = new Map<string, Descriptor & { readonly isTar: boolean }>();
    const links = new Map<string, string>();
    const texts = new Map<string, Buffer>();
    for await (const entry of readLayer(source, { isPlain: true })) {
      if (entry.kind === 'symlink' || entry.kind === 'hardlink') {
        const base = entry.kind === 'hardlink' ? [] : entry.path.split('/').slice(0, -1);
        links.set(entry.path, resolvePath(base, entry.target as string));
      } else if (entry.kind === 'file') {
        if (['index.json', 'manifest.json', 'oci-layout', 'repositories'].includes(entry.path)) {
          if (entry.size > MOST_JSON) throw invalid(`"${entry.path}" has ${entry.size} bytes`);
          const parts: Buffer[] = [];
          for await (const part of entry.content()) parts.push(Buffer.from(part));
          texts.set(entry.path, Buffer.concat(parts));
        } else {
          const named = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(entry.path)?.[1];
          let head = Buffer.alloc(0);
          async function* watch() {
            for await (const part of entry.content()) {
              if (head.length < 4) head = Buffer.concat([head, part.subarray(0, 4)]);
              yield part;
            }
          }
          const blob = await store.putBlob(lease, watch(), { size: entry.size, ...(named === undefined ? {} : { digest: `sha256:${named}` }) });
          files.set(entry.path, { ...blob, mediaType: layerType(head), isTar: true });
        }
      }
    }
    const find = (path: string) => {
      let at = path;
      for (let steps = 0; links.has(at) && steps < 10; steps++) at = links.get(at) as string;
      const found = files.get(at);
      if (found === undefined) throw invalid(`it names "${path}", which is not in it`);
      return found;
    };
    const index = texts.get('index.json');
    const docker = texts.get('manifest.json');
    const loaded = index !== undefined ? readLayout(store, index, docker) : docker !== undefined ? await readDocker(store, lease, docker, find) : undefined;
    if (loaded === undefined) throw invalid('it has neither index.json nor manifest.json');
    for (const { target, names } of loaded) await store.tag(target, names);
    return loaded;
  });
}

function resolvePath(base: readonly string[], target: string): string {
  const at = target.startsWith('/') ? [] : [...base];
  for (const part of target.split('/')) {
    if (part === '..') at.pop();
    else if (part !== '' && part !== '.') at.push(part);
  }
  return at.join('/');
}

function layerType(head: Buffer): string {
  if (head[0] === 0x1f && head[1] === 0x8b) return MEDIA.OCI_LAYER_GZIP;
  return head.readUIntBE(0, Math.min(4, head.length) || 1) === 0x28b52ffd ? MEDIA.OCI_LAYER_ZSTD : MEDIA.OCI_LAYER;
}

/** Everything that an entry needs is in the store; its error otherwise. */
function checkWhole(store: Store, entry: Descriptor): void {
  if (isIndexType(entry.mediaType)) {
    const parts = parseIndex(store.readBlob(entry.digest), entry.digest).manifests.filter((each) => store.hasBlob(each));
    if (parts.length === 0) throw invalid(`"${entry.digest}" is an index of images that are not in it`);
    for (const each of parts) checkWhole(store, each);
    return;
  }
  const { config, layers } = parseManifest(store.readBlob(entry.digest), entry.digest);
  const absent = [config, ...layers].find((each) => each.urls === undefined && !store.hasBlob(each));
  if (absent !== undefined) throw invalid(`"${absent.digest}" is not in it`);
}

function readLayout(store: Store, index: Buffer, docker: Buffer | undefined): LoadedImage[] {
  const byDigest = new Map<string, { target: Descriptor; names: Reference[] }>();
  const { manifests } = parseIndex(index, 'index.json');
  for (const { annotations, ...target } of manifests) {
    checkWhole(store, target);
    const name = annotations?.['io.containerd.image.name'] ?? annotations?.[REF_NAME];
    const reference = name === undefined ? undefined : readRefName(name);
    const known = byDigest.get(target.digest) ?? { target, names: [] };
    byDigest.set(target.digest, { target, names: reference === undefined ? known.names : [...known.names, reference] });
  }
  // Some writers name images in manifest.json only.
  const tags = docker === undefined ? [] : (parseDocker(docker)[0]?.RepoTags ?? []);
  const found = [...byDigest.values()];
  if (found.length === 1 && found[0]?.names.length === 0) found[0].names.push(...tags.map(parseReference));
  return found;
}

interface DockerManifest {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

function parseDocker(bytes: Buffer): DockerManifest[] {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    throw invalid('manifest.json is no JSON');
  }
  const isGood = (each: unknown): each is DockerManifest => {
    const { Config, Layers, RepoTags } = (each ?? {}) as Partial<DockerManifest>;
    return typeof Config === 'string' && Array.isArray(Layers) && Layers.every((layer) => typeof layer === 'string') && (RepoTags === null || RepoTags === undefined || Array.isArray(RepoTags));
  };
  if (!Array.isArray(value) || !value.every(isGood)) throw invalid('manifest.json is no list of images');
  return value;
}

async function readDocker(store: Store, lease: Lease, bytes: Buffer, find: (path: string) => Descriptor): Promise<LoadedImage[]> {
  const loaded: LoadedImage[] = [];
  for (const { Config, RepoTags, Layers } of parseDocker(bytes)) {
    const { digest, size } = find(Config);
    const raw = store.readBlob(digest);
    const config: ImageConfig = parseConfig(raw, Config);
    if (config.rootfs.diff_ids.length !== Layers.length) throw invalid(`${Layers.length} layers and ${config.rootfs.diff_ids.length} diff_ids of chain ${computeChainId(config.rootfs.diff_ids)}`);
    const layers = Layers.map((path) => {
      const { mediaType, digest: layer, size: bytesOfLayer } = find(path);
      return { mediaType, digest: layer, size: bytesOfLayer };
    });
    // The config stays as it is, byte for byte: its digest is the image's ID.
    const manifest = { schemaVersion: 2, mediaType: MEDIA.OCI_MANIFEST, config: { mediaType: MEDIA.OCI_CONFIG, digest, size }, layers };
    const target = await store.putJson(lease, manifest, MEDIA.OCI_MANIFEST);
    loaded.push({ target, names: (RepoTags ?? []).map(parseReference) });
  }
  return loaded;
}

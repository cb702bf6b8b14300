/**
 * Images -> one tar archive. Owns: its form: an OCI image layout (image-layout.md) that has Docker's manifest.json, too ("docker image save", version 25 and later), so that hull, docker,
 * podman and skopeo load it. Rules: the bytes are a function of the images and their names; blobs come as they are in the store, verified.
 */
import { type WriteEntry, writeTar } from '../layers/index.ts';
import { type Descriptor, formatReference, type Image, isIndexType, type Manifest, MEDIA, parseManifest, parseReference, REF_NAME, type Store } from '../store/index.ts';

const MODE = { uid: 0, gid: 0, mtimeNs: 0n } as const;

const text = (path: string, value: unknown): WriteEntry => {
  const bytes = Buffer.from(JSON.stringify(value));
  return { ...MODE, path, kind: 'file', mode: 0o644, size: bytes.length, content: () => [bytes] };
};
const folder = (path: string): WriteEntry => ({ ...MODE, path, kind: 'directory', mode: 0o755, size: 0 });
const pathOf = (digest: string) => `blobs/${digest.replace(':', '/')}`;

/** What has a name goes with all platforms that are here; what was named by its ID goes alone. */
const isWhole = (image: Image, names: readonly string[]): boolean => names.length > 0 && isIndexType(image.target.mediaType);

/** `names`: canonical, those under which an image is loaded again. */
export function saveImages(store: Store, images: readonly { readonly image: Image; readonly names: readonly string[] }[]): AsyncIterable<Uint8Array> {
  const blobs = new Map<string, Descriptor>();
  const add = (descriptor: Descriptor, { config, layers }: Manifest) => {
    for (const each of [descriptor, config, ...layers]) blobs.set(each.digest, each);
  };
  for (const { image, names } of images) {
    add(image.descriptor, image.manifest);
    if (!isWhole(image, names)) continue;
    blobs.set(image.target.digest, image.target);
    for (const each of store.listManifests(image.target)) add(each, parseManifest(store.readBlob(each.digest), each.digest));
  }
  const manifests = images.flatMap(({ image, names }) => {
    const { mediaType, digest, size } = isWhole(image, names) ? image.target : image.descriptor;
    const entry = { mediaType, digest, size };
    if (names.length === 0) return [entry];
    return names.map((name) => ({ ...entry, annotations: { 'io.containerd.image.name': name, [REF_NAME]: parseReference(name).tag ?? name } }));
  });
  const docker = images.map(({ image, names }) => ({
    Config: pathOf(image.manifest.config.digest),
    RepoTags: names.map((name) => formatReference(parseReference(name))),
    Layers: image.manifest.layers.map(({ digest }) => pathOf(digest)),
  }));
  const entries = [
    folder('blobs'),
    folder('blobs/sha256'),
    ...[...blobs.values()]
      .sort((a, b) => (a.digest < b.digest ? -1 : 1))
      .map((each): WriteEntry => ({ ...MODE, path: pathOf(each.digest), kind: 'file', mode: 0o644, size: each.size, content: () => store.streamBlob(each) })),
    text('index.json', { schemaVersion: 2, mediaType: MEDIA.OCI_INDEX, manifests }),
    text('manifest.json', docker),
    text('oci-layout', { imageLayoutVersion: '1.0.0' }),
  ];
  return writeTar(entries);
}

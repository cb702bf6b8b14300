/** `POST /images/create?fromSrc=-`: an archive of a root file system -> an image of one layer. Owns: the layer's and the config's making. Rule: the archive is looked at as a layer is, before anything has a name. */
import { createHash } from 'node:crypto';
import { decompress, readLayer } from '../../../images/layers/index.ts';
import { MEDIA, type Reference, type Store } from '../../../images/store/index.ts';
import type { StatePaths } from '../../state/index.ts';
import { openImages } from '../../ship/index.ts';
import { ApiError } from '../error.ts';

export interface ImportRequest {
  readonly source: AsyncIterable<Uint8Array>;
  readonly name: Reference | undefined;
  readonly message: string;
  readonly platform: { readonly os: string; readonly architecture: string };
}

async function* hashed(source: AsyncIterable<Uint8Array>, hash: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
}

async function checkArchive(store: Store, digest: string, size: number): Promise<void> {
  let entries = 0;
  for await (const _ of readLayer(store.streamBlob({ digest, size }))) entries++;
  if (entries === 0) throw new ApiError('parameter-invalid', 'Cannot import the archive: there is nothing in it, expected a tar archive of a root file system');
}

/** The image's ID. */
export async function importImage({ source, name, message, platform }: ImportRequest, paths: StatePaths): Promise<string> {
  const store = openImages(paths);
  return await store.withLease(async (lease) => {
    const hash = createHash('sha256');
    const blob = await store.putBlob(lease, hashed(decompress(source), hash));
    await checkArchive(store, blob.digest, blob.size);
    const created = new Date().toISOString();
    const target = await store.putImage(lease, {
      config: {
        created,
        ...platform,
        config: {},
        rootfs: { type: 'layers', diff_ids: [`sha256:${hash.digest('hex')}`] },
        history: [{ created, comment: message === '' ? 'Imported from -' : message }],
      },
      layers: [{ mediaType: MEDIA.OCI_LAYER, ...blob }],
    });
    await store.tag(target, name === undefined ? [] : [name]);
    return store.resolve(target.digest, platform).id;
  });
}

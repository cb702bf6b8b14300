/** A tar archive of a root file system -> an image of one layer. Owns: its config. Rule: the archive is read as a layer would be, so that what cannot be run is refused now. */
import { LayerError, readLayer, writeLayer } from '../layers/index.ts';
import type { Descriptor, Platform, Reference, Store } from '../store/index.ts';

export interface ImportRequest {
  readonly names: readonly Reference[];
  readonly platform: Platform;
  readonly message?: string | undefined;
  readonly created: Date;
}

export async function importImage(store: Store, source: AsyncIterable<Uint8Array>, { names, platform, message, created }: ImportRequest): Promise<Descriptor> {
  return store.withLease(async (lease) => {
    let count = 0;
    async function* entries() {
      for await (const entry of readLayer(source, { isPlain: true })) {
        count++;
        yield entry;
      }
    }
    const layer = await writeLayer((bytes) => store.putBlob(lease, bytes), entries());
    if (count === 0) throw new LayerError('layer-invalid', 'Cannot import "the archive": there is nothing in it, expected a tar archive of a root file system');
    const at = created.toISOString();
    const target = await store.putImage(lease, {
      config: { ...platform, created: at, config: {}, rootfs: { type: 'layers', diff_ids: [layer.diffId] }, history: [{ created: at, created_by: 'hull import', ...(message === undefined ? {} : { comment: message }) }] },
      layers: [layer.descriptor],
    });
    await store.tag(target, names);
    return target;
  });
}

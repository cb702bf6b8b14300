/** Layers of the store -> an EROFS image in the cache. Loaded only where one is missing. Owns: the file that holds the content meanwhile; it has no name, so nothing is left of it. */
import { closeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Tree, writeErofs } from '../../images/index.ts';
import { stackLayers } from '../../images/layers/index.ts';
import { type Descriptor, isLayerType, type Store } from '../../images/store/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';
import { openScratch, produceOnce, sweepTemporaries } from '../state/index.ts';

interface RootLayer {
  readonly descriptor: Descriptor;
  readonly diffId: string;
}

export function makeChainImage(path: string, store: Store, layers: readonly RootLayer[], limit: number | undefined): Promise<void> {
  return withStacked(dirname(path), path, store, layers, limit, async (tree) => produceOnce(path, (image) => void writeErofs(tree, image)));
}

/** What the layers are together; its content is there during `action`. `limit`: bytes that one layer may unpack to; undefined: the usual limit. */
export async function withStacked(folder: string, output: string, store: Store, layers: readonly RootLayer[], limit: number | undefined, action: (tree: Tree) => Promise<void>): Promise<void> {
  sweepTemporaries(folder);
  for (const { descriptor } of layers) {
    if (isLayerType(descriptor.mediaType)) continue;
    throw new EngineError('image-invalid', `Cannot use layer ${descriptor.digest}: its type is ${descriptor.mediaType}, expected a tar layer of an image`);
  }
  let fd: number | undefined;
  try {
    fd = openScratch(folder);
    const stacked = layers.map(({ descriptor, diffId }) => ({ open: () => store.streamBlob(descriptor), size: descriptor.size, diffId }));
    await action(await stackLayers(stacked, fd, limit));
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new EngineError(code === 'ENOSPC' || code === 'EDQUOT' ? 'disk-full' : 'state-failed', `Cannot write "${output}": ${describeSystemError(error)}, expected room for the image's files twice`, { cause: error });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

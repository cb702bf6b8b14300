/** Layers of the store -> an EROFS image in the cache. Loaded only where one is missing. Owns: the file that holds the content meanwhile; it has no name, so nothing is left of it. */
import { closeSync, mkdirSync, openSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openNameless } from '../../boot/index.ts';
import { writeErofs } from '../../images/index.ts';
import { stackLayers } from '../../images/layers/index.ts';
import { type Descriptor, isLayerType, type Store } from '../../images/store/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';
import { produceOnce, sweepTemporaries } from '../state/index.ts';

/** `limit`: bytes that one layer may unpack to; undefined: the usual limit. */
export async function makeChainImage(path: string, store: Store, layers: readonly { descriptor: Descriptor; diffId: string }[], limit: number | undefined): Promise<void> {
  const folder = dirname(path);
  sweepTemporaries(folder);
  for (const { descriptor } of layers) {
    if (isLayerType(descriptor.mediaType)) continue;
    throw new EngineError('image-invalid', `Cannot use layer ${descriptor.digest}: its type is ${descriptor.mediaType}, expected a tar layer of an image`);
  }
  let fd: number | undefined;
  try {
    fd = openSpool(folder);
    const stacked = layers.map(({ descriptor, diffId }) => ({ open: () => store.streamBlob(descriptor), size: descriptor.size, diffId }));
    const tree = await stackLayers(stacked, fd, limit);
    produceOnce(path, (image) => void writeErofs(tree, image));
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new EngineError(code === 'ENOSPC' || code === 'EDQUOT' ? 'disk-full' : 'state-failed', `Cannot write "${path}": ${describeSystemError(error)}, expected room for the image's files twice`, { cause: error });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

let counter = 0;

function openSpool(folder: string): number {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const nameless = openNameless(folder, 0o600);
  if (nameless !== undefined) return nameless;
  const temporary = join(folder, `spool.tmp-${process.pid}-${counter++}`);
  const fd = openSync(temporary, 'wx+', 0o600);
  unlinkSync(temporary);
  return fd;
}

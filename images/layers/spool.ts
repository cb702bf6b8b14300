/**
 * Layers -> a tree whose content lies in one file. Owns: that file's filling, the check of each layer against its diff_id, the limits. Rule: what an archive says is
 * believed only when its digest is right, so the tree is given out at the end.
 */
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import type { Tree } from '../rootfs/index.ts';
import { decompress } from './compression.ts';
import { LayerError } from './error.ts';
import { createMerger } from './merge.ts';
import { DEFAULT_LIMITS, limitFor, readTar } from './read.ts';

export interface StackedLayer {
  /** As it lies in the store, compressed or not. */
  open(): AsyncIterable<Uint8Array>;
  /** Bytes as it lies in the store. */
  readonly size: number;
  /** sha256 of the uncompressed archive, as the image's config has it. */
  readonly diffId: string;
}

const BUFFER = 1 << 20;

/** `fd`: an empty file, open for reading and writing while the tree is used. `most`: bytes that a layer may unpack to, in place of the usual limit (HULL_LAYER_LIMIT). */
export async function stackLayers(layers: readonly StackedLayer[], fd: number, most?: number): Promise<Tree> {
  const buffer = Buffer.allocUnsafe(BUFFER);
  let held = 0;
  let end = 0;
  const flush = () => {
    for (let done = 0; done < held; ) done += writeSync(fd, buffer, done, held - done, null);
    held = 0;
  };
  const merger = createMerger({
    fd,
    async append(content) {
      const start = end;
      for await (const chunk of content) {
        for (let at = 0; at < chunk.length; ) {
          const size = Math.min(chunk.length - at, BUFFER - held);
          buffer.set(chunk.subarray(at, at + size), held);
          held += size;
          at += size;
          if (held === BUFFER) flush();
        }
        end += chunk.length;
      }
      return start;
    },
  });
  for (const { open, size, diffId } of layers) {
    const hash = createHash('sha256');
    async function* watch() {
      for await (const chunk of decompress(open())) {
        hash.update(chunk);
        yield chunk;
      }
    }
    await merger.add(readTar(watch(), { limits: { ...DEFAULT_LIMITS, bytes: most ?? limitFor(size) } }));
    const found = `sha256:${hash.digest('hex')}`;
    if (found !== diffId) {
      throw new LayerError('layer-mismatch', `Cannot use a layer: its uncompressed content has the digest ${found}, expected ${diffId}, as the image's config says`);
    }
  }
  flush();
  return merger.finish();
}

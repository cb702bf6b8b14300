/**
 * The cache of images' root file systems: $HULL_ROOT/cache/chains/<chain id>-<n>.erofs. Owns: names and life of its files. Rules: complete or absent; two images with the
 * same layers have one; the ones used last are kept. A machine that uses one has it open, so that its removal takes nothing away.
 */
import { readdirSync, statSync, unlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { computeChainId, type Image, type Store, withoutKernel } from '../../images/store/index.ts';
import { EngineError } from '../errors.ts';

const KEPT = 32;
const FORMAT = 1; // counts up when other images are made of the same layers

export async function findChainImage(cache: string, store: Store, image: Image, env: NodeJS.ProcessEnv): Promise<string> {
  const { layers, diffIds } = pickRootLayers(image);
  const path = join(cache, `${computeChainId(diffIds).slice('sha256:'.length)}-${FORMAT}.erofs`);
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    const { makeChainImage } = await import('./make-root.ts');
    await makeChainImage(path, store, layers.map((descriptor, i) => ({ descriptor, diffId: diffIds[i] as string })), readLimit(env));
    evictOld(cache, path);
  }
  return path;
}

/** What of an image is files, without its kernel's layer; the history tells of these layers, and of what made none. */
export function pickRootLayers({ manifest, config, id }: Image) {
  const diffIds = config.rootfs.diff_ids;
  if (manifest.layers.length !== diffIds.length) {
    throw new EngineError('image-invalid', `Cannot use "${id}": ${manifest.layers.length} layers and ${diffIds.length} diff_ids, expected as many`);
  }
  const plain = withoutKernel({ manifest, config });
  return { layers: plain.manifest.layers, diffIds: plain.config.rootfs.diff_ids, history: plain.config.history ?? [] };
}

function readLimit(env: NodeJS.ProcessEnv): number | undefined {
  const text = env['HULL_LAYER_LIMIT'];
  if (text === undefined || text === '') return undefined;
  const limit = Number(text);
  if (!Number.isSafeInteger(limit) || limit < 0) throw new EngineError('option-invalid', `Cannot use HULL_LAYER_LIMIT "${text}": no number of bytes, expected one such as 8589934592`);
  return limit;
}

function evictOld(cache: string, made: string): void {
  const images = readdirSync(cache)
    .filter((name) => name.endsWith('.erofs'))
    .map((name) => ({ path: join(cache, name), time: statSync(join(cache, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.time - a.time);
  for (const { path } of images.slice(KEPT)) {
    if (path === made) continue;
    try {
      unlinkSync(path);
    } catch {
      // someone else removed it
    }
  }
}

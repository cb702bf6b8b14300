/**
 * An image's kernel: one layer of its own above the others, with one file, and labels in the config that say which it is (annotations of manifests do not survive all tools). Owns: the names of the labels, and what the image is
 * without it. Rule: whoever never heard of it sees a layer and labels as any others.
 */
import type { HistoryEntry, ImageConfig } from './oci.ts';
import type { Image } from './store.ts';

export const KERNEL = {
  /** The diff_id of the layer. */
  LAYER: 'hull.kernel.layer',
  /** What the kernel was linked for: a digest of the root file system's identity and the program's path. */
  FOR: 'hull.kernel.for',
  /** What it was given beside what the program needs, with commas between; "-NAME": what it shall not have. */
  COMPONENTS: 'hull.kernel.components',
} as const;
/** In the layer. */
export const KERNEL_FOLDER = '.hull';
export const KERNEL_PATH = `${KERNEL_FOLDER}/kernel`;

type Layered = Pick<Image, 'manifest' | 'config'>;

/** The image's layers and config as they would be without a kernel. */
export function withoutKernel<T extends Layered>(image: T): T {
  const { config, manifest } = image;
  const diffIds = config.rootfs.diff_ids;
  const at = diffIds.indexOf(config.config?.Labels?.[KERNEL.LAYER] ?? '');
  if (at < 0) return image;
  const isOther = (_: unknown, i: number) => i !== at;
  const labels = withoutKernelLabels(config.config?.Labels ?? {});
  const { Labels: _, ...plain } = config.config ?? {};
  const stripped: ImageConfig = {
    ...config,
    config: { ...plain, ...(Object.keys(labels).length === 0 ? {} : { Labels: labels }) },
    rootfs: { ...config.rootfs, diff_ids: diffIds.filter(isOther) },
    ...(config.history === undefined ? {} : { history: dropLayer(config.history, at) }),
  };
  return { ...image, config: stripped, manifest: { ...manifest, layers: manifest.layers.filter(isOther) } };
}

export function withoutKernelLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  const names: readonly string[] = Object.values(KERNEL);
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !names.includes(name)));
}

/** History tells of a layer by an entry that is not empty, in their order. */
function dropLayer(history: readonly HistoryEntry[], layer: number): HistoryEntry[] {
  let count = 0;
  return history.filter((entry) => entry.empty_layer === true || count++ !== layer);
}

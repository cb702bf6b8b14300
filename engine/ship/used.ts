/** Which images instances need. Owns: what keeps an image from being removed. */
import type { StatePaths } from '../state/index.ts';

/** Image ID -> names of the instances that are made of it. */
export async function listUsedImages(paths: StatePaths): Promise<ReadonlyMap<string, readonly string[]>> {
  const { isRunning, listInstances } = await import('../instances/index.ts');
  const used = new Map<string, string[]>();
  for (const { config, state, id } of await listInstances(paths)) {
    const image = config.request.image?.id;
    if (image === undefined) continue;
    used.set(image, [...(used.get(image) ?? []), `${isRunning(state) ? 'running ' : ''}container ${id.slice(0, 12)}`]);
  }
  return used;
}

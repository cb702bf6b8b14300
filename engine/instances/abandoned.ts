/** Volumes that were left half filled. Owns: whether a machine may still be at it: then the guest waits for it. */
import type { StatePaths } from '../state/index.ts';
import { emptyUnfinished, findVolumeUsers, type Volume } from '../volumes/index.ts';
import { isInstanceAlive } from './lifecycle.ts';
import { loadInstance } from './store.ts';

/** own: the instance that asks; undefined: this process. */
export async function emptyAbandoned(paths: StatePaths, volumes: readonly Volume[], own: string | undefined): Promise<void> {
  const isAtIt = (user: string): boolean => {
    const instance = loadInstance(paths.instances, user);
    return instance === undefined ? /^\d+$/.test(user) : instance.state.starter !== undefined || isInstanceAlive(instance); // else a process, which is alive
  };
  for (const volume of volumes) {
    const others = findVolumeUsers(paths.volumes, volume.name).filter((user) => user !== (own ?? String(process.pid)));
    if (volume.driver === 'block' || !others.some(isAtIt)) emptyUnfinished(volume);
  }
}

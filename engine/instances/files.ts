/**
 * The files of an instance, read from this host: its image, what it wrote over that, and what is mounted in it. Owns: where each of them lies, and that a machine which runs holds still while they are
 * looked at. Rules: nothing is mounted here; a machine is asked to write what it has in memory, then paused, and goes on however the look ends; what was paused before stays so.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type FilePlace, layerOf, openErofs, openHostFiles, type StackedPlace, stackPlaces } from '../../images/index.ts';
import { openExt4 } from '../../images/ext4/index.ts';
import { EngineError } from '../errors.ts';
import { findStatePaths, type StatePaths } from '../state/index.ts';
import { findVolume } from '../volumes/index.ts';
import { askMachine } from './control.ts';
import { syncGuest } from './guest-calls.ts';
import { findWritable } from './lifecycle.ts';
import { findInstance, isRunning } from './observe.ts';
import type { Instance } from './types.ts';

export interface InstanceFiles {
  readonly instance: Instance;
  /** The image's. */
  readonly lower: FilePlace<number>;
  /** What was written, as overlayfs keeps it: `top` is the directory that counts. undefined: nothing yet. */
  readonly upper: { readonly place: FilePlace<number>; readonly top: number } | undefined;
  /** Both as they are seen, without mounts. */
  readonly root: StackedPlace;
  /** With mounts. */
  readonly all: StackedPlace;
}

/** The EROFS image below what the instance writes. */
async function findLower({ config: { request, name } }: Instance, paths: StatePaths, env: NodeJS.ProcessEnv): Promise<string> {
  if (request.image !== undefined) return (await import('../oci/index.ts')).findImageDisk(request.image, paths, env);
  if (request.rootfs !== undefined) return (await import('../roots/index.ts')).findRootImage(paths, request.rootfs);
  throw new EngineError('option-invalid', `Cannot read the files of container ${name}: it runs a program without a root file system, expected one of an image or with --rootfs`);
}

/** Mounts of host directories and volumes; tmpfs lives in the machine alone. */
function openMounts({ config }: Instance, volumes: string, closers: (() => void)[]) {
  const mounts = new Map<string, ReturnType<typeof layerOf>>();
  for (const mount of config.request.mounts) {
    const { type, source, target } = mount;
    if (type === 'bind' && source !== undefined && existsSync(source)) mounts.set(target, layerOf(openHostFiles(source)));
    const name = type === 'volume' ? (source ?? config.anonymous[target]) : undefined;
    const volume = name === undefined ? undefined : findVolume(volumes, name);
    if (volume?.driver === 'local') mounts.set(target, layerOf(openHostFiles(mount.subpath === undefined ? volume.data : join(volume.data, mount.subpath))));
    const image = volume?.driver === 'block' ? volume.data : type === 'block' ? source : undefined;
    if (image === undefined || !existsSync(image)) continue;
    const place = openExt4(image);
    closers.push(place.close);
    mounts.set(target, layerOf(place));
  }
  return mounts;
}

/** Does `look` with the files of an instance as they are at this moment. */
export async function withInstanceFiles<T>(text: string, env: NodeJS.ProcessEnv, look: (files: InstanceFiles) => Promise<T> | T, options: { readonly pause?: boolean } = {}): Promise<T> {
  const paths = findStatePaths(env);
  const instance = await findInstance(paths, text);
  const disk = await findLower(instance, paths, env);
  return await whileQuiet(instance, options.pause !== false, async () => {
    const closers: (() => void)[] = [];
    try {
      const image = openErofs(disk);
      closers.push(image.close);
      const lower = image.files;
      const path = findWritable(instance);
      let upper: InstanceFiles['upper'];
      if (path !== undefined && existsSync(path)) {
        const place = openExt4(path);
        closers.push(place.close);
        const top = place.list(place.root).get('upper');
        if (top !== undefined) upper = { place, top };
      }
      const layers = [...(upper === undefined ? [] : [layerOf(upper.place, upper.top)]), layerOf(lower)];
      const mounts = openMounts(instance, paths.volumes, closers);
      return await look({ instance, lower, upper, root: stackPlaces({ layers }), all: stackPlaces({ layers, mounts }) });
    } finally {
      for (const close of closers) close();
    }
  });
}

/** Everything is on the disks, and stays as it is until `act` is done. */
async function whileQuiet<T>(instance: Instance, pause: boolean, act: () => Promise<T>): Promise<T> {
  if (instance.state.status !== 'running') return await act();
  await syncGuest(instance);
  if (!pause) return await act();
  try {
    await askMachine(instance, 'stop');
  } catch (error) {
    // It ended at this moment: then it is as quiet as can be.
    if (isRunning(instance.state) && !existsSync(join(instance.folder, 'qmp'))) return await act();
    throw error;
  }
  try {
    return await act();
  } finally {
    await askMachine(instance, 'cont').catch(() => {}); // killed meanwhile
  }
}

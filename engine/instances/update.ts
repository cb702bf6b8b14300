/** What of an instance can be changed: what takes effect at its next start, or is only noted. */
import { EngineError } from '../errors.ts';
import { findStatePaths } from '../state/index.ts';
import { removeInstance } from './lifecycle.ts';
import { findInstance, isRunning, listInstances, recordInstanceEvent } from './observe.ts';
import { outputSize } from './output.ts';
import { loadInstance, noSuchInstance, saveConfig, withInstance } from './store.ts';
import type { Instance, RestartPolicy } from './types.ts';

export interface InstanceUpdate {
  /** Bytes; at the next start. */
  readonly memory?: number | undefined;
  readonly restart?: RestartPolicy | undefined;
  /** The network of the next start, and its names and address there. */
  readonly network?: { readonly name: string; readonly aliases: readonly string[]; readonly ip: string | undefined } | undefined;
}

export async function updateInstance(text: string, env: NodeJS.ProcessEnv, update: InstanceUpdate): Promise<void> {
  const paths = findStatePaths(env);
  const found = await findInstance(paths, text);
  await withInstance(found, () => {
    const instance = loadInstance(paths.instances, found.id);
    if (instance === undefined) throw noSuchInstance(text);
    const { config } = instance;
    if (update.memory !== undefined && isRunning(found.state)) {
      throw new EngineError('instance-conflict', `Cannot update container ${found.id}: the memory of a running machine cannot change, expected a stopped one`);
    }
    if (update.network !== undefined && isRunning(found.state)) {
      throw new EngineError('instance-conflict', `Cannot change the network of container ${found.id}: a running machine has the one that it was started with, expected a stopped one`);
    }
    if (config.autoRemove && update.restart !== undefined && update.restart.name !== 'no') {
      throw new EngineError('instance-conflict', `Cannot update container ${found.id}: Restart policy cannot be updated because AutoRemove is enabled for the container`);
    }
    const { request } = config;
    const network = update.network === undefined ? request.network : { ...request.network, network: update.network.name, aliases: update.network.aliases, ip: update.network.ip };
    saveConfig(instance, { ...config, restart: update.restart ?? config.restart, request: { ...request, network, memory: update.memory ?? request.memory } });
    recordInstanceEvent(paths, instance, 'update');
  });
}

/** Removes all that do not run; the ids and the bytes that they kept. */
export async function pruneInstances(env: NodeJS.ProcessEnv, meets: (instance: Instance) => boolean): Promise<{ ids: string[]; bytes: number }> {
  const ids: string[] = [];
  let bytes = 0;
  for (const instance of await listInstances(findStatePaths(env))) {
    if (isRunning(instance.state) || instance.state.starter !== undefined || !meets(instance)) continue;
    bytes += outputSize(instance.folder);
    try {
      await removeInstance(instance.id, env);
      ids.push(instance.id);
    } catch (error) {
      if (!['instance-missing', 'instance-conflict'].includes((error as EngineError).code)) throw error; // removed or started meanwhile
    }
  }
  return { ids, bytes };
}

/** A new instance: its name, id and volumes. Owns: what is made before the first start, and that nothing is left when one of them cannot be made. */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { RunHost } from '../prepare.ts';
import { findStatePaths } from '../state/index.ts';
import { createVolume, holdVolume } from '../volumes/index.ts';
import { mergeHealth } from './health.ts';
import { checkLogging } from './log-limit.ts';
import { makeId } from './names.ts';
import { discardInstance, recordInstanceEvent } from './observe.ts';
import { addInstance } from './store.ts';
import type { Instance, InstanceSpec } from './types.ts';

export async function createInstance(spec: InstanceSpec, host: Pick<RunHost, 'env'>): Promise<Instance> {
  if (spec.logging !== undefined) checkLogging(spec.logging);
  const paths = findStatePaths(host.env);
  mkdirSync(paths.instances, { recursive: true, mode: 0o700 });
  const id = makeId();
  const anonymous: Record<string, string> = {};
  for (const mount of spec.request.mounts) {
    if (mount.type === 'volume' && mount.source === undefined) anonymous[mount.target] = randomBytes(32).toString('hex');
  }
  const instance = await addInstance(paths.instances, id, spec.name, (name) => ({ ...spec, health: mergeHealth(spec.health, spec.request.image?.health), request: { ...spec.request, name }, version: 1, id, name, created: new Date().toISOString(), anonymous }));
  try {
    for (const { type, source, target } of spec.request.mounts) {
      if (type !== 'volume') continue;
      const name = source ?? (anonymous[target] as string);
      createVolume(paths.volumes, name, { isAnonymous: source === undefined });
      holdVolume(paths.volumes, name, id);
    }
  } catch (error) {
    await discardInstance(paths, instance, true);
    throw error;
  }
  recordInstanceEvent(paths, instance, 'create');
  return instance;
}


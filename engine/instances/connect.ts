/**
 * The network of an instance's next start. Owns: what connecting and disconnecting mean where a machine has one network. Rules: a machine that runs keeps the one that it was started with
 * (QEMU could add a card, but nothing in the machine would give it an address); a further one is refused, not silently taken for the first.
 */
import { EngineError } from '../errors.ts';
import { findStatePaths } from '../state/index.ts';
import { recordEvent } from './events.ts';
import { findInstance, isRunning } from './observe.ts';
import type { Instance } from './types.ts';
import { updateInstance } from './update.ts';

export interface NetworkRef {
  readonly id: string;
  /** Docker's name: `bridge` is the user network. */
  readonly name: string;
}

/** The name of an instance's network, in Docker's words. */
export const networkNameOf = ({ config }: Instance): string => {
  const name = config.request.network.network;
  return name === undefined || name === 'user' || name === 'default' ? 'bridge' : name;
};

/** Connecting to what it has changes nothing while it runs: compose connects what it created there. */
export async function connectInstance(text: string, env: NodeJS.ProcessEnv, network: NetworkRef, endpoint: { readonly aliases: readonly string[]; readonly ip: string | undefined }): Promise<void> {
  const paths = findStatePaths(env);
  const instance = await findInstance(paths, text);
  const current = networkNameOf(instance);
  if (current === network.name && isRunning(instance.state)) return;
  if (current !== network.name && current !== 'bridge' && current !== 'none') {
    throw new EngineError('instance-conflict', `Cannot connect container ${instance.config.name} to network ${network.name}: a machine has one network, and it has ${current}, expected it to be disconnected first`);
  }
  await updateInstance(instance.id, env, { network: { name: network.name, ...endpoint } });
  recordEvent(paths.events, 'network', 'connect', network.id, { container: instance.id, name: network.name, type: 'bridge' });
}

/** What is disconnected has none. */
export async function disconnectInstance(text: string, env: NodeJS.ProcessEnv, network: NetworkRef): Promise<void> {
  const paths = findStatePaths(env);
  const instance = await findInstance(paths, text);
  if (networkNameOf(instance) !== network.name) throw new EngineError('instance-conflict', `container ${instance.id} is not connected to the network ${network.name}`);
  await updateInstance(instance.id, env, { network: { name: 'none', aliases: [], ip: undefined } });
  recordEvent(paths.events, 'network', 'disconnect', network.id, { container: instance.id, name: network.name, type: 'bridge' });
}

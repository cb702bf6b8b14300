/** `hull network serve`: the process of a network's switch, which the first member starts. */
import { EngineError } from '../errors.ts';
import { readHostResolver } from './files.ts';
import { findNetwork, findSwitchFolder, subnetOf } from './registry.ts';
import { serveSwitch } from './switch/serve.ts';

/** Returns when the last member has gone. */
export async function serveNetwork(networks: string, name: string, env: NodeJS.ProcessEnv): Promise<void> {
  const network = findNetwork(networks, name);
  if (network === undefined) throw new EngineError('network-missing', `network ${name} not found`);
  const servers = network.isInternal ? [] : readHostResolver().servers;
  await serveSwitch({ name: network.name, subnet: subnetOf(network.subnet), folder: findSwitchFolder(network, env), servers });
}

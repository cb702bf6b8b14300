/** `hull network serve`: the process of a network's switch, which the first member starts. */
import { EngineError } from '../errors.ts';
import { readHostResolver } from './files.ts';
import { makeBridge, writeRules } from './host-bridge.ts';
import { findNetwork, hostBridgeOf, findSwitchFolder, subnetOf } from './registry.ts';
import { serveSwitch } from './switch/serve.ts';

/** Returns when the last member has gone. */
export async function serveNetwork(networks: string, name: string, env: NodeJS.ProcessEnv): Promise<void> {
  const network = findNetwork(networks, name);
  if (network === undefined) throw new EngineError('network-missing', `network ${name} not found`);
  const servers = network.isInternal ? [] : readHostResolver().servers;
  const bridge = hostBridgeOf(network);
  await serveSwitch({
    name: network.name,
    subnet: subnetOf(network.subnet),
    folder: findSwitchFolder(network, env),
    servers,
    bridge: bridge && {
      async start() {
        await makeBridge(bridge);
        await writeRules(bridge, []);
      },
      publish: (ports) => writeRules(bridge, ports),
    },
  });
}

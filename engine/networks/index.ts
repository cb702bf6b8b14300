/** Networks: what `--network`, `-p` and the name options mean for a machine. */
export { checkNameOptions } from './files.ts';
export { type NetworkRequest, parseNetworkMode, planNetwork, type PlannedPort } from './plan.ts';
export { parsePublish } from './ports.ts';
export { createNetwork, driverOf, findMembers, findNetwork, listNetworks, type Network, pruneNetworks, removeNetwork } from './registry.ts';
export type { MemberInfo } from './switch/client.ts';
export { serveNetwork } from './serve.ts';
export { formatIpv4, parseSubnet } from './subnets.ts';

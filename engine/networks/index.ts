/** Networks: what `--network`, `-p` and the name options mean for a machine. */
export { checkNameOptions } from './files.ts';
export { type NetworkRequest, parseNetworkMode, planNetwork, type PlannedPort } from './plan.ts';
export { parsePublish } from './ports.ts';

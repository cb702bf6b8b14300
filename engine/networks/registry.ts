/**
 * Networks that have a name: $HULL_ROOT/networks/<name>/network.json. Owns: these files, and where a network's switch has its sockets. Rules: a network is there when its file is;
 * a file is complete or absent; subnets of two networks do not overlap.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeSystemError, EngineError } from '../errors.ts';
import { withLock, writeAtomically } from '../state/index.ts';
import { type HostBridge, makeBridge, removeBridge, writeRules } from './host-bridge.ts';
import { formatSubnet, overlaps, parseIpv4Number, parseSubnet, pickSubnet, type Subnet } from './subnets.ts';
import { listMembers, type MemberInfo } from './switch/client.ts';

export interface Network {
  readonly name: string;
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly created: string;
  readonly subnet: string;
  /** Without a way out to other networks. */
  readonly isInternal: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Absent: `switch`, a process in user space. `bridge`: one of the host. */
  readonly driver?: NetworkDriver;
}

export type NetworkDriver = 'switch' | 'bridge';
export const driverOf = ({ driver }: Network): NetworkDriver => driver ?? 'switch';

/** Undefined: it is not on a bridge of the host. */
export function hostBridgeOf(network: Network): HostBridge | undefined {
  const { name, id, isInternal } = network;
  return driverOf(network) === 'bridge' ? { name, id, isInternal, subnet: subnetOf(network.subnet) } : undefined;
}

export const NETWORK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/** Names of modes, and Docker's names for its own. */
export const RESERVED_NETWORKS = ['none', 'user', 'bridge', 'default', 'host'];

const recordOf = (networks: string, name: string) => join(networks, name, 'network.json');

export function findNetwork(networks: string, nameOrId: string): Network | undefined {
  const byName = NETWORK_NAME.test(nameOrId) ? readNetwork(networks, nameOrId) : undefined;
  if (byName !== undefined || !/^[0-9a-f]+$/.test(nameOrId)) return byName;
  const found = listNetworks(networks).filter(({ id }) => id.startsWith(nameOrId));
  return found.length === 1 ? found[0] : undefined;
}

function readNetwork(networks: string, name: string): Network | undefined {
  try {
    return JSON.parse(readFileSync(recordOf(networks, name), 'utf8')) as Network;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new EngineError('state-failed', `Cannot read network "${name}": ${describeSystemError(error)}, expected ${recordOf(networks, name)}`, { cause: error });
  }
}

export function listNetworks(networks: string): Network[] {
  if (!existsSync(networks)) return [];
  return readdirSync(networks).sort().map((name) => readNetwork(networks, name)).filter((network) => network !== undefined);
}

/** How long others may be at it. */
const PATIENCE_MS = 30_000;

/** Whoever makes or removes a network does it in here: names and subnets stay each one's own. */
function withNetworks<T>(networks: string, act: () => Promise<T> | T): Promise<T> {
  mkdirSync(networks, { recursive: true });
  return withLock(join(networks, '.lock'), 'the networks', PATIENCE_MS, act);
}

export interface NetworkOptions {
  readonly subnet?: string | undefined;
  readonly isInternal?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  /** `switch` unless it says otherwise. */
  readonly driver?: string | undefined;
}

export function createNetwork(networks: string, name: string, options: NetworkOptions = {}): Promise<Network> {
  return withNetworks(networks, () => addNetwork(networks, name, options));
}

async function addNetwork(networks: string, name: string, options: NetworkOptions): Promise<Network> {
  const driver = options.driver ?? 'switch';
  if (driver !== 'switch' && driver !== 'bridge') throw new EngineError('option-invalid', `could not find plugin ${driver} in v1 plugin registry: Cannot use driver "${driver}": expected switch or bridge`);
  if (!NETWORK_NAME.test(name)) throw new EngineError('option-invalid', `invalid network name "${name}": only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`);
  if (RESERVED_NETWORKS.includes(name)) throw new EngineError('option-invalid', `operation is not permitted on predefined ${name} network`);
  if (readNetwork(networks, name) !== undefined) throw new EngineError('network-exists', `network with name ${name} already exists`);
  const network: Network = {
    name,
    id: randomBytes(32).toString('hex'),
    created: new Date().toISOString(),
    subnet: formatSubnet(chooseSubnet(networks, options.subnet, driver === 'bridge' ? listHostSubnets() : [])),
    isInternal: options.isInternal === true,
    labels: options.labels ?? {},
    ...(driver === 'bridge' && { driver }),
  };
  // The record first: whatever happens next, `network rm` finds what there is to remove.
  writeAtomically(recordOf(networks, name), `${JSON.stringify(network, null, 2)}\n`);
  const bridge = hostBridgeOf(network);
  try {
    if (bridge !== undefined) {
      await makeBridge(bridge);
      await writeRules(bridge, []);
    }
  } catch (error) {
    if (bridge !== undefined) await removeBridge(bridge).catch(() => {});
    rmSync(join(networks, name), { recursive: true, force: true });
    throw error;
  }
  return network;
}

/** A bridge's addresses are the host's, too: not those of its other interfaces. */
function listHostSubnets(): { name: string; subnet: Subnet }[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).flatMap(({ family, cidr }) => {
      const [address = '', bits] = (family === 'IPv4' ? (cidr ?? '') : '').split('/');
      const [number, prefix] = [parseIpv4Number(address), Number(bits)];
      return number === undefined ? [] : [{ name: `interface ${name}`, subnet: { base: number - (number % 2 ** (32 - prefix)), prefix } }];
    }),
  );
}

function chooseSubnet(networks: string, text: string | undefined, taken: readonly { name: string; subnet: Subnet }[]): Subnet {
  const others = [...taken, ...listNetworks(networks).map(({ name, subnet }) => ({ name, subnet: subnetOf(subnet) }))];
  if (text === undefined) {
    const free = pickSubnet(others.map(({ subnet }) => subnet));
    if (free === undefined) throw new EngineError('network-refused', 'all predefined address pools have been fully subnetted');
    return free;
  }
  const subnet = parseSubnet(text);
  if (subnet === undefined) throw new EngineError('option-invalid', `invalid argument "${text}" for "--subnet" flag: not an IPv4 subnet, expected one as in 172.30.0.0/16, from /8 to /29`);
  const other = others.find((each) => overlaps(each.subnet, subnet));
  if (other !== undefined) throw new EngineError('network-refused', `Pool overlaps with other one on this address space: ${text} and network "${other.name}"`);
  return subnet;
}

export function subnetOf(text: string): Subnet {
  const subnet = parseSubnet(text);
  if (subnet === undefined) throw new EngineError('state-failed', `Cannot use subnet "${text}": not an IPv4 subnet, expected what hull network create wrote`);
  return subnet;
}

export async function removeNetwork(networks: string, nameOrId: string, env: NodeJS.ProcessEnv): Promise<void> {
  if (RESERVED_NETWORKS.includes(nameOrId)) throw new EngineError('option-invalid', `${nameOrId} is a pre-defined network and cannot be removed`);
  await withNetworks(networks, () => removeFree(networks, nameOrId, env));
}

async function removeFree(networks: string, nameOrId: string, env: NodeJS.ProcessEnv): Promise<void> {
  const network = findNetwork(networks, nameOrId);
  if (network === undefined) throw new EngineError('network-missing', `network ${nameOrId} not found`);
  const members = await findMembers(network, env);
  if (members.length > 0) {
    throw new EngineError('network-busy', `error while removing network: network ${network.name} id ${network.id} has active endpoints: ${members.map(({ names, ip }) => names[0] ?? ip).join(', ')}`);
  }
  const bridge = hostBridgeOf(network);
  if (bridge !== undefined) await removeBridge(bridge);
  rmSync(recordOf(networks, network.name));
  rmSync(join(networks, network.name), { recursive: true, force: true });
  rmSync(findSwitchFolder(network, env), { recursive: true, force: true }); // sockets of a member or a switch that was killed
}

/** Removes networks without members; their names. */
export async function pruneNetworks(networks: string, env: NodeJS.ProcessEnv, meets: (network: Network) => boolean = () => true): Promise<string[]> {
  const gone: string[] = [];
  for (const network of listNetworks(networks)) {
    if (!meets(network) || (await findMembers(network, env)).length > 0) continue;
    await removeNetwork(networks, network.name, env);
    gone.push(network.name);
  }
  return gone;
}

export const findMembers = (network: Network, env: NodeJS.ProcessEnv): Promise<MemberInfo[]> => listMembers({ name: network.name, folder: findSwitchFolder(network, env) });

/** Sockets need short paths, and a folder that nobody else can enter. */
export function findSwitchFolder(network: Network, env: NodeJS.ProcessEnv): string {
  const runtime = env['XDG_RUNTIME_DIR'];
  const base = runtime !== undefined && runtime !== '' && runtime.length < 60 ? join(runtime, 'hull') : join(tmpdir().length < 60 ? tmpdir() : '/tmp', `hull-${process.getuid?.() ?? 0}`);
  try {
    mkdirSync(base, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(base);
    if (uid !== process.getuid?.() || (mode & 0o170077) !== 0o040000) {
      throw new EngineError('network-refused', `Cannot use "${base}": others can enter it, expected a directory of mode 0700 that belongs to user ${process.getuid?.()}`);
    }
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError('state-failed', `Cannot make "${base}": ${describeSystemError(error)}, expected a directory for sockets`, { cause: error });
  }
  return join(base, network.id.slice(0, 12));
}

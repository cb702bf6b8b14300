/**
 * What a container is asked for and a machine does not have (Docker Engine API v1.47, HostConfig). Owns: which of it is refused and which is a warning, and the words. Rules: refused is what the caller would
 * wait for in vain (an address, a device, another's network); a warning says what has no meaning where each container has a kernel of its own. Nothing is passed over in silence.
 */
import { formatPlatform, matchesPlatform, type Platform } from '../../../images/store/index.ts';
import { ApiError } from '../error.ts';
import type { CreateBody, EndpointBody, HostConfigBody } from './body.ts';

const KERNEL = 'each machine has a kernel of its own';
const CPU = 'a machine has one CPU, of any';
const MEMORY = 'a machine has the memory of Memory, and no swap';
const DISKS = 'the speed of disks is not limited';

/** Fields that have no effect, with the reason. */
const MEANINGLESS: Readonly<Record<string, string>> = {
  Privileged: 'machines share no kernel with the host',
  CapAdd: 'a machine has one privilege level',
  CapDrop: 'a machine has one privilege level',
  SecurityOpt: 'a machine has one privilege level, and no profiles',
  GroupAdd: "a user's groups are those of the image's /etc/group",
  Devices: 'devices of the host do not reach machines',
  DeviceCgroupRules: 'devices of the host do not reach machines',
  PidMode: 'each machine has processes of its own',
  IpcMode: KERNEL,
  UTSMode: KERNEL,
  UsernsMode: KERNEL,
  CgroupnsMode: KERNEL,
  CgroupParent: 'a machine is no member of a control group',
  Sysctls: KERNEL,
  Ulimits: 'limits are the machine’s',
  PidsLimit: 'limits are the machine’s',
  OomKillDisable: MEMORY,
  OomScoreAdj: MEMORY,
  MemoryReservation: MEMORY,
  MemorySwap: MEMORY,
  MemorySwappiness: MEMORY,
  KernelMemory: MEMORY,
  CpuShares: CPU,
  CpuPeriod: CPU,
  CpuQuota: CPU,
  CpuRealtimePeriod: CPU,
  CpuRealtimeRuntime: CPU,
  CpusetCpus: CPU,
  CpusetMems: CPU,
  BlkioWeight: DISKS,
  BlkioWeightDevice: DISKS,
  BlkioDeviceReadBps: DISKS,
  BlkioDeviceReadIOps: DISKS,
  BlkioDeviceWriteBps: DISKS,
  BlkioDeviceWriteIOps: DISKS,
  Init: 'the libOS takes in orphans and forwards signals by itself',
};

/** Values by which nothing is asked for. */
const NEUTRAL: ReadonlySet<unknown> = new Set([undefined, null, false, '', 0, -1, 'private', 'default']);
const isAsked = (value: unknown): boolean => !NEUTRAL.has(value) && (typeof value !== 'object' || Object.keys(value as object).length > 0);

const listLinks = (host: HostConfigBody) => (Array.isArray(host['Links']) ? (host['Links'] as readonly string[]) : []);
/** On a network of their own containers find each other, linked or not: what is lost is another name. */
const isNamed = ({ NetworkMode = '' }: HostConfigBody) => !['', 'default', 'bridge', 'none'].includes(NetworkMode);

/** A line each. */
export function findIgnored(body: Partial<CreateBody>): string[] {
  const host = body.HostConfig ?? {};
  const ignored = Object.entries(MEANINGLESS).flatMap(([name, why]) => (isAsked(host[name]) && !(name === 'MemorySwap' && host[name] === host.Memory) ? [`${name} is ignored: ${why}`] : []));
  if (isAsked(body['Domainname'])) ignored.push('Domainname is ignored: a machine has a host name only');
  if (listLinks(host).length > 0 || Object.values(body.NetworkingConfig?.EndpointsConfig ?? {}).some((endpoint) => (endpoint?.Links ?? []).length > 0)) ignored.push('Links are ignored: containers find each other by name on their network');
  const cpus = host.NanoCpus ?? 0;
  if (cpus !== 0 && cpus !== 1e9) ignored.push('NanoCpus is taken as one CPU: machines have one');
  return ignored;
}

const refuse = (message: string) => new ApiError('parameter-invalid', message);
const textOf = (value: unknown) => (typeof value === 'string' ? value : '');

/** ApiError: something that cannot be had. */
export function refuseUnmet(body: Partial<CreateBody>): void {
  const host: HostConfigBody = body.HostConfig ?? {};
  const runtime = textOf(host['Runtime']);
  if (runtime !== '' && runtime !== 'hull') throw refuse(`unknown or invalid runtime name: ${runtime}`);
  const isolation = textOf(host['Isolation']);
  if (isolation !== '' && isolation !== 'default') throw refuse(`invalid isolation '${isolation}' on linux`);
  const driver = textOf(host['VolumeDriver']);
  if (driver !== '' && driver !== 'local') throw refuse(`error looking up volume plugin ${driver}: plugin "${driver}" not found`);
  const [device] = Array.isArray(host['DeviceRequests']) ? (host['DeviceRequests'] as readonly { Driver?: string; Capabilities?: readonly (readonly string[])[] }[]) : [];
  if (device !== undefined) throw refuse(`could not select device driver "${device.Driver ?? ''}" with capabilities: [${(device.Capabilities ?? []).map((each) => `[${each.join(' ')}]`).join(' ')}]`);
  if (isAsked(host['StorageOpt'])) throw refuse('Cannot limit the storage of a container: what it writes has room as its host has, expected no storage option');
  const mode = host.NetworkMode ?? '';
  if (mode === 'host') throw refuse('Cannot use network "host": a machine has no part in the network of its host, expected none, bridge or the name of a network');
  if (mode.startsWith('container:')) throw refuse(`Cannot use network "${mode}": each machine has a network of its own, expected none, bridge or the name of a network`);
  const [link] = listLinks(host);
  if (link !== undefined && !isNamed(host)) throw refuse(`Cannot link to "${link}": containers find each other by name on a network of theirs, expected the name of a network`);
  const endpoints = Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {});
  if (endpoints.length > 1) throw refuse(`Cannot connect a container to ${endpoints.map(([name]) => name).join(' and ')}: a machine has one network, expected one`);
  for (const [name, endpoint] of endpoints) refuseUnmetEndpoint(name, endpoint);
  refuseHardwareAddress(textOf(body['MacAddress']));
}

function refuseHardwareAddress(text: string): void {
  if (text !== '') throw refuse(`Cannot give the hardware address "${text}": hull gives each machine its own, expected none`);
}

/** ApiError: what a machine cannot have on a network. */
export function refuseUnmetEndpoint(network: string, endpoint: EndpointBody | null | undefined): void {
  const { IPv6Address, LinkLocalIPs } = endpoint?.IPAMConfig ?? {};
  if (isAsked(IPv6Address)) throw refuse(`Cannot give the address "${IPv6Address}" on ${network}: networks have IPv4 addresses, expected one`);
  if (isAsked(LinkLocalIPs)) throw refuse(`Cannot give the address "${LinkLocalIPs?.[0]}" on ${network}: machines choose link-local addresses themselves, expected none`);
  refuseHardwareAddress(textOf(endpoint?.MacAddress));
}

/** ApiError: the image is for another machine than the one asked for (moby, daemon/create.go). */
export function checkPlatform(wanted: Platform | undefined, image: string, found: Platform): void {
  if (wanted === undefined || matchesPlatform(found, wanted)) return;
  throw new ApiError('platform-missing', `image with reference ${image} was found but does not match the specified platform: wanted ${formatPlatform(wanted)}, actual: ${formatPlatform(found)}`);
}

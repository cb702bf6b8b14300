/**
 * The links that take more than a card on QEMU's user network: published ports, bridges and taps of this host, and networks that `hull network create` made. Owns: which published port is whose to listen on.
 * Rules: all that can be refused is refused here, before a machine starts; ports are held until they are released.
 */
import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Address } from '../../boot/index.ts';
import { EngineError } from '../errors.ts';
import { bridgeNameOf } from './host-bridge.ts';
import type { NetworkMode, NetworkRequest, PlanContext } from './plan.ts';
import { formatEndpoint, type PublishedPort } from './ports.ts';
import { driverOf, findNetwork, findSwitchFolder, type Network, subnetOf } from './registry.ts';
import type { Relay } from './relay.ts';
import { type HeldPort, reservePorts } from './reserve.ts';
import { isWithin, parseIpv4Number } from './subnets.ts';
import { joinSwitch } from './switch/client.ts';
import { type Link, makeUserLink, readUserIp } from './user.ts';

export { startRelay } from './relay.ts';

const HELPERS = ['/usr/lib/qemu/qemu-bridge-helper', '/usr/libexec/qemu-bridge-helper'];

/** Without this QEMU's listening sockets hold one waiting connection; see tools/launch/listen.c. */
function findPreload(dist: string): Record<string, string> {
  const path = `${dist}/bin/hull-listen-x86_64.so`;
  return process.platform === 'linux' && process.arch === 'x64' && existsSync(path) ? { LD_PRELOAD: [process.env['LD_PRELOAD'], path].filter((each) => each !== undefined).join(' ') } : {};
}

/** QEMU's slirp listens on IPv4 only: an IPv6 address is relayed to a port of 127.0.0.1, and "all addresses" is both. */
async function planUser(request: NetworkRequest, dist: string, isDetached: boolean): Promise<Link> {
  readUserIp(request.ip); // before a port is held
  const direct = request.publish.filter(({ address }) => !address.includes(':'));
  const onlyIpv6 = request.publish.filter(({ address }) => address.includes(':'));
  if (isDetached && onlyIpv6.length > 0) throw refuseRelay(formatEndpoint(onlyIpv6[0]?.address as string, onlyIpv6[0]?.guest as number));
  const reserved = await reservePorts([...direct, ...onlyIpv6, ...onlyIpv6.map((port) => ({ ...port, address: '127.0.0.1', host: [0, 0] as const }))]);
  const forwards = [...reserved.slice(0, direct.length), ...reserved.slice(direct.length + onlyIpv6.length)];
  const relays: Relay[] = [];
  for (const [i, port] of reserved.slice(direct.length, direct.length + onlyIpv6.length).entries()) {
    const target = reserved[direct.length + onlyIpv6.length + i] as HeldPort;
    relays.push({ protocol: port.protocol, address: port.address, port: port.port, target: { address: '127.0.0.1', port: target.port } });
  }
  try {
    for (const [i, port] of direct.entries()) {
      if (port.address !== '' || isDetached) continue;
      const held = reserved[i] as HeldPort;
      const both = await holdIpv6(port, held.port);
      if (both === undefined) continue;
      reserved.push(both);
      relays.push({ protocol: port.protocol, address: '::', port: held.port, target: { address: '127.0.0.1', port: held.port } });
    }
  } catch (error) {
    await Promise.all(reserved.map((port) => port.release()));
    throw error;
  }
  return makeUserLink(request.ip, { forwards, relays, reserved, env: forwards.length === 0 ? {} : findPreload(dist) });
}

function refuseRelay(place: string): EngineError {
  return new EngineError('option-invalid', `Cannot publish on "${place}": that takes hull beside the machine, expected an IPv4 address on the user network, or a run in the foreground`);
}

/** A host without IPv6 publishes on IPv4 alone, as Docker does. */
async function holdIpv6(port: PublishedPort, number: number): Promise<HeldPort | undefined> {
  try {
    const [held] = await reservePorts([{ ...port, address: '::', host: [number, number] }]);
    return held;
  } catch (error) {
    const { code } = (error as Error).cause as NodeJS.ErrnoException;
    if (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL' || code === 'EINVAL') return undefined;
    throw error;
  }
}

function hasVhost(): boolean {
  try {
    accessSync('/dev/vhost-net', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Not /sys, which is of the network namespace that mounted it. */
function hasInterface(name: string): boolean {
  return readFileSync('/proc/self/net/dev', 'utf8').split('\n').some((line) => line.trim().startsWith(`${name}:`));
}

function findHelper(): string | undefined {
  return HELPERS.find((path) => existsSync(path));
}

function makeTapDevice(mode: { kind: 'bridge' | 'tap'; name: string }, dist: string, vhost: boolean): { netdev: string; env: Record<string, string> } {
  const fast = vhost ? ',vhost=on' : '';
  if (!hasInterface(mode.name)) {
    throw new EngineError('network-refused', `Cannot use "${mode.kind}:${mode.name}": this host has no network interface of that name, expected one that is there`);
  }
  if (mode.kind === 'tap') return { netdev: `tap,id=net0,ifname=${mode.name},script=no,downscript=no${fast}`, env: {} };
  if (process.getuid?.() === 0) return { netdev: `tap,id=net0,script=${dist}/bin/hull-bridge-up,downscript=no${fast}`, env: { HULL_BRIDGE: mode.name } };
  const helper = findHelper();
  if (helper === undefined) {
    throw new EngineError('network-refused', `Cannot use "bridge:${mode.name}": it takes root or QEMU's qemu-bridge-helper, expected one of them`);
  }
  return { netdev: `bridge,id=net0,br=${mode.name},helper=${helper}`, env: {} };
}

/** The host's own address on that interface: the machine's gateway. */
function findHostAddress(name: string, ip: string): Address {
  const own = (networkInterfaces()[name] ?? []).find(({ family }) => family === 'IPv4');
  const prefix = Number(own?.cidr?.split('/')[1] ?? 24);
  return { address: ip, prefix, gateway: own?.address };
}

async function planTap(request: NetworkRequest, mode: { kind: 'bridge' | 'tap'; name: string }, { dist, isDetached }: PlanContext, vhost: boolean): Promise<Link> {
  if (request.ip !== undefined && !isIPv4(request.ip)) {
    throw new EngineError('option-invalid', `invalid argument "${request.ip}" for "--ip" flag: not an IPv4 address, expected one of the network`);
  }
  const { ip } = request;
  if (ip === undefined && request.publish.length > 0) {
    throw new EngineError('option-invalid', `Cannot publish ports on "${mode.kind}:${mode.name}": the machine gets its address by DHCP, expected one given with --ip`);
  }
  if (isDetached && request.publish.length > 0) throw refuseRelay(`${mode.kind}:${mode.name}`);
  const { netdev, env } = makeTapDevice(mode, dist, vhost);
  const reserved = await reservePorts(request.publish);
  const mac = `52:54:00:${randomBytes(3).toString('hex').replace(/(..)(?=.)/g, '$1:')}`;
  const ipv4 = ip === undefined ? undefined : findHostAddress(mode.name, ip);
  return {
    cards: [{ id: 'net0', netdev, mac }],
    env,
    interfaces: [ipv4 === undefined ? { mac, dhcp: true, autoconf: true } : { mac, ipv4, autoconf: true }],
    gateway: ipv4?.gateway,
    servers: [],
    forwards: [],
    relays: reserved.map(({ protocol, address, port, guest }) => ({ protocol, address, port, target: { address: ip as string, port: guest } })),
    reserved,
  };
}

/** A card on the network's switch, and unless it is internal one on QEMU's user network: the way out, and where ports are published. */
async function planNamed(request: NetworkRequest, name: string, context: PlanContext): Promise<Link> {
  const network = findNetwork(context.networks, name);
  if (network === undefined) throw new EngineError('network-missing', `network ${name} not found`);
  const subnet = subnetOf(network.subnet);
  const { ip } = request;
  if (ip !== undefined && (parseIpv4Number(ip) === undefined || !isWithin(subnet, parseIpv4Number(ip) as number))) {
    throw new EngineError('option-invalid', `invalid argument "${ip}" for "--ip" flag: not an address of network "${network.name}", expected one of ${network.subnet}`);
  }
  if (network.isInternal && request.publish.length > 0) {
    throw new EngineError('option-invalid', `Cannot publish ports on "${network.name}": the network is internal, expected one with a way to this host`);
  }
  const names = [...new Set([...(context.name === undefined ? [] : [context.name]), ...request.aliases, context.hostname])];
  if (driverOf(network) === 'bridge') return await planBridged(request, network, names, context);
  const joined = await joinSwitch({ name: network.name, folder: findSwitchFolder(network, context.env) }, { names, ip }, context);
  try {
    const user = network.isInternal ? undefined : await planUser({ ...request, ip: undefined }, context.dist, context.isDetached);
    const card = { id: 'net1', netdev: `stream,id=net1,server=off,addr.type=unix,addr.path=${joined.path.replaceAll(',', ',,')}`, mac: joined.mac };
    return {
      cards: [card, ...(user?.cards ?? [])],
      env: user?.env ?? {},
      interfaces: [{ mac: joined.mac, ipv4: { address: joined.ip, prefix: subnet.prefix } }, ...(user?.interfaces ?? [])],
      gateway: user?.gateway,
      servers: [joined.gateway],
      forwards: user?.forwards ?? [],
      relays: user?.relays ?? [],
      reserved: user?.reserved ?? [],
      leave: () => joined.close(),
    };
  } catch (error) {
    joined.close();
    throw error;
  }
}

/** A card on the network's bridge. Whoever knows the members makes its ports, too, and knows by a connection of QEMU's that it is there. */
async function planBridged(request: NetworkRequest, network: Network, names: readonly string[], context: PlanContext): Promise<Link> {
  const held = await reservePorts(request.publish);
  await Promise.all(held.map((port) => port.release()));
  const publish = held.map(({ protocol, address, port, guest }) => ({ protocol, address, port, guest }));
  const joined = await joinSwitch({ name: network.name, folder: findSwitchFolder(network, context.env) }, { names, ip: request.ip, publish }, context);
  try {
    const { netdev, env } = makeTapDevice({ kind: 'bridge', name: bridgeNameOf(network) }, context.dist, context.isKvm && hasVhost());
    const gateway = network.isInternal ? undefined : joined.gateway;
    return {
      cards: [{ id: 'net0', netdev, mac: joined.mac, presence: joined.path }],
      env,
      interfaces: [{ mac: joined.mac, ipv4: { address: joined.ip, prefix: subnetOf(network.subnet).prefix, gateway } }],
      gateway,
      servers: [joined.gateway],
      forwards: [],
      relays: [],
      reserved: held.map((port) => ({ ...port, release: async () => {} })),
      leave: () => joined.close(),
    };
  } catch (error) {
    joined.close();
    throw error;
  }
}

export async function planLink(request: NetworkRequest, mode: Exclude<NetworkMode, { kind: 'none' }>, context: PlanContext): Promise<Link> {
  if (mode.kind === 'named') return await planNamed(request, mode.name, context);
  if (mode.kind === 'user') return await planUser(request, context.dist, context.isDetached);
  return await planTap(request, { kind: mode.kind, name: mode.name }, context, context.isKvm && hasVhost());
}

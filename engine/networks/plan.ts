/**
 * `--network` and `-p` -> what QEMU, the guest and hull itself have to do. Owns: the modes, the addresses of QEMU's user network (its manual, "Using the user mode network
 * stack"), and which published port is whose to listen on. Rules: all that can be refused is refused here, before a machine starts; ports are held until `release`.
 */
import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Address, Card, GuestFile, NetworkInterface } from '../../boot/index.ts';
import { EngineError } from '../errors.ts';
import { makeGuestFiles, type NameOptions } from './files.ts';
import { bridgeNameOf } from './host-bridge.ts';
import { driverOf, findNetwork, findSwitchFolder, NETWORK_NAME, type Network, subnetOf } from './registry.ts';
import { isWithin, parseIpv4Number } from './subnets.ts';
import { joinSwitch } from './switch/client.ts';
import { formatEndpoint, type Protocol, type PublishedPort } from './ports.ts';
import { type Relay, startRelay } from './relay.ts';
import { type HeldPort, reservePorts } from './reserve.ts';

/** `named`: one that `hull network create` made. */
export type NetworkMode = { readonly kind: 'none' } | { readonly kind: 'user' } | { readonly kind: 'bridge' | 'tap' | 'named'; readonly name: string };

export interface NetworkRequest extends NameOptions {
  /** Undefined: `user` where the image has a network, else `none`. */
  readonly mode: NetworkMode | undefined;
  readonly publish: readonly PublishedPort[];
  readonly ip: string | undefined;
  /** Under which others on a named network find the machine, beside its host name. */
  readonly aliases: readonly string[];
}

export interface PlannedPort {
  readonly protocol: Protocol;
  readonly address: string;
  readonly host: number;
  readonly guest: number;
}

export interface NetworkPlan {
  readonly cards: readonly Card[];
  readonly env: Readonly<Record<string, string>>;
  readonly interfaces: readonly NetworkInterface[];
  readonly files: readonly GuestFile[];
  /** Lines about ports that the host chose. */
  readonly chosen: readonly string[];
  /** What is published, with the ports that the host chose. */
  readonly ports: readonly PlannedPort[];
  /** Gives the held ports to QEMU: right before it starts. */
  release(): Promise<void>;
  /** Listens where QEMU cannot; once the machine runs. */
  listen(): Promise<void>;
  /** Ends both. */
  close(): Promise<void>;
}

export function parseNetworkMode(text: string): NetworkMode {
  if (text === 'none' || text === 'user') return { kind: text };
  if (text === 'bridge' || text === 'default') return { kind: 'user' }; // Docker's names for what a container gets that asks for nothing
  if (text === 'host') throw new EngineError('option-invalid', 'Cannot use network "host": a machine has no part in the network of its host, expected none, user, bridge:NAME, tap:NAME or the name of a network');
  if (NETWORK_NAME.test(text)) return { kind: 'named', name: text };
  const match = /^(bridge|tap):([^/\s,]{1,15})$/.exec(text);
  if (match === null) throw new EngineError('option-invalid', `network ${text} not found, expected none, user, bridge:NAME, tap:NAME or the name of a network`);
  return { kind: match[1] as 'bridge' | 'tap', name: match[2] as string };
}

const USER = { mac: '52:54:00:12:34:56', network: '10.0.2', guest: '10.0.2.15', gateway: '10.0.2.2', dns: '10.0.2.3', guest6: 'fec0::15', gateway6: 'fec0::2' } as const;
const HELPERS = ['/usr/lib/qemu/qemu-bridge-helper', '/usr/libexec/qemu-bridge-helper'];

interface Link {
  readonly cards: readonly Card[];
  readonly env: Readonly<Record<string, string>>;
  /** One for each card; the machine's addresses in /etc/hosts are the first one's. */
  readonly interfaces: readonly NetworkInterface[];
  readonly gateway: string | undefined;
  readonly servers: readonly string[];
  readonly forwards: readonly HeldPort[];
  readonly relays: readonly Relay[];
  readonly reserved: readonly HeldPort[];
  /** Leaves what it joined, unless QEMU is there by now. */
  leave?(): void;
}

function checkUserIp(ip: string): string {
  const last = Number(ip.split('.')[3]);
  if (!isIPv4(ip) || !ip.startsWith(`${USER.network}.`) || last < 4 || last > 254) {
    throw new EngineError('option-invalid', `invalid argument "${ip}" for "--ip" flag: not an address for a machine of the user network, expected ${USER.network}.4 to ${USER.network}.254`);
  }
  return ip;
}

/** Without this QEMU's listening sockets hold one waiting connection; see tools/launch/listen.c. */
function findPreload(dist: string): Record<string, string> {
  const path = `${dist}/bin/hull-listen-x86_64.so`;
  return process.platform === 'linux' && process.arch === 'x64' && existsSync(path) ? { LD_PRELOAD: [process.env['LD_PRELOAD'], path].filter((each) => each !== undefined).join(' ') } : {};
}

/** QEMU's slirp listens on IPv4 only: an IPv6 address is relayed to a port of 127.0.0.1, and "all addresses" is both. */
async function planUser(request: NetworkRequest, dist: string, isDetached: boolean): Promise<Link> {
  const ip = request.ip === undefined ? USER.guest : checkUserIp(request.ip);
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
  const rules = forwards.map((port) => `,hostfwd=${port.protocol}:${port.address}:${port.port}-${ip}:${port.guest}`);
  return {
    cards: [{ id: 'net0', netdev: `user,id=net0,net=${USER.network}.0/24${rules.join('')}`, mac: USER.mac }],
    env: forwards.length === 0 ? {} : findPreload(dist),
    interfaces: [{ mac: USER.mac, ipv4: { address: ip, prefix: 24, gateway: USER.gateway }, ipv6: { address: USER.guest6, prefix: 64, gateway: USER.gateway6 } }],
    gateway: USER.gateway,
    servers: [USER.dns],
    forwards,
    relays,
    reserved,
  };
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

export interface PlanContext {
  /** The image has a driver and sockets of the network. */
  readonly isAble: boolean;
  readonly program: string;
  /** The run's name. */
  readonly name: string | undefined;
  readonly hostname: string;
  readonly dist: string;
  readonly isKvm: boolean;
  /** The folder of named networks. */
  readonly networks: string;
  readonly env: NodeJS.ProcessEnv;
  /** hull does not stay beside the machine: it cannot relay. */
  readonly isDetached: boolean;
}

async function planLink(request: NetworkRequest, mode: NetworkMode, context: PlanContext): Promise<Link | undefined> {
  if (mode.kind === 'none') return undefined;
  if (mode.kind === 'named') return await planNamed(request, mode.name, context);
  if (mode.kind === 'user') return await planUser(request, context.dist, context.isDetached);
  return await planTap(request, { kind: mode.kind, name: mode.name }, context, context.isKvm && hasVhost());
}

export async function planNetwork(request: NetworkRequest, context: PlanContext): Promise<NetworkPlan> {
  const mode = request.mode ?? { kind: context.isAble ? 'user' : 'none' };
  if (request.publish.length > 0 && (mode.kind === 'none' || !context.isAble)) {
    const why = mode.kind === 'none' && context.isAble ? 'the network is "none"' : 'the program makes no network calls';
    throw new EngineError('option-invalid', `Cannot publish a port of "${context.program}": ${why}, expected a program that listens on a network`);
  }
  const link = context.isAble ? await planLink(request, mode, context) : undefined;
  const first = link?.interfaces[0];
  const addresses = [first?.ipv4?.address, first?.ipv6?.address].filter((address) => address !== undefined);
  const relays = link?.relays ?? [];
  const ends: (() => void)[] = [];
  const release = async () => void (await Promise.all((link?.reserved ?? []).map((port) => port.release())));
  let isReleased = false;
  try {
    return {
      cards: link?.cards ?? [],
      env: link?.env ?? {},
      interfaces: link?.interfaces ?? [],
      files: makeGuestFiles(context.hostname, request, { servers: link?.servers ?? [], gateway: link?.gateway, addresses }),
      chosen: (link?.reserved ?? []).filter((port) => port.isChosen && port.address !== '::').filter((port) => !isPrivate(port, relays)).map((port) => `${port.guest}/${port.protocol} -> ${formatEndpoint(port.address, port.port)}`),
      ports: (link?.reserved ?? []).filter((port) => !isPrivate(port, relays)).map(({ protocol, address, port, guest }) => ({ protocol, address, host: port, guest })),
      async release() {
        isReleased = true;
        await release();
      },
      async listen() {
        for (const relay of relays) ends.push(await startRelay(relay));
      },
      async close() {
        for (const end of ends.splice(0)) end();
        link?.leave?.();
        if (!isReleased) await release();
      },
    };
  } catch (error) {
    link?.leave?.();
    await release();
    throw error;
  }
}

/** A port of 127.0.0.1 that only leads from a relay to QEMU. */
function isPrivate(port: HeldPort, relays: readonly Relay[]): boolean {
  return relays.some((relay) => relay.address !== '::' && relay.target.port === port.port && port.address === '127.0.0.1');
}

/**
 * `--network` and `-p` -> what QEMU, the guest and hull itself have to do. Owns: the modes, and the plan as a whole. Rules: all that can be refused is refused here, before a machine starts; ports are held until `release`;
 * what most machines do not ask for is loaded when one does (links.ts).
 */
import type { Card, GuestFile, NetworkInterface } from '../../boot/index.ts';
import { EngineError } from '../errors.ts';
import { makeGuestFiles, type NameOptions } from './files.ts';
import { formatEndpoint, type Protocol, type PublishedPort } from './ports.ts';
import { NETWORK_NAME } from './registry.ts';
import type { Relay } from './relay.ts';
import type { HeldPort } from './reserve.ts';
import { type Link, makeUserLink } from './user.ts';

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
  if (mode.kind === 'user' && request.publish.length === 0) return makeUserLink(request.ip);
  return await (await import('./links.ts')).planLink(request, mode, context);
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
        if (relays.length === 0) return;
        const { startRelay } = await import('./links.ts');
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

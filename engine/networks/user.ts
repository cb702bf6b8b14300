/**
 * The link that a machine has unless it asks for another: a card on QEMU's user network. Owns: the addresses there (QEMU's manual, "Using the user mode network stack"). Rule: this is read at the start of most machines, so
 * nothing is here that holds ports or knows other networks; links.ts does that.
 */
import { isIPv4 } from 'node:net';
import type { Card, NetworkInterface } from '../../boot/index.ts';
import { EngineError } from '../errors.ts';
import type { Relay } from './relay.ts';
import type { HeldPort } from './reserve.ts';

/** What a mode comes to. */
export interface Link {
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

const USER = { mac: '52:54:00:12:34:56', network: '10.0.2', guest: '10.0.2.15', gateway: '10.0.2.2', dns: '10.0.2.3', guest6: 'fec0::15', gateway6: 'fec0::2' } as const;
export function readUserIp(asked: string | undefined): string {
  const ip = asked ?? USER.guest;
  const last = Number(ip.split('.')[3]);
  if (!isIPv4(ip) || !ip.startsWith(`${USER.network}.`) || last < 4 || last > 254) {
    throw new EngineError('option-invalid', `invalid argument "${ip}" for "--ip" flag: not an address for a machine of the user network, expected ${USER.network}.4 to ${USER.network}.254`);
  }
  return ip;
}

/** What is published of the machine, where somebody holds the ports. */
export interface UserPorts {
  /** QEMU listens on these. */
  readonly forwards: readonly HeldPort[];
  readonly relays: readonly Relay[];
  readonly reserved: readonly HeldPort[];
  readonly env: Readonly<Record<string, string>>;
}

/** EngineError: the address is none of that network. */
export function makeUserLink(asked: string | undefined, ports: UserPorts = { forwards: [], relays: [], reserved: [], env: {} }): Link {
  const ip = readUserIp(asked);
  const rules = ports.forwards.map((port) => `,hostfwd=${port.protocol}:${port.address}:${port.port}-${ip}:${port.guest}`);
  return {
    ...ports,
    cards: [{ id: 'net0', netdev: `user,id=net0,net=${USER.network}.0/24${rules.join('')}`, mac: USER.mac }],
    interfaces: [{ mac: USER.mac, ipv4: { address: ip, prefix: 24, gateway: USER.gateway }, ipv6: { address: USER.guest6, prefix: 64, gateway: USER.gateway6 } }],
    gateway: USER.gateway,
    servers: [USER.dns],
  };
}

/**
 * What the boot module says about the network: struct hull_network_interface of libos/abi/boot_abi.h, and the files over the root file system.
 * Owns: both encoders, and the decoders that tests hold them to. Rule: addresses are texts outside, bytes in network order inside.
 */
import { isIPv4, SocketAddress } from 'node:net';
import { BootError } from '../errors.ts';
import { NETWORK } from './constants.ts';

export interface Address {
  readonly address: string;
  /** Bits of the network. */
  readonly prefix: number;
  readonly gateway?: string | undefined;
}

export interface NetworkInterface {
  /** As "52:54:00:12:34:56": which device it is. */
  readonly mac: string;
  readonly mtu?: number | undefined;
  readonly ipv4?: Address | undefined;
  readonly ipv6?: Address | undefined;
  readonly dhcp?: boolean | undefined;
  readonly autoconf?: boolean | undefined;
}

export interface GuestFile {
  readonly path: string;
  readonly content: string;
  readonly mode?: number | undefined;
}

/** offsetof() of each field, and sizeof(). */
export const INTERFACE = {
  MAC: 0, MTU: 6, FLAGS: 8, IPV4_PREFIX: 12, IPV6_PREFIX: 13, IPV4: 16, IPV4_GATEWAY: 20, IPV6: 24, IPV6_GATEWAY: 40, SIZE: 56,
} as const;

function refuse(value: string, what: string, expected: string): never {
  throw new BootError('address-invalid', `Cannot use "${value}": ${what}, expected ${expected}`);
}

export function parseMac(text: string): Buffer {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) refuse(text, 'not a hardware address', 'six bytes as in 52:54:00:12:34:56');
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

export function parseIpv4(text: string): Buffer {
  if (!isIPv4(text)) refuse(text, 'not an IPv4 address', 'one as in 10.0.2.15');
  return Buffer.from(text.split('.').map(Number));
}

/** Not node's isIPv6: the first two calls of that take 10 ms each, for its expression is compiled then, and every run with a network paid them. */
function isIpv6(text: string): boolean {
  if (!/^[0-9a-f:.]+$/i.test(text)) return false;
  try {
    return new SocketAddress({ address: text, family: 'ipv6' }).family === 'ipv6';
  } catch {
    return false;
  }
}

/** RFC 4291, section 2.2: "::" once, an IPv4 address at the end; zones mean nothing to a guest. */
export function parseIpv6(text: string): Buffer {
  if (!isIpv6(text)) refuse(text, 'not an IPv6 address', 'one as in fec0::15');
  const dotted = /[^:]*\.[^:]*$/.exec(text)?.[0];
  const tail = dotted === undefined ? undefined : parseIpv4(dotted);
  const plain = tail === undefined ? text : `${text.slice(0, -(dotted as string).length)}${tail.readUInt16BE(0).toString(16)}:${tail.readUInt16BE(2).toString(16)}`;
  const [head = '', rest] = plain.split('::');
  const words = (part: string) => part.split(':').filter((word) => word !== '').map((word) => Number.parseInt(word, 16));
  const before = words(head);
  const after = rest === undefined ? [] : words(rest);
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
  const bytes = Buffer.alloc(16);
  for (const [i, word] of all.entries()) bytes.writeUInt16BE(word, i * 2);
  return bytes;
}

function checkPrefix(address: Address, most: number): number {
  if (!Number.isInteger(address.prefix) || address.prefix < 1 || address.prefix > most) {
    refuse(`${address.address}/${address.prefix}`, 'no such length of a network', `1 to ${most}`);
  }
  return address.prefix;
}

export function encodeInterfaces(interfaces: readonly NetworkInterface[]): Buffer {
  return Buffer.concat(
    interfaces.map((each) => {
      const bytes = Buffer.alloc(INTERFACE.SIZE);
      parseMac(each.mac).copy(bytes, INTERFACE.MAC);
      bytes.writeUInt16LE(each.mtu ?? 0, INTERFACE.MTU);
      bytes.writeUInt32LE((each.dhcp === true ? NETWORK.DHCP : 0) | (each.autoconf === true ? NETWORK.AUTOCONF : 0), INTERFACE.FLAGS);
      if (each.ipv4 !== undefined) {
        bytes[INTERFACE.IPV4_PREFIX] = checkPrefix(each.ipv4, 32);
        parseIpv4(each.ipv4.address).copy(bytes, INTERFACE.IPV4);
        if (each.ipv4.gateway !== undefined) parseIpv4(each.ipv4.gateway).copy(bytes, INTERFACE.IPV4_GATEWAY);
      }
      if (each.ipv6 !== undefined) {
        bytes[INTERFACE.IPV6_PREFIX] = checkPrefix(each.ipv6, 128);
        parseIpv6(each.ipv6.address).copy(bytes, INTERFACE.IPV6);
        if (each.ipv6.gateway !== undefined) parseIpv6(each.ipv6.gateway).copy(bytes, INTERFACE.IPV6_GATEWAY);
      }
      return bytes;
    }),
  );
}

export function encodeFiles(files: readonly GuestFile[]): Buffer {
  return Buffer.concat(
    files.map(({ path, content, mode }) => {
      if (!path.startsWith('/') || path.includes('\0')) refuse(path, 'not an absolute path', 'one as in /etc/hosts');
      const bytes = Buffer.from(content, 'utf8');
      const head = Buffer.alloc(8);
      head.writeUInt32LE(mode ?? 0o644, 0);
      head.writeUInt32LE(bytes.length, 4);
      return Buffer.concat([head, Buffer.from(`${path}\0`, 'utf8'), bytes]);
    }),
  );
}

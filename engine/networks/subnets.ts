/** IPv4 addresses and subnets as numbers. Owns: their texts, and which subnets networks get that name none (Docker's pools: 172.18.0.0/16 to 172.31, then 192.168.0.0/20 and so on). */
import { isIPv4 } from 'node:net';

export interface Subnet {
  /** The first address, host order. */
  readonly base: number;
  readonly prefix: number;
}

export function parseIpv4Number(text: string): number | undefined {
  if (!isIPv4(text)) return undefined;
  return text.split('.').reduce((value, part) => value * 256 + Number(part), 0);
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

export const sizeOf = ({ prefix }: Subnet): number => 2 ** (32 - prefix);
export const isWithin = (subnet: Subnet, address: number): boolean => address >= subnet.base && address < subnet.base + sizeOf(subnet);
export const overlaps = (a: Subnet, b: Subnet): boolean => isWithin(a, b.base) || isWithin(b, a.base);
export const formatSubnet = (subnet: Subnet): string => `${formatIpv4(subnet.base)}/${subnet.prefix}`;

/** "172.20.0.0/16" with no bit below the prefix; undefined for anything else, and for subnets without room for a gateway and a machine. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address = '', bits = '', ...rest] = text.split('/');
  const base = parseIpv4Number(address);
  const prefix = Number(bits);
  if (base === undefined || rest.length > 0 || !/^\d{1,2}$/.test(bits) || prefix < 8 || prefix > 29 || base % 2 ** (32 - prefix) !== 0) return undefined;
  return { base, prefix };
}

function listPools(): Subnet[] {
  const texts = [...Array.from({ length: 14 }, (_, i) => `172.${18 + i}.0.0/16`), ...Array.from({ length: 16 }, (_, i) => `192.168.${i * 16}.0/20`)];
  return texts.map(parseSubnet) as Subnet[];
}

/** The first pool that overlaps nothing of `taken`. */
export function pickSubnet(taken: readonly Subnet[]): Subnet | undefined {
  return listPools().find((each) => !taken.some((other) => overlaps(each, other)));
}

/** Docker's hardware address for an address: 02:42 and its four bytes. */
export function makeMac(address: number): string {
  return ['02', '42', ...[24, 16, 8, 0].map((shift) => (Math.floor(address / 2 ** shift) % 256).toString(16).padStart(2, '0'))].join(':');
}

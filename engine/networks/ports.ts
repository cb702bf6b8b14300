/**
 * Published ports as they are typed: `[[ip:]host:]guest[/protocol]`, with ranges. Owns: the grammar (that of docker/go-connections' nat package: IPv6 addresses in
 * brackets, a range of host ports for one guest port is a choice) and its texts. Nothing here asks the host anything.
 */
import { isIP } from 'node:net';
import { EngineError } from '../errors.ts';

export type Protocol = 'tcp' | 'udp';

export interface PublishedPort {
  readonly protocol: Protocol;
  /** Empty: all addresses of the host. */
  readonly address: string;
  /** First and last host port that will do; 0 to 0: any free one. */
  readonly host: readonly [number, number];
  readonly guest: number;
}

function refuse(message: string): never {
  throw new EngineError('option-invalid', message);
}

function parseRange(text: string, what: string): [number, number] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first > 65535 || last > 65535 || last < first) refuse(`invalid ${what}: ${text}`);
  return [first, last];
}

/** "[::1]:8080:80" -> address, host, guest. */
function splitParts(text: string): { address: string; host: string; guest: string } {
  const bracketed = /^\[([^\]]*)\]:(.*)$/.exec(text);
  const parts = (bracketed?.[2] ?? text).split(':');
  const guest = parts.pop() as string;
  const host = parts.pop() ?? '';
  const address = bracketed?.[1] ?? parts.join(':');
  if (bracketed !== null && parts.length > 0) refuse(`invalid IP address: ${text}`);
  if (address !== '' && isIP(address) === 0) refuse(`invalid IP address: ${address}`);
  return { address, host, guest };
}

export function parsePublish(text: string): PublishedPort[] {
  const slash = text.indexOf('/');
  const protocol = (slash < 0 ? 'tcp' : text.slice(slash + 1)).toLowerCase();
  const { address, host, guest } = splitParts(slash < 0 ? text : text.slice(0, slash));
  if (guest === '') refuse(`no port specified: ${text}<empty>`);
  if (protocol !== 'tcp' && protocol !== 'udp') refuse(protocol === 'sctp' ? `invalid proto: sctp, expected tcp or udp: hull has no SCTP` : `invalid proto: ${protocol}`);
  const [first, last] = parseRange(guest, 'containerPort');
  if (first === 0) refuse(`invalid containerPort: ${guest}`);
  const hosts = host === '' ? ([0, 0] as const) : parseRange(host, 'hostPort');
  const count = last - first + 1;
  const isChoice = count === 1 && hosts[1] !== hosts[0];
  if (!isChoice && hosts[1] !== 0 && hosts[1] - hosts[0] + 1 !== count) refuse(`invalid ranges specified for container and host Ports: ${guest} and ${host}`);
  return Array.from({ length: count }, (_, i) => ({
    protocol,
    address,
    host: isChoice || hosts[1] === 0 ? hosts : [hosts[0] + i, hosts[0] + i],
    guest: first + i,
  }));
}

/** As in messages and in `docker port`: brackets around IPv6. */
export function formatEndpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

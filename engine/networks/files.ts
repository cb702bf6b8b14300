/**
 * /etc/hostname, /etc/hosts and /etc/resolv.conf of a machine, as Docker makes them. Owns: their texts, and the reading of the host's resolv.conf(5) for its search list.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { GuestFile } from '../../boot/index.ts';
import { EngineError } from '../errors.ts';

export interface NameOptions {
  /** Name servers; the network's own when empty. */
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  /** NAME:ADDRESS or NAME=ADDRESS. */
  readonly addHosts: readonly string[];
}

const HOSTS = ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback', 'fe00::\tip6-localnet', 'ff00::\tip6-mcastprefix', 'ff02::1\tip6-allnodes', 'ff02::2\tip6-allrouters'];

/** `host-gateway` is the host as the machine sees it. */
export function parseAddHost(text: string, gateway: string | undefined): [name: string, address: string] {
  const at = text.search(/[:=]/);
  const name = text.slice(0, Math.max(at, 0));
  const address = text.slice(at + 1).replace(/^\[(.*)\]$/, '$1');
  if (at <= 0 || /\s/.test(name)) throw new EngineError('option-invalid', `invalid argument "${text}" for "--add-host" flag: bad format for add-host: "${text}"`);
  if (address === 'host-gateway') {
    if (gateway === undefined) throw new EngineError('option-invalid', `Cannot add the host "${text}": this network has no gateway, expected an address`);
    return [name, gateway];
  }
  if (isIP(address) === 0) throw new EngineError('option-invalid', `invalid argument "${text}" for "--add-host" flag: invalid IP address in add-host: "${address}"`);
  return [name, address];
}

export function checkNameOptions(options: NameOptions): void {
  for (const each of options.dns) {
    if (isIP(each) === 0) throw new EngineError('option-invalid', `invalid argument "${each}" for "--dns" flag: ${each} is not an ip address`);
  }
  for (const each of [...options.dnsSearch, ...options.dnsOptions]) {
    if (each === '' || /\s/.test(each)) throw new EngineError('option-invalid', `invalid argument "${each}" for "--dns-search" or "--dns-option" flag: ${each} is not a valid domain or option`);
  }
  for (const each of options.addHosts) parseAddHost(each, '0.0.0.0');
}

interface Resolver {
  readonly servers: string[];
  readonly search: string[];
  readonly options: string[];
}

export function parseResolver(text: string): Resolver {
  const lines = text.split('\n').map((line) => line.replace(/[#;].*/, '').trim().split(/\s+/));
  const last = (name: string) => lines.findLast(([keyword]) => keyword === name)?.slice(1);
  return {
    servers: lines.filter(([keyword, value]) => keyword === 'nameserver' && value !== undefined).map(([, value]) => value as string),
    search: last('search') ?? last('domain') ?? [],
    options: lines.filter(([keyword]) => keyword === 'options').flatMap(([, ...rest]) => rest),
  };
}

/** The host's own resolv.conf(5). */
export function readHostResolver(): Resolver {
  try {
    return parseResolver(readFileSync('/etc/resolv.conf', 'utf8'));
  } catch {
    return parseResolver('');
  }
}

export interface NetworkNames {
  /** Where the network answers names; without any, the host's own servers are named. */
  readonly servers: readonly string[];
  readonly gateway: string | undefined;
  /** The machine's own addresses. */
  readonly addresses: readonly string[];
}

export function makeGuestFiles(hostname: string, options: NameOptions, network: NetworkNames): GuestFile[] {
  const own = readHostResolver();
  const servers = options.dns.length > 0 ? options.dns : network.servers.length > 0 ? network.servers : own.servers;
  // Docker's "." clears the list.
  const search = options.dnsSearch.length > 0 ? options.dnsSearch.filter((name) => name !== '.') : own.search.filter((name) => name !== '.');
  const resolverOptions = options.dnsOptions.length > 0 ? options.dnsOptions : own.options;
  const resolver = [
    ...servers.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(resolverOptions.length > 0 ? [`options ${resolverOptions.join(' ')}`] : []),
  ];
  const added = options.addHosts.map((each) => parseAddHost(each, network.gateway)).map(([name, address]) => `${address}\t${name}`);
  const addresses = network.addresses.length > 0 ? network.addresses : ['127.0.1.1'];
  const short = hostname.split('.', 1)[0] as string;
  const names = short === hostname ? hostname : `${hostname} ${short}`;
  return [
    { path: '/etc/hostname', content: `${hostname}\n` },
    { path: '/etc/hosts', content: [...HOSTS, ...added, ...addresses.map((address) => `${address}\t${names}`), ''].join('\n') },
    { path: '/etc/resolv.conf', content: [...resolver, ''].join('\n') },
  ];
}

/**
 * Ports of this host, made sure of before a machine starts. Owns: listeners that hold them until QEMU takes them over, and the choice where any port of several will
 * do. Rule: all or none; a port that cannot be had is one error that names who has it.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { describeSystemError, EngineError } from '../errors.ts';
import { findHolder } from './holders.ts';
import { formatEndpoint, type Protocol, type PublishedPort } from './ports.ts';

export interface HeldPort {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  readonly guest: number;
  /** Any port would have done. */
  readonly isChosen: boolean;
  release(): Promise<void>;
}

interface Held {
  readonly port: number;
  release(): Promise<void>;
}

export function holdTcp(address: string, port: number): Promise<Held> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host: address, exclusive: true, ipv6Only: address.includes(':') }, () => {
      const bound = server.address();
      resolve({
        port: typeof bound === 'object' && bound !== null ? bound.port : port,
        release: () => new Promise((done) => server.close(() => done())),
      });
    });
  });
}

export function holdUdp(address: string, port: number): Promise<Held> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', ipv6Only: address.includes(':') });
    socket.once('error', reject);
    socket.bind({ port, address, exclusive: true }, () => resolve({ port: socket.address().port, release: () => new Promise((done) => socket.close(() => done())) }));
  });
}

function explain(wanted: PublishedPort, address: string, port: number, error: unknown): EngineError {
  const { code } = error as NodeJS.ErrnoException;
  const place = formatEndpoint(address, port);
  const options = { cause: error };
  if (code === 'EADDRINUSE') {
    const holder = findHolder(wanted.protocol, port);
    return new EngineError('port-in-use', `Bind for ${place} failed: port is already allocated${holder === undefined ? '' : `, held by ${holder}`}`, options);
  }
  const [what, expected] =
    code === 'EACCES'
      ? ['ports below 1024 are for root here', 'a higher port, or net.ipv4.ip_unprivileged_port_start set lower']
      : code === 'EADDRNOTAVAIL'
        ? ['this host does not have that address', 'one of its own']
        : [describeSystemError(error), 'a free port'];
  return new EngineError('port-refused', `Cannot publish "${place}": ${what}, expected ${expected}`, options);
}

async function holdOne(wanted: PublishedPort, taken: ReadonlySet<string>): Promise<HeldPort> {
  const address = wanted.address === '' ? '0.0.0.0' : wanted.address;
  const hold = wanted.protocol === 'tcp' ? holdTcp : holdUdp;
  const [first, last] = wanted.host;
  for (let port = first; ; port++) {
    try {
      if (port !== 0 && taken.has(`${wanted.protocol} ${address} ${port}`)) throw Object.assign(new Error('published twice'), { code: 'EADDRINUSE' });
      const held = await hold(address, port);
      return { protocol: wanted.protocol, address, guest: wanted.guest, isChosen: first !== last || first === 0, ...held };
    } catch (error) {
      if (port === last) throw explain(wanted, address, port, error);
    }
  }
}

/** Holds them all until each is released. */
export async function reservePorts(wanted: readonly PublishedPort[]): Promise<HeldPort[]> {
  const held: HeldPort[] = [];
  const taken = new Set<string>();
  try {
    for (const each of wanted) {
      const port = await holdOne(each, taken);
      held.push(port);
      taken.add(`${port.protocol} ${port.address} ${port.port}`);
    }
    return held;
  } catch (error) {
    await Promise.all(held.map((port) => port.release()));
    throw error;
  }
}

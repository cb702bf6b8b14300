/**
 * Ports of this host for tests that have to name one. Owns: the choice, from below the range that Linux gives to connections (ip_local_port_range in ip(7)): between the choice and the use no connection of another
 * test, and no server that takes any port, is given the same. Rule: where a test's own server can listen on port 0, it does that instead.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** Many: files that are tested at the same time hardly choose the same. */
const CHOICES = 12_000;
const TRIES = 100;

async function listen(address: string, port: number): Promise<boolean> {
  const server = createServer().listen({ port, host: address, exclusive: true });
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  await new Promise((done) => server.close(done));
  return true;
}

async function bind(port: number): Promise<boolean> {
  const socket = createSocket('udp4').bind({ port, address: '0.0.0.0', exclusive: true });
  try {
    await once(socket, 'listening');
  } catch {
    return false;
  }
  await new Promise<void>((done) => void socket.close(() => done()));
  return true;
}

/** Whether this host has IPv6's loopback address; else what a test would do there is skipped. */
export const hasIpv6 = await listen('::1', 0);

function readFirstGiven(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').split(/\s/)[0]);
  } catch {
    return 32_768;
  }
}

/** A number that TCP and UDP have free, on each address. */
export async function findPort(): Promise<number> {
  const first = readFirstGiven();
  const least = Math.max(1024, first - CHOICES);
  for (let i = 0; i < TRIES; i++) {
    const port = least + Math.floor(Math.random() * Math.max(first - least, 1000));
    if ((await listen('0.0.0.0', port)) && (!hasIpv6 || (await listen('::', port))) && (await bind(port))) return port;
  }
  throw new Error(`Cannot find a free port from ${least} on, expected one among ${TRIES}`);
}

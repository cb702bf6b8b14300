/**
 * Published addresses that QEMU's user network cannot listen on itself (IPv6), and all of a bridge's: hull listens and passes on. Owns: the listeners and each
 * connection's pair of sockets. Rules: ends of streams are passed on one by one, resets as resets; a UDP peer is forgotten when it was silent for a while; all ends with close().
 */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';
import type { Protocol } from './ports.ts';

export interface Relay {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  readonly target: { readonly address: string; readonly port: number };
}

/** As dockerd's userland proxy. */
const UDP_SILENCE_MS = 90_000;

function join(from: Socket, to: Socket): void {
  from.pipe(to); // also its end
  from.on('error', () => to.resetAndDestroy());
  from.on('close', () => to.destroySoon());
}

function relayTcp(relay: Relay): Promise<() => void> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const guest = connect({ host: relay.target.address, port: relay.target.port, allowHalfOpen: true, noDelay: true });
    for (const socket of [client, guest]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
    }
    join(client, guest);
    join(guest, client);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: relay.port, host: relay.address, exclusive: true, ipv6Only: relay.address.includes(':') }, () => {
      resolve(() => {
        server.close();
        for (const socket of open) socket.destroy();
      });
    });
  });
}

function relayUdp(relay: Relay): Promise<() => void> {
  const { address, port } = relay.target;
  const server = createSocket({ type: relay.address.includes(':') ? 'udp6' : 'udp4', ipv6Only: relay.address.includes(':') });
  const peers = new Map<string, { socket: DatagramSocket; timer: NodeJS.Timeout }>();
  const forget = (key: string) => {
    const peer = peers.get(key);
    if (peer === undefined) return;
    peers.delete(key);
    clearTimeout(peer.timer);
    peer.socket.close();
  };
  server.on('message', (bytes, from) => {
    const key = `${from.address} ${from.port}`;
    let peer = peers.get(key);
    if (peer === undefined) {
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
      peer = { socket, timer: setTimeout(() => forget(key), UDP_SILENCE_MS) };
      peers.set(key, peer);
      socket.on('message', (answer) => server.send(answer, from.port, from.address));
      socket.on('error', () => forget(key));
    }
    peer.timer.refresh();
    peer.socket.send(bytes, port, address);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.bind({ port: relay.port, address: relay.address, exclusive: true }, () => {
      resolve(() => {
        server.close();
        for (const key of [...peers.keys()]) forget(key);
      });
    });
  });
}

/** Listens; the result ends it. */
export function startRelay(relay: Relay): Promise<() => void> {
  return relay.protocol === 'tcp' ? relayTcp(relay) : relayUdp(relay);
}

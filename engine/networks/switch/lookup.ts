/** Questions that the switch passes on to the host's own name servers, over UDP. Owns: the servers' list (resolv.conf(5)), the waiting. */
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

const WAIT_MS = 2500;

/** The first answer with the question's id; each server is asked in turn. */
export async function askServers(servers: readonly string[], query: Buffer): Promise<Buffer | undefined> {
  for (const server of servers) {
    const answer = await askServer(server, query);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

function askServer(server: string, query: Buffer): Promise<Buffer | undefined> {
  return new Promise((done) => {
    const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
    let isDone = false;
    const finish = (answer?: Buffer) => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      socket.close();
      done(answer);
    };
    const timer = setTimeout(finish, WAIT_MS);
    socket.on('error', () => finish());
    socket.once('connect', () => socket.send(query)); // a callback of connect's would be called without a way to the server, too
    socket.on('message', (answer: Buffer) => {
      if (answer.length >= 12 && answer.readUInt16BE(0) === query.readUInt16BE(0)) finish(answer);
    });
    socket.connect(53, server);
  });
}

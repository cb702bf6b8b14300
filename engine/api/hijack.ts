/**
 * Connections that become streams (Docker Engine API, "Hijacking"). Owns: taking a connection over, in either form: with `Upgrade: tcp` (answer 101, then raw bytes both ways) and without (answer 200
 * and the same; where the request's body has no end yet, that is the input). Rules: a client may end its half and still gets everything; its JSON body, which some clients send along with the upgrade, is not
 * input; who does not read is waited for and holds up nobody else.
 */
import type { Duplex, Readable } from 'node:stream';
import type { Exchange } from './route.ts';
import { writeSlowly } from './messages.ts';

export interface HijackedStream {
  write(bytes: Uint8Array): Promise<void>;
  /** What the client sends; ends with its half. */
  readonly input: AsyncIterable<Buffer>;
  /** Aborted when nobody takes what is written. */
  readonly gone: AbortSignal;
  end(): void;
}

/** Takes a body of `size` bytes off a connection that was upgraded: the parser has left it there. */
export async function takeBody(socket: Duplex, head: Buffer, size: number, most: number): Promise<{ body: Buffer; rest: Buffer }> {
  let bytes = head;
  if (size > most) throw new RangeError(`a body of ${size} bytes`);
  while (bytes.length < size) {
    const chunk = await readOnce(socket);
    if (chunk === undefined) break;
    bytes = Buffer.concat([bytes, chunk]);
  }
  return { body: bytes.subarray(0, size), rest: bytes.subarray(size) };
}

function readOnce(socket: Duplex): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const settle = (chunk?: Buffer) => {
      socket.off('data', settle);
      socket.off('end', onEnd);
      socket.off('close', onEnd);
      socket.pause();
      resolve(chunk);
    };
    const onEnd = () => settle();
    socket.on('data', settle);
    socket.on('end', onEnd);
    socket.on('close', onEnd);
  });
}

export function hijack(exchange: Exchange, contentType: string): HijackedStream {
  const { upgrade, request } = exchange;
  if (upgrade !== undefined) {
    const head = `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`;
    return carryStream(upgrade.socket, head, upgrade.rest);
  }
  if (request.headers['transfer-encoding'] !== undefined) return answerOrdinarily(exchange, contentType);
  return carryStream(leaveParser(request.socket), `HTTP/1.1 200 OK\r\nContent-Type: ${contentType}\r\n\r\n`, Buffer.alloc(0));
}

/** What comes from now on is no HTTP: node's parser gives a connection back when its listeners go. */
function leaveParser(socket: Duplex): Duplex {
  const ignore = () => {};
  socket.on('data', ignore);
  for (const event of ['data', 'end'] as const) socket.removeAllListeners(event);
  socket.pause();
  return socket;
}

function carryStream(socket: Duplex, head: string, rest: Buffer): HijackedStream {
  const controller = new AbortController();
  const leave = () => controller.abort();
  socket.on('close', leave);
  socket.on('error', leave);
  socket.write(head);
  if (rest.length > 0) socket.unshift(rest);
  return {
    write: (bytes) => writeSlowly(socket, bytes, controller.signal),
    input: (socket as Readable).iterator({ destroyOnReturn: false }),
    gone: controller.signal,
    // Whoever still sends is not listened to: its end is not waited for.
    end: () => void socket.end(() => socket.destroy()),
  };
}

function answerOrdinarily({ request, response, gone }: Exchange, contentType: string): HijackedStream {
  response.useChunkedEncodingByDefault = false;
  response.writeHead(200, { 'Content-Type': contentType, Connection: 'close' });
  response.flushHeaders();
  return { write: (bytes) => writeSlowly(response, bytes, gone), input: request, gone, end: () => void response.end() };
}

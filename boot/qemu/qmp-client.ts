/**
 * QMP over the socket of a detached machine. Owns: reaching a socket whose path is longer than sun_path (108 bytes, unix(7)), and one short conversation: QEMU
 * serves one client at a time, so a client that stays keeps the others waiting.
 */
import { closeSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { openQmp, type Qmp } from './qmp.ts';

/** The socket's name in the machine's folder. */
export const QMP_SOCKET = 'qmp';
const MOST_PATH = 100;
/** For a place in the socket's queue, which has room for one or two: another client's conversation is over in milliseconds. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 10;

/** Connects to the socket `name` in `folder`, however long the folder's path is; waits while its queue is full. */
export async function connectIn(folder: string, name: string): Promise<Socket> {
  for (const before = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, LOOK_MS))) {
    try {
      return await connectOnce(folder, name);
    } catch (error) {
      // connect(2) on a UNIX socket that does not block
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || Date.now() - before >= PATIENCE_MS) throw error;
    }
  }
}

function connectOnce(folder: string, name: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const path = join(folder, name);
    const isLong = Buffer.byteLength(path) > MOST_PATH && process.platform === 'linux';
    let fd = isLong ? openSync(folder, 'r') : undefined;
    const socket = connect({ path: fd === undefined ? path : `/proc/self/fd/${fd}/${name}`, allowHalfOpen: true });
    const settle = () => {
      if (fd !== undefined) closeSync(fd);
      fd = undefined; // an error may come after the connection: the number is another's then
    };
    socket.once('connect', () => {
      settle();
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
    socket.once('error', settle);
  });
}

export interface QmpClient extends Qmp {
  close(): void;
}

export async function connectQmp(folder: string): Promise<QmpClient> {
  const socket = await connectIn(folder, QMP_SOCKET);
  return { ...openQmp(socket), close: () => socket.destroy() };
}

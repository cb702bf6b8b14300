/**
 * Writes to the machine's end of the channel. Owns: what the socket did not take yet. Rule: a failed write never touches reading.
 *
 * A machine that ends while input is on its way to it fails our write (EPIPE), and what it had said before still lies in the socket. Node's streams stop
 * reading at their first write error, and the unread output and the exit status would be lost. So bytes go to the descriptor itself:
 * the socket is non-blocking, and the guest grants credit for its input, so a full socket is rare and a short wait serves.
 */
import { writeSync } from 'node:fs';
import type { Duplex } from 'node:stream';

const RETRY_MS = 1;

export interface ChannelWriter {
  /** False when bytes are waiting; onDrain tells when they are gone. */
  write(bytes: Buffer): boolean;
  onDrain(callback: () => void): void;
}

/** The descriptor of a socket that a child process came with; -1 when it is closed. */
function readDescriptor(socket: Duplex): number {
  if (socket.destroyed) return -1;
  return (socket as unknown as { _handle: { fd?: number } | null })._handle?.fd ?? -1;
}

export function createChannelWriter(socket: Duplex): ChannelWriter {
  let waiting: Buffer[] = [];
  const drained: (() => void)[] = [];
  let isBroken = false;

  const settle = () => {
    for (const callback of drained.splice(0)) callback();
  };
  /** Writes what the socket takes now; true when nothing waits any more. */
  const push = (): boolean => {
    while (waiting.length > 0 && !isBroken) {
      const [first] = waiting as [Buffer];
      const fd = readDescriptor(socket);
      if (fd < 0) break;
      try {
        const count = writeSync(fd, first);
        if (count < first.length) waiting[0] = first.subarray(count);
        else waiting.shift();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
        isBroken = true; // the machine is gone: its end is reported by its exit
      }
    }
    waiting = [];
    return true;
  };
  const retry = () => {
    if (push()) settle();
    else setTimeout(retry, RETRY_MS);
  };

  return {
    write(bytes) {
      waiting.push(bytes);
      if (waiting.length > 1) return false; // a retry is under way
      if (push()) return true;
      setTimeout(retry, RETRY_MS);
      return false;
    },
    onDrain(callback) {
      if (waiting.length === 0) callback();
      else drained.push(callback);
    },
  };
}

/**
 * Writes a machine's output to file descriptors of this process. Owns: one queue for all of them, so that what the guest wrote in an
 * order appears in that order also where stdout and stderr are one terminal. Rules: writes go through the thread pool, so a
 * reader that is slow or stopped never stops signal handling; the queue is bounded by the caller's pausing (isFull, onDrain).
 */
import { write } from 'node:fs';

export interface OutputQueue {
  /** Takes a copy of nothing: `bytes` must not be changed after. False when the caller should pause. */
  write(fd: number, bytes: Buffer): boolean;
  /** Called once when a full queue has become short again. */
  onDrain(callback: () => void): void;
  /** Resolves when everything is written. */
  flush(): Promise<void>;
}

const HIGH_WATER = 256 * 1024;
const LOW_WATER = 64 * 1024;
const RETRY_MS = 5;
/** Pieces below this are joined before they are written. */
const JOIN_MAX = 64 * 1024;

interface Piece {
  readonly fd: number;
  bytes: Buffer;
}

export function createOutputQueue(onError: (fd: number, error: NodeJS.ErrnoException) => void): OutputQueue {
  let queue: Piece[] = [];
  let pending = 0;
  let isBusy = false;
  let drain: (() => void) | undefined;
  const flushed: (() => void)[] = [];
  const broken = new Set<number>();

  /** Takes the first piece, with those after it for the same descriptor while they are small. */
  const takePiece = (): Piece => {
    const first = queue[0] as Piece;
    let count = 1;
    let size = first.bytes.length;
    for (let next = queue[count]; next !== undefined && next.fd === first.fd && size + next.bytes.length <= JOIN_MAX; next = queue[count]) {
      size += next.bytes.length;
      count++;
    }
    const parts = queue.slice(0, count);
    queue = queue.slice(count);
    return count === 1 ? first : { fd: first.fd, bytes: Buffer.concat(parts.map((part) => part.bytes), size) };
  };

  const settle = (count: number) => {
    pending -= count;
    if (drain !== undefined && pending <= LOW_WATER) {
      const callback = drain;
      drain = undefined;
      callback();
    }
  };

  const pump = () => {
    if (queue.length === 0) {
      isBusy = false;
      for (const resolve of flushed.splice(0)) resolve();
      return;
    }
    isBusy = true;
    writePiece(takePiece());
  };

  const writePiece = (piece: Piece) => {
    if (broken.has(piece.fd)) {
      settle(piece.bytes.length);
      pump();
      return;
    }
    write(piece.fd, piece.bytes, 0, piece.bytes.length, null, (error, count) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => writePiece(piece), RETRY_MS); // someone made the terminal non-blocking
        return;
      }
      if (error !== null && error !== undefined) {
        broken.add(piece.fd);
        onError(piece.fd, error);
        settle(piece.bytes.length);
        pump();
        return;
      }
      settle(count);
      if (count < piece.bytes.length) {
        piece.bytes = piece.bytes.subarray(count);
        writePiece(piece);
      } else pump();
    });
  };

  return {
    write(fd, bytes) {
      pending += bytes.length;
      queue.push({ fd, bytes });
      if (!isBusy) pump();
      return pending < HIGH_WATER;
    },
    onDrain(callback) {
      if (pending <= LOW_WATER) callback();
      else drain = callback;
    },
    flush: () =>
      new Promise((resolve) => {
        if (!isBusy && queue.length === 0) resolve();
        else flushed.push(resolve);
      }),
  };
}

/**
 * Feeds this process' stdin to a machine. Owns: the credit account. Rules: never sends more than the guest has granted; reads nothing
 * before the first credit, so a program that does not read leaves its caller's stdin alone; regular files are read exactly as
 * far as credit goes. A terminal or pipe is read through node's stream (a blocked thread-pool read would keep the process from exiting).
 */
import { fstatSync, read } from 'node:fs';
import { isatty } from 'node:tty';
import type { Machine } from '../qemu/index.ts';

export interface InputPump {
  credit(bytes: number): void;
  stop(): void;
}

type Sink = Pick<Machine, 'input' | 'inputEnd' | 'onDrain'>;

const PIECE = 64 * 1024;

export function createInputPump(machine: Sink, fd = 0): InputPump {
  let left = 0;
  let isStarted = false;
  let isStopped = false;
  let isEnded = false;
  let wake: (() => void) | undefined;
  let pauseStream: (() => void) | undefined;

  const end = () => {
    if (isEnded || isStopped) return;
    isEnded = true;
    machine.inputEnd();
  };

  /** Files: one positioned-by-the-kernel read at a time, as long as there is credit. */
  const startFile = () => {
    let isReading = false;
    const next = () => {
      if (isReading || isStopped || isEnded || left === 0) return;
      isReading = true;
      const bytes = Buffer.allocUnsafe(Math.min(left, PIECE));
      read(fd, bytes, 0, bytes.length, null, (error, count) => {
        isReading = false;
        if (isStopped) return;
        if (error !== null || count === 0) return end();
        left -= count;
        if (machine.input(bytes.subarray(0, count))) next();
        else machine.onDrain(next);
      });
    };
    wake = next;
    next();
  };

  const startStream = () => {
    const stream = process.stdin;
    let isBlocked = false;
    const next = () => {
      while (!isStopped && !isEnded && !isBlocked && left > 0) {
        const available = stream.readableLength;
        const bytes = stream.read(Math.min(left, available, PIECE)) as Buffer | null;
        if (bytes === null) return;
        left -= bytes.length;
        if (!machine.input(bytes)) {
          isBlocked = true;
          machine.onDrain(() => {
            isBlocked = false;
            next();
          });
        }
      }
    };
    stream.on('readable', next);
    stream.on('end', end);
    stream.on('error', end);
    pauseStream = () => stream.pause();
    wake = next;
    next();
  };

  const isFile = () => {
    const stat = fstatSync(fd);
    return stat.isFile() || (stat.isCharacterDevice() && !isatty(fd));
  };

  return {
    credit(bytes) {
      left += bytes;
      if (isStopped) return;
      if (isStarted) return wake?.();
      isStarted = true;
      try {
        if (isFile()) startFile();
        else startStream();
      } catch {
        end(); // stdin is closed
      }
    },
    stop() {
      isStopped = true;
      pauseStream?.();
    },
  };
}

/**
 * The streams of a running instance. Owns: what follows an instance from before its start to its end, and the way of stdin: by the guest's credit, over a port of its console that has one
 * client at a time. Rules: output is read from the instance's file, so any number of clients follow it and none holds the machine up; leaving changes nothing.
 */
import type { Socket } from 'node:net';
import { connectIn, createRecordDecoder, encodeRecord, FEATURE, RECORD } from '../../boot/index.ts';
import { EngineError } from '../errors.ts';
import type { StatePaths } from '../state/index.ts';
import { isInstanceAlive } from './lifecycle.ts';
import { isRunning } from './observe.ts';
import { type OutputPiece, outputSize, readOutput } from './output.ts';
import { INPUT_PORT, refuseNotRunning, SIGNAL_PORT, takePort } from './port.ts';
import { loadInstance } from './store.ts';
import type { Instance } from './types.ts';

const POLL_MS = 20;
const PIECE = 32 * 1024;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export interface FollowOptions {
  /** Offset in the output; else what comes from now on. */
  readonly from?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Output until the run that goes on now, or the next one, has ended. */
export async function* followInstance(paths: StatePaths, instance: Instance, options: FollowOptions = {}): AsyncGenerator<OutputPiece> {
  const from = options.from ?? outputSize(instance.folder);
  const before = isRunning(instance.state) ? undefined : instance.state.startedAt;
  let current: Instance | undefined = instance;
  const hasBegun = () => {
    current = loadInstance(paths.instances, instance.id);
    return current === undefined || before === undefined || current.state.startedAt !== before;
  };
  while (!hasBegun()) {
    if (options.signal?.aborted === true) return;
    await sleep(POLL_MS);
  }
  if (current === undefined) return;
  const { state } = current;
  yield* readOutput({ folder: instance.folder, from, breaks: state.logBreaks, kernel: state.kernel, follow: { isAlive: () => isInstanceAlive({ state }), signal: options.signal } });
}

/** stdin of the first process. */
export interface InstanceInput {
  /** Resolves when the guest has room for all of it; rejects when the machine is gone. */
  write(bytes: Uint8Array): Promise<void>;
  /** End of file. */
  end(): void;
  /** Leaves; stdin stays open. */
  close(): void;
}

/** One client at a time: others wait until it has left. */
export async function openInput(instance: Instance): Promise<InstanceInput> {
  const { folder, state, config } = instance;
  if (!isRunning(state)) throw refuseNotRunning(instance);
  const isSerial = (state.features & FEATURE.VIRTIO_CONSOLE) === 0;
  if (!isSerial && (state.features & FEATURE.CONTROL) === 0) {
    throw new EngineError('option-invalid', `Cannot attach STDIN of container ${config.name}: its image was built without the component for it, expected one made with --add control`);
  }
  const socket = isSerial ? await connectIn(folder, SIGNAL_PORT) : await takePort(instance, INPUT_PORT);
  const input = carryInput(socket);
  if (isSerial) input.grant(Number.MAX_SAFE_INTEGER);
  else socket.write(encodeRecord(RECORD.ATTACH));
  return input;
}

/** Sends stdin by credit; other records go to `record`. */
export function carryInput(socket: Socket, record?: (type: number, payload: Buffer) => void): InstanceInput & { grant(bytes: number): void; readonly gone: Promise<void> } {
  let credit = 0;
  let isGone = false;
  let wake: (() => void) | undefined;
  const changed = () => {
    const callback = wake;
    wake = undefined;
    callback?.();
  };
  const decoder = createRecordDecoder({
    record(type, payload) {
      if (type === RECORD.CREDIT) {
        credit += payload.readUInt32LE(0);
        changed();
      } else record?.(type, payload);
    },
    raw: () => {},
  });
  const gone = new Promise<void>((resolve) => {
    socket.on('close', () => {
      isGone = true;
      changed();
      resolve();
    });
  });
  socket.on('data', (chunk: Buffer) => decoder.push(chunk));
  socket.on('end', () => socket.destroy());
  socket.on('error', () => socket.destroy());
  let queue: Promise<void> = Promise.resolve();
  const takesMore = () =>
    new Promise<void>((resolve) => {
      const done = () => {
        socket.off('drain', done).off('close', done);
        resolve();
      };
      if (isGone) resolve();
      else socket.on('drain', done).on('close', done);
    });
  const send = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length; ) {
      if (isGone) throw new EngineError('instance-conflict', 'the machine is gone');
      if (credit === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const piece = bytes.subarray(at, at + Math.min(credit, PIECE, bytes.length - at));
      credit -= piece.length;
      at += piece.length;
      // A machine that grants more than it takes fills its socket, not this process' memory.
      if (!socket.write(encodeRecord(RECORD.STDIN, piece))) await takesMore();
    }
  };
  return {
    gone,
    grant(bytes) {
      credit += bytes;
      changed();
    },
    write(bytes) {
      const result = queue.then(() => send(bytes));
      queue = result.catch(() => {});
      return result;
    },
    end: () =>
      void queue.then(() => {
        if (!isGone) socket.write(encodeRecord(RECORD.STDIN_EOF));
      }),
    close: () => socket.destroy(),
  };
}

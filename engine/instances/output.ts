/**
 * What a machine said: the records that QEMU appended to its folder's `output`. Owns: reading them from an offset, following a machine that runs, and the end of a run.
 * Rules: one reader a file and no state elsewhere, so any number may read at once; what is not a record (a guest in trouble) is stderr; a reader holds one piece.
 */
import { closeSync, fstatSync, openSync, readSync, watch } from 'node:fs';
import { join } from 'node:path';
import { createRecordDecoder, decodeWaitStatus, DETACHED, formatDeferred, openImageMemory, RECORD, RECORD_HEADER_SIZE, RECORD_MAGIC } from '../../boot/index.ts';

export type OutputStream = 'stdout' | 'stderr';

export interface OutputPiece {
  readonly stream: OutputStream;
  readonly bytes: Buffer;
  /** ns since 1970; 0 when the guest has no clock. */
  readonly time: bigint;
}

const PIECE = 256 * 1024;
const TAIL = 4096;
const POLL_MS = 100;

export const outputPath = (folder: string) => join(folder, DETACHED.output);

export function outputSize(folder: string): number {
  try {
    const fd = openSync(outputPath(folder), 'r');
    try {
      return fstatSync(fd).size;
    } finally {
      closeSync(fd);
    }
  } catch {
    return 0;
  }
}

export interface ReadRequest {
  readonly folder: string;
  /** Offset of the first record. */
  readonly from: number;
  /** Offset to stop at; else the end as it is. */
  readonly to?: number | undefined;
  /** Offsets at which decoding begins anew. */
  readonly breaks: readonly number[];
  /** The image that the machine runs, for texts that the host makes. */
  readonly kernel: string;
  /** Go on while the machine runs. */
  readonly follow?: { isAlive(): boolean; readonly signal?: AbortSignal | undefined } | undefined;
}

export async function* readOutput(request: ReadRequest): AsyncGenerator<OutputPiece> {
  let pieces: OutputPiece[] = [];
  const put = (stream: OutputStream, bytes: Buffer, time: bigint) => void pieces.push({ stream, bytes: Buffer.from(bytes), time });
  const putLine = (line: string, time: bigint) => put('stderr', Buffer.from(`hull: ${line.trimEnd()}\n`), time);
  const makeDecoder = () =>
    createRecordDecoder({
      record(type, payload, time) {
        if (type === RECORD.STDOUT) return put('stdout', payload, time);
        if (type === RECORD.STDERR) return put('stderr', payload, time);
        if (type === RECORD.LOG || type === RECORD.PANIC) return putLine(payload.toString('utf8'), time);
        for (const line of formatDeferred(type, payload, openImageMemory(request.kernel))?.lines ?? []) putLine(line, time);
      },
      raw: (bytes) => put('stderr', bytes, 0n),
    });
  let decoder = makeDecoder();
  let fd: number;
  try {
    fd = openSync(outputPath(request.folder), 'r');
  } catch {
    return; // never started
  }
  const buffer = Buffer.alloc(PIECE);
  let at = request.from;
  const breaks = request.breaks.filter((each) => each > at);
  const waiter = request.follow === undefined ? undefined : createWaiter(request.folder, request.follow.signal);
  try {
    for (;;) {
      const isAlive = request.follow?.isAlive() === true; // before the last read, so that nothing of its end is missed
      const end = Math.min(request.to ?? Number.POSITIVE_INFINITY, breaks[0] ?? Number.POSITIVE_INFINITY);
      const count = readSync(fd, buffer, 0, Math.min(PIECE, end - at), at);
      at += count;
      decoder.push(buffer.subarray(0, count));
      if (at === breaks[0]) {
        breaks.shift();
        decoder.end();
        decoder = makeDecoder();
      }
      yield* pieces;
      pieces = [];
      if (at >= (request.to ?? Number.POSITIVE_INFINITY) || request.follow?.signal?.aborted === true) return;
      if (count > 0) continue;
      if (!isAlive) break;
      await waiter?.wait();
    }
    decoder.end();
    yield* pieces;
  } finally {
    waiter?.close();
    closeSync(fd);
  }
}

interface Waiter {
  wait(): Promise<void>;
  close(): void;
}

/** Wakes when the output grows, and from time to time, since a machine's death writes nothing. */
function createWaiter(folder: string, signal: AbortSignal | undefined): Waiter {
  let wake: (() => void) | undefined;
  let hasChanged = false;
  const change = () => {
    hasChanged = true;
    wake?.();
  };
  const watcher = (() => {
    try {
      return watch(outputPath(folder), { persistent: false }, change);
    } catch {
      return undefined; // too many watches on this host: looking from time to time serves
    }
  })();
  watcher?.on('error', () => {});
  signal?.addEventListener('abort', change);
  return {
    wait: () =>
      new Promise((resolve) => {
        const timer = setTimeout(done, POLL_MS);
        function done() {
          clearTimeout(timer);
          wake = undefined;
          hasChanged = false;
          resolve();
        }
        wake = done;
        if (hasChanged) done();
      }),
    close() {
      watcher?.close();
      signal?.removeEventListener('abort', change);
    },
  };
}

export interface RunEnd {
  /** As wait(2) has it decoded; undefined: the machine ended without one. */
  readonly status: { code: number } | { signal: number } | undefined;
  readonly hasPanicked: boolean;
  /** ms since 1970, when the guest has a clock. */
  readonly time: number | undefined;
  /** The output ends with a whole record. */
  readonly isClean: boolean;
}

/** The end of a run whose records begin at `from`: its exit status is the last record. */
export function readRunEnd(folder: string, from: number): RunEnd {
  const none: RunEnd = { status: undefined, hasPanicked: false, time: undefined, isClean: true };
  let fd: number;
  try {
    fd = openSync(outputPath(folder), 'r');
  } catch {
    return none;
  }
  try {
    const { size } = fstatSync(fd);
    if (size <= from) return none;
    const bytes = Buffer.alloc(Math.min(TAIL, size - from));
    readSync(fd, bytes, 0, bytes.length, size - bytes.length);
    for (let at = bytes.length - RECORD_HEADER_SIZE; at >= 0; at--) {
      if (bytes[at] !== RECORD_MAGIC || bytes.readUInt32LE(at + 4) !== 0) continue;
      const length = bytes.readUInt16LE(at + 2);
      if (at + RECORD_HEADER_SIZE + length !== bytes.length) continue;
      const type = bytes[at + 1] as number;
      const time = Number(bytes.readBigUInt64LE(at + 8) / 1_000_000n) || undefined;
      if (type === RECORD.EXIT && length === 4) return { status: decodeWaitStatus(bytes.readUInt32LE(at + RECORD_HEADER_SIZE)), hasPanicked: false, time, isClean: true };
      const isPanic = type === RECORD.PANIC || type === RECORD.PANIC_DEFERRED || type === RECORD.FAULT;
      return { status: undefined, hasPanicked: isPanic, time, isClean: true };
    }
    return { ...none, isClean: false };
  } finally {
    closeSync(fd);
  }
}

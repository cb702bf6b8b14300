/**
 * System calls on files in a running machine (libos/host-calls): one record a call, one back. Owns: the conversation, and that one host at a time has it. Rules: calls are answered in their order, so many may be
 * under way; a machine that does not answer is an error, never a wait without end.
 */
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { CALL, createRecordDecoder, encodeRecord, FEATURE, RECORD, RECORD_MAX } from '../../boot/index.ts';
import { EngineError } from '../errors.ts';
import { withLock } from '../state/index.ts';
import { takeAnyPort } from './port.ts';
import type { Instance } from './types.ts';

const HEAD = 64;
const OUT_MOST = 4064;
/** Of data that goes in with one call. */
export const IN_MOST = 32 * 1024;
const ANSWER_MS = 60_000;
/** For its turn. */
const PATIENCE_MS = 600_000;
/** Calls that are not answered yet; the guest keeps up to 64. */
const AHEAD = 32;
const CURRENT_FOLDER = -100n; // AT_FDCWD

export const LAST = Symbol('the last file that was opened');
/** A number, a text that is ended by NUL, bytes, room for the answer, or the last file that was opened. */
export type Argument = number | bigint | string | Uint8Array | { readonly room: number } | typeof LAST;

const SYSCALL = 'a call in the machine';

/** What a call in the machine gave, in the form of node's own: `code` is "ENOENT". */
function makeError(number: number): NodeJS.ErrnoException {
  const code = Object.entries(constants.errno).find(([, each]) => each === number)?.[0] ?? `error ${number}`;
  return Object.assign(new Error(code), { code, errno: number, syscall: SYSCALL });
}

/** The code of an error that a call in the machine gave; undefined: it is another one. */
export function codeOfCall(error: unknown): string | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall === SYSCALL ? code : undefined;
}

export interface Guest {
  /** Rejects with an error of codeOfCall. `result`: as the call gave it; `bytes`: the room, as far as the result says. */
  call(number: number, args: readonly Argument[]): Promise<{ readonly result: number; readonly bytes: Buffer }>;
  /** The same on paths: those are absolute in the machine. */
  readonly at: bigint;
}

function encodeCall(id: number, number: number, args: readonly Argument[]): { bytes: Buffer; room: number } {
  const head = Buffer.alloc(HEAD);
  const data: Buffer[] = [];
  let size = 0;
  let room = 0;
  head.writeUInt32LE(id, 0);
  head.writeUInt16LE(number, 4);
  for (const [i, each] of args.entries()) {
    const at = 8 + 8 * i;
    const kind = 56 + i;
    if (typeof each === 'number' || typeof each === 'bigint') head.writeBigInt64LE(BigInt(each), at);
    else if (each === LAST) head.writeUInt8(CALL.IS_LAST, kind);
    else if (typeof each === 'string' || each instanceof Uint8Array) {
      const bytes = typeof each === 'string' ? Buffer.from(`${each}\0`) : Buffer.from(each);
      head.writeBigInt64LE(BigInt(size), at);
      head.writeUInt8(CALL.IS_DATA, kind);
      const padded = Buffer.alloc((bytes.length + 7) & ~7);
      bytes.copy(padded);
      data.push(padded);
      size += padded.length;
    } else if (typeof each === 'object') {
      room = each.room;
      head.writeUInt8(CALL.IS_OUT, kind);
    }
  }
  head.writeUInt16LE(room, 6);
  return { bytes: Buffer.concat([head, ...data]), room };
}

function converse(socket: Socket, name: string): Guest & { close(): void } {
  const waiting = new Map<number, { resolve(value: { result: number; bytes: Buffer }): void; reject(error: Error): void }>();
  const queue: (() => void)[] = [];
  let id = Math.floor(Math.random() * 2 ** 31);
  let failure: Error | undefined;
  let timer: NodeJS.Timeout | undefined;
  const fail = (why: string) => {
    failure ??= new EngineError('instance-conflict', `Cannot reach the files of container ${name}: ${why}, expected its machine to answer`);
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
    for (const go of queue.splice(0)) go();
    socket.destroy();
  };
  const watch = () => {
    clearTimeout(timer);
    if (waiting.size > 0) timer = setTimeout(() => fail(`it did not answer for ${ANSWER_MS / 1000} seconds`), ANSWER_MS);
  };
  const decoder = createRecordDecoder({
    record(type, payload) {
      if (type !== RECORD.RETURN || payload.length < 16) return;
      const pending = waiting.get(payload.readUInt32LE(0));
      if (pending === undefined) return; // of a host before
      waiting.delete(payload.readUInt32LE(0));
      watch();
      queue.shift()?.();
      const result = Number(payload.readBigInt64LE(8));
      if (result < 0) pending.reject(makeError(-result));
      else pending.resolve({ result, bytes: Buffer.from(payload.subarray(16)) });
    },
    raw: () => {},
  });
  socket.on('data', (chunk: Buffer) => decoder.push(chunk));
  socket.on('end', () => fail('it has ended'));
  socket.on('close', () => fail('it has ended'));
  socket.on('error', (error) => fail(error.message));
  return {
    at: CURRENT_FOLDER,
    async call(number, args) {
      while (waiting.size >= AHEAD && failure === undefined) await new Promise<void>((resolve) => queue.push(resolve));
      if (failure !== undefined) throw failure;
      id = (id + 1) % 2 ** 32;
      const { bytes, room } = encodeCall(id, number, args);
      if (bytes.length > RECORD_MAX || room > OUT_MOST) throw new RangeError(`a call with ${bytes.length} bytes`);
      return await new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        watch();
        socket.write(encodeRecord(RECORD.CALL, bytes));
      });
    },
    close() {
      clearTimeout(timer);
      failure = new Error('closed');
      socket.end();
      socket.destroy();
    },
  };
}

/** Whether the machine takes them. */
export function takesCalls({ state }: Instance): boolean {
  return (state.features & FEATURE.CALLS) !== 0;
}

/** Does `act` with the files of a machine that runs. */
export async function withGuest<T>(instance: Instance, act: (guest: Guest) => Promise<T>): Promise<T> {
  return await withLock(join(instance.folder, 'calls-lock'), `the files of container ${instance.config.name}`, PATIENCE_MS, async () => {
    const guest = converse(await takeAnyPort(instance), instance.config.name);
    try {
      return await act(guest);
    } finally {
      guest.close();
    }
  });
}

/** What it has in memory reaches its disks. A machine that cannot be asked is left as it is. */
export async function syncGuest(instance: Instance): Promise<void> {
  if (!takesCalls(instance)) return;
  await withGuest(instance, (guest) => guest.call(CALL.SYNC, []));
}

/**
 * Channel records: 16-byte header (magic, type, u16 length, u32 0, u64 time) and payload, as libos/abi/boot_abi.h has them.
 * Owns: encoding, and a decoder of the guest's byte stream. Rules: the decoder never throws and holds at most one record that is
 * not output; payloads of STDOUT and STDERR are handed on in the pieces in which they come. Whatever is not a record (firmware,
 * a guest that panics before its channel works) is handed on as raw text, and decoding goes on at the next plausible header.
 */
import { DEFERRED_ARGUMENTS, FAULT_STACK, RECORD, RECORD_HEADER_SIZE, RECORD_MAGIC, RECORD_MAX } from './constants.ts';
import { ARM_FAULT_WORDS, FAULT_WORDS } from './deferred.ts';

export interface RecordSink {
  /** A record, or for STDOUT and STDERR a piece of one. `payload` is only valid during the call unless copied. */
  record(type: number, payload: Buffer, time: bigint): void;
  /** Bytes outside of records. */
  raw(bytes: Buffer): void;
}

export interface RecordDecoder {
  push(chunk: Buffer): void;
  /** The stream ended: what is held back goes out as raw text. */
  end(): void;
}

const LAST_GUEST_TYPE = RECORD.RETURN;
const LAST_HOST_TYPE = RECORD.HELLO;

/** The least and most payload of each type; an output record may be empty. */
function isPlausibleLength(type: number, length: number): boolean {
  switch (type) {
    case RECORD.STDOUT:
    case RECORD.STDERR:
    case RECORD.LOG:
    case RECORD.PANIC:
    case RECORD.STDIN:
    case RECORD.EXEC:
    case RECORD.CALL:
    case RECORD.RETURN:
      return length <= RECORD_MAX;
    case RECORD.EXIT:
    case RECORD.CREDIT:
    case RECORD.SIGNAL:
    case RECORD.RESIZE:
    case RECORD.DONE:
    case RECORD.STARTED:
    case RECORD.HELLO:
      return length === 4;
    case RECORD.READY:
    case RECORD.CLOCK:
      return length === 8;
    case RECORD.STDIN_EOF:
    case RECORD.ATTACH:
      return length === 0;
    case RECORD.LOG_DEFERRED:
    case RECORD.PANIC_DEFERRED:
      return length === (2 + DEFERRED_ARGUMENTS) * 8;
    case RECORD.FAULT:
      return length >= FAULT_WORDS * 8 && length <= (ARM_FAULT_WORDS + FAULT_STACK) * 8 && length % 8 === 0;
    case RECORD.TRACE_ENTER:
      return length >= 56;
    case RECORD.TRACE_LEAVE:
      return length >= 16;
    default:
      return false;
  }
}

/** How much of bytes[at..] looks like a header: 'yes', 'no', or 'more' when only its first bytes are there. */
function matchHeader(bytes: Buffer, at: number): 'yes' | 'no' | 'more' {
  const left = bytes.length - at;
  if (bytes[at] !== RECORD_MAGIC) return 'no';
  if (left < 2) return 'more';
  const type = bytes[at + 1] as number;
  if (type === 0 || type > LAST_HOST_TYPE || (type > LAST_GUEST_TYPE && type < RECORD.STDIN)) return 'no';
  if (left < 4) return 'more';
  if (!isPlausibleLength(type, bytes.readUInt16LE(at + 2))) return 'no';
  for (let i = 4; i < 8; i++) {
    if (i >= left) return 'more';
    if (bytes[at + i] !== 0) return 'no';
  }
  return left < RECORD_HEADER_SIZE ? 'more' : 'yes';
}

export function createRecordDecoder(sink: RecordSink): RecordDecoder {
  let held: Buffer = Buffer.alloc(0); // the beginning of a header or of a record that is not output
  let streamType = 0; // an output record whose payload is still coming
  let streamLeft = 0;
  let streamTime = 0n;

  return {
    push(chunk) {
      let bytes = chunk;
      if (held.length > 0) {
        bytes = Buffer.concat([held, chunk]);
        held = Buffer.alloc(0);
      }
      let at = 0;
      let rawStart = 0;
      const flushRaw = (to: number) => {
        if (to > rawStart) sink.raw(bytes.subarray(rawStart, to));
      };
      while (at < bytes.length) {
        if (streamLeft > 0) {
          const size = Math.min(streamLeft, bytes.length - at);
          streamLeft -= size;
          sink.record(streamType, bytes.subarray(at, at + size), streamTime);
          at += size;
          rawStart = at;
          continue;
        }
        const match = matchHeader(bytes, at);
        if (match === 'no') {
          const next = bytes.indexOf(RECORD_MAGIC, at + 1);
          at = next < 0 ? bytes.length : next;
          continue;
        }
        flushRaw(at);
        rawStart = at;
        if (match === 'more') break;
        const type = bytes[at + 1] as number;
        const length = bytes.readUInt16LE(at + 2);
        const time = bytes.readBigUInt64LE(at + 8);
        if ((type === RECORD.STDOUT || type === RECORD.STDERR) && length > 0) {
          streamType = type;
          streamLeft = length;
          streamTime = time;
          at += RECORD_HEADER_SIZE;
          rawStart = at;
          continue;
        }
        const end = at + RECORD_HEADER_SIZE + length;
        if (end > bytes.length) break;
        sink.record(type, bytes.subarray(at + RECORD_HEADER_SIZE, end), time);
        at = end;
        rawStart = at;
      }
      if (at < bytes.length) held = Buffer.from(bytes.subarray(at));
      else flushRaw(at);
    },
    end() {
      const rest = held;
      held = Buffer.alloc(0);
      streamLeft = 0;
      if (rest.length > 0) sink.raw(rest);
    },
  };
}

/** Encodes one record; a payload above RECORD_MAX is split into several. */
export function encodeRecord(type: number, payload: Uint8Array = Buffer.alloc(0), time = 0n): Buffer {
  const count = Math.max(1, Math.ceil(payload.length / RECORD_MAX));
  const bytes = Buffer.alloc(count * RECORD_HEADER_SIZE + payload.length);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const part = payload.subarray(i * RECORD_MAX, (i + 1) * RECORD_MAX);
    bytes[at] = RECORD_MAGIC;
    bytes[at + 1] = type;
    bytes.writeUInt16LE(part.length, at + 2);
    bytes.writeBigUInt64LE(time, at + 8);
    bytes.set(part, at + RECORD_HEADER_SIZE);
    at += RECORD_HEADER_SIZE + part.length;
  }
  return bytes;
}

/** `number`: above 0xffff, and another one for each conversation. */
export function encodeHello(number: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32LE(number);
  return encodeRecord(RECORD.HELLO, payload);
}

export function encodeSignal(signal: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32LE(signal);
  return encodeRecord(RECORD.SIGNAL, payload);
}

export function encodeResize(rows: number, columns: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt16LE(Math.min(rows, 0xffff), 0);
  payload.writeUInt16LE(Math.min(columns, 0xffff), 2);
  return encodeRecord(RECORD.RESIZE, payload);
}

/** What a wait status (wait(2)) says: an exit code, or the signal that ended the process. */
export function decodeWaitStatus(status: number): { code: number } | { signal: number } {
  const signal = status & 0x7f;
  return signal === 0 ? { code: (status >>> 8) & 0xff } : { signal };
}

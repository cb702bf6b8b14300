/**
 * The output of an instance as its logs: lines with a time and a stream. Owns: what `since`, `until` and `tail` leave, and joining pieces to lines. Rules: a line belongs to the time of its
 * first byte; the last line may have no end; lines of the two streams keep the order in which they ended.
 */
import { dirname } from 'node:path';
import { isInstanceAlive } from './lifecycle.ts';
import { limitLog } from './log-limit.ts';
import { type OutputPiece, type OutputStream, outputSize, readOutput } from './output.ts';
import { loadInstance } from './store.ts';
import type { Instance } from './types.ts';

export interface LogRequest {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow?: boolean | undefined;
  /** ns since 1970. */
  readonly since?: bigint | undefined;
  readonly until?: bigint | undefined;
  /** The last lines only; all without it. */
  readonly tail?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Docker cuts longer lines into pieces. */
const MOST_LINE = 16 * 1024;

interface Open {
  parts: Buffer[];
  size: number;
  time: bigint;
}

/** Each a whole line with its newline, or what there is of the last one. */
export async function* readLogs(found: Instance, request: LogRequest): AsyncGenerator<OutputPiece> {
  const { tail, since, until } = request;
  limitLog(found);
  const instance = loadInstance(dirname(found.folder), found.id) ?? found;
  if (tail === undefined || tail < 0) {
    yield* select(readLines(instance, request, instance.state.logFloor ?? 0), since, until);
    return;
  }
  // The end as it is now, from which following goes on.
  let last: OutputPiece[] = [];
  const to = outputSize(instance.folder);
  if (tail > 0) {
    for await (const line of select(readLines(instance, { ...request, follow: false }, instance.state.logFloor ?? 0, to), since, until)) {
      last.push(line);
      if (last.length >= 2 * tail + 1024) last = last.slice(-tail);
    }
    yield* last.slice(-tail);
  }
  if (request.follow === true) yield* select(readLines(instance, request, to), since, until);
}

async function* select(lines: AsyncGenerator<OutputPiece>, since: bigint | undefined, until: bigint | undefined): AsyncGenerator<OutputPiece> {
  for await (const line of lines) {
    if (since !== undefined && line.time < since) continue;
    if (until !== undefined && line.time > until) return;
    yield line;
  }
}

async function* readLines(instance: Instance, request: LogRequest, from: number, to?: number): AsyncGenerator<OutputPiece> {
  const open = new Map<OutputStream, Open>();
  const close = (stream: OutputStream): OutputPiece => {
    const { parts, time } = open.get(stream) as Open;
    open.delete(stream);
    return { stream, bytes: Buffer.concat(parts), time };
  };
  const { state } = instance;
  const pieces = readOutput({
    folder: instance.folder,
    from,
    to,
    breaks: state.logBreaks,
    kernel: state.kernel,
    follow: request.follow !== true ? undefined : { isAlive: () => isStillRunning(instance), signal: request.signal },
  });
  for await (const { stream, bytes, time } of pieces) {
    if (stream === 'stdout' ? !request.stdout : !request.stderr) continue;
    for (let at = 0; at < bytes.length; ) {
      const newline = bytes.indexOf(10, at);
      const known = open.get(stream) ?? { parts: [], size: 0, time };
      open.set(stream, known);
      const end = Math.min(newline < 0 ? bytes.length : newline + 1, at + MOST_LINE - known.size);
      known.parts.push(bytes.subarray(at, end));
      known.size += end - at;
      at = end;
      if (bytes[end - 1] === 10 || known.size >= MOST_LINE) yield close(stream);
    }
  }
  for (const stream of [...open.keys()]) yield close(stream);
}

/** Also while it is being started. */
function isStillRunning(instance: Instance): boolean {
  if (isInstanceAlive(instance)) return true;
  const now = loadInstance(dirname(instance.folder), instance.id);
  return now !== undefined && (now.state.starter !== undefined || isInstanceAlive(now));
}

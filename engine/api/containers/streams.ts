/**
 * A container's output to its clients: attach and logs. Owns: following an instance from before its start to its end, in frames or raw. Rules: output is read from the instance's file, which is open
 * from the moment that a client attaches, so that nothing is missed of a container that is gone when it ends; slow clients wait alone.
 */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DETACHED } from '../../../boot/index.ts';
import { createDetachFilter, parseDetachKeys } from '../../detach-keys.ts';
import { findInstance, type Instance, type InstanceInput, isInstanceAlive, isRunning, loadInstance, openInput, outputSize, readLogs, readOutput } from '../../instances/index.ts';
import type { StatePaths } from '../../state/index.ts';
import { ApiError } from '../error.ts';
import { encodeFrame, MULTIPLEXED_STREAM, RAW_STREAM } from '../frames.ts';
import { type HijackedStream, hijack } from '../hijack.ts';
import { readBytes, readNumber, readSwitch, writeSlowly } from '../messages.ts';
import { formatNanoseconds, readMoment } from '../moments.ts';
import type { Exchange } from '../route.ts';

const loadNow = (paths: StatePaths, id: string) => loadInstance(paths.instances, id);

/** From now, or from an offset, until the run that goes on or the next one has ended. */
export async function* followRun(paths: StatePaths, instance: Instance, from: number, signal: AbortSignal) {
  const wasRunning = isRunning(instance.state);
  let last = instance;
  const isAlive = () => {
    const now = loadNow(paths, instance.id);
    if (now === undefined) return false;
    last = now;
    if (now.state.starter !== undefined || isInstanceAlive(now)) return true;
    return !wasRunning && now.state.startedAt === instance.state.startedAt;
  };
  // The file is there before QEMU opens it, and stays readable when the instance goes.
  closeSync(openSync(join(instance.folder, DETACHED.output), 'a', 0o600));
  yield* readOutput({
    folder: instance.folder,
    from,
    breaks: instance.state.logBreaks,
    get kernel() {
      return last.state.kernel;
    },
    follow: { isAlive, signal },
  });
}

const typeOf = (isRaw: boolean, { version }: Exchange) => (isRaw || version[1] < 42 ? RAW_STREAM : MULTIPLEXED_STREAM);

/** Carries what the client sends until it ends its half, or types the keys to leave by (a terminal's client: `detach`). */
export async function carryInput(stream: HijackedStream, input: Pick<InstanceInput, 'write' | 'end'>, endsInput: boolean, detach?: { readonly keys: readonly number[] | undefined; leave(): void }): Promise<void> {
  const filter = detach?.keys === undefined ? undefined : createDetachFilter(detach.keys);
  try {
    for await (const typed of stream.input) {
      const { bytes, isLeaving } = filter?.(typed) ?? { bytes: typed, isLeaving: false };
      if (bytes.length > 0) await input.write(bytes);
      if (isLeaving) return detach?.leave();
    }
    if (endsInput) input.end();
  } catch {
    // the client or the machine is gone, which the output tells
  }
}

export async function attachContainer(exchange: Exchange): Promise<void> {
  const { context, query } = exchange;
  const { paths } = context;
  const instance = await findInstance(paths, exchange.params['name'] as string);
  const { config } = instance;
  const wants = { stdin: readSwitch(query, 'stdin') && config.openStdin, stdout: readSwitch(query, 'stdout'), stderr: readSwitch(query, 'stderr') };
  const isRaw = config.request.tty;
  const detachKeys = parseDetachKeys(query.get('detachKeys') || undefined);
  const from = readSwitch(query, 'logs') ? 0 : outputSize(instance.folder);
  const attendee = context.attendance.join(instance.id);
  await readBytes(exchange); // options that a client sends along are no input
  const stream = hijack(exchange, typeOf(isRaw, exchange));
  const detached = new AbortController();
  const left = AbortSignal.any([stream.gone, attendee.failed, detached.signal]);
  let input: InstanceInput | undefined;
  const bringInput = async () => {
    input = await bringUp(exchange, instance, left);
    if (input !== undefined) await carryInput(stream, input, config.stdinOnce === true && !isRaw, isRaw ? { keys: detachKeys, leave: () => detached.abort() } : undefined);
  };
  if (wants.stdin) bringInput().catch((error: Error) => context.say(`attach ${config.name}: ${error.message}`));
  try {
    if (readSwitch(query, 'stream') || readSwitch(query, 'logs')) {
      for await (const piece of followRun(paths, instance, from, left)) {
        if (!wants[piece.stream]) continue;
        await stream.write(isRaw ? piece.bytes : encodeFrame(piece.stream, piece.bytes));
      }
    }
  } finally {
    attendee.leave();
    input?.close();
    stream.end();
  }
}

const POLL_MS = 20;

/** Its sockets come a moment after it is noted as running. */
async function bringUp(exchange: Exchange, instance: Instance, left: AbortSignal): Promise<InstanceInput | undefined> {
  for (;;) {
    const running = await waitForStart(exchange, instance, left);
    if (running === undefined) return undefined;
    try {
      return await openInput(running);
    } catch (error) {
      const { code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
      if (!['ENOENT', 'ECONNREFUSED'].includes(code ?? '')) throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

async function waitForStart({ context }: Exchange, instance: Instance, left: AbortSignal): Promise<Instance | undefined> {
  while (!left.aborted) {
    const now = loadNow(context.paths, instance.id);
    if (now === undefined) return undefined;
    if (now.state.starter === undefined && isInstanceAlive(now)) return now;
    if (now.state.starter === undefined && now.state.startedAt !== instance.state.startedAt) return undefined; // over already
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return undefined;
}

export async function sendLogs(exchange: Exchange): Promise<void> {
  const { context, query, response, gone } = exchange;
  const instance = await findInstance(context.paths, exchange.params['name'] as string);
  const isRaw = instance.config.request.tty;
  const stdout = readSwitch(query, 'stdout');
  const stderr = readSwitch(query, 'stderr');
  const tail = query.get('tail');
  const withTimes = readSwitch(query, 'timestamps');
  if (!stdout && !stderr) throw new ApiError('parameter-invalid', 'Bad parameters: you must choose at least one stream');
  const lines = readLogs(instance, {
    stdout,
    stderr,
    follow: readSwitch(query, 'follow'),
    since: readMoment(query, 'since'),
    until: readMoment(query, 'until'),
    tail: tail === null || tail === '' || tail === 'all' ? undefined : readNumber(query, 'tail'),
    signal: gone,
  });
  response.writeHead(200, { 'Content-Type': typeOf(isRaw, exchange) });
  response.flushHeaders();
  for await (const { stream, bytes, time } of lines) {
    const line = withTimes ? Buffer.concat([Buffer.from(`${formatNanoseconds(time)} `), bytes]) : bytes;
    await writeSlowly(response, isRaw ? line : encodeFrame(stream, line), gone);
    if (gone.aborted) return;
  }
  response.end();
}

/**
 * `hull attach`, `hull start -a`: this terminal or pipe as an instance's. Owns: detach keys, signals that are passed on, and what is restored at the end. Rule: leaving by the keys ends nothing.
 */
import { constants } from 'node:os';
import { createDetachFilter, EngineError, findStatePaths, isTerminal, lendTerminal, parseDetachKeys, type StatePaths } from '../engine/index.ts';
import { findInstance, followInstance, type Instance, type InstanceInput, isRunning, killInstance, openInput, outputSize, sendResize, startInstance, waitInstance } from '../engine/instances/index.ts';
import type { CommandContext } from './commands.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { writeTo } from './write-out.ts';

const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

export interface AttachRequest {
  readonly stdin: boolean;
  readonly passSignals: boolean;
  readonly detachKeys: string | undefined;
}

/** Bytes of this process' stdin to `input`; `leave` when the detach keys were typed. */
export function pumpInput(input: InstanceInput, keys: readonly number[] | undefined, leave: () => void): () => void {
  const filter = keys === undefined ? undefined : createDetachFilter(keys);
  const take = (chunk: Buffer) => {
    const { bytes, isLeaving } = filter?.(chunk) ?? { bytes: chunk, isLeaving: false };
    process.stdin.pause();
    input
      .write(bytes)
      .then(() => {
        if (isLeaving) leave();
        else process.stdin.resume();
      })
      .catch(() => {}); // the machine is gone, which is told elsewhere
  };
  process.stdin.on('data', take);
  process.stdin.on('end', () => input.end());
  process.stdin.on('error', () => input.end());
  return () => {
    process.stdin.off('data', take);
    process.stdin.pause();
  };
}

/** `start` begins the run after everything is in place; without it the instance runs. The exit code, or undefined after the detach keys. */
async function attach(paths: StatePaths, instance: Instance, request: AttachRequest, context: CommandContext, start?: () => Promise<unknown>): Promise<number | undefined> {
  const { tty } = instance.config.request;
  const wantsStdin = request.stdin && (instance.config.openStdin || tty);
  if (tty && wantsStdin && !isTerminal()) throw new EngineError('option-invalid', 'the input device is not a TTY');
  const left = new AbortController();
  const from = outputSize(instance.folder);
  await start?.();
  const running = await findInstance(paths, instance.id).catch(() => instance); // gone already, with --rm
  const input = wantsStdin && isRunning(running.state) ? await openInput(running) : undefined;
  const lent = tty && wantsStdin ? lendTerminal() : undefined;
  const passOn = (name: NodeJS.Signals) => void killInstance(instance.id, context.env, constants.signals[name]).catch(() => {});
  if (request.passSignals && !tty) for (const name of PASSED_ON) process.on(name, passOn);
  if (lent !== undefined) {
    const resize = (rows: number, columns: number) => void sendResize(running, rows, columns).catch(() => {});
    resize(lent.rows, lent.columns);
    lent.onResize(resize);
  }
  const stop = input === undefined ? undefined : pumpInput(input, lent === undefined ? undefined : parseDetachKeys(request.detachKeys), () => left.abort());
  try {
    for await (const { stream, bytes } of followInstance(paths, running, { from, signal: left.signal })) await writeTo(stream === 'stdout' ? process.stdout : process.stderr, bytes);
  } finally {
    stop?.();
    input?.close();
    lent?.restore();
    for (const name of PASSED_ON) process.off(name, passOn);
  }
  if (left.signal.aborted) {
    process.stderr.write('read escape sequence\n');
    return undefined;
  }
  return await waitInstance(instance.id, context.env).catch(() => 0);
}

export async function attachCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const paths = findStatePaths(context.env);
  const instance = await findInstance(paths, parsed.args[0] as string);
  if (instance.state.status === 'paused') throw new EngineError('instance-conflict', 'You cannot attach to a paused container, unpause it first');
  if (!isRunning(instance.state)) throw new EngineError('instance-conflict', 'You cannot attach to a stopped container, start it first');
  const request = { stdin: parsed.switches.get('no-stdin') !== true, passSignals: parsed.switches.get('sig-proxy') !== false, detachKeys: readValue(parsed, 'detach-keys') };
  return (await attach(paths, instance, request, context)) ?? 0;
}

/** `hull start -a` */
export async function startAttached(name: string, parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const paths = findStatePaths(context.env);
  const instance = await findInstance(paths, name);
  const request = { stdin: parsed.switches.get('interactive') === true, passSignals: true, detachKeys: readValue(parsed, 'detach-keys') };
  const start = () => startInstance(instance.id, context, { notice: (line) => process.stderr.write(`hull: ${line}\n`), windowSize: process.stdout.isTTY ? { rows: process.stdout.rows, columns: process.stdout.columns } : undefined });
  return (await attach(paths, instance, request, context, start)) ?? 0;
}

/**
 * Further processes in a running instance: a port of its console each (libos/exec-session). Owns: the conversation on it, and Docker's words for what cannot be started. Rule:
 * who leaves ends the process' stdin and nothing else.
 */
import { constants } from 'node:os';
import { type BootModule, decodeWaitStatus, encodeBootModule, encodeRecord, encodeResize, encodeSignal, FEATURE, FLAG, RECORD, RECORD_MAX } from '../../boot/index.ts';
import { EngineError, EXIT } from '../errors.ts';
import { carryInput, type InstanceInput } from './attach.ts';
import { isRunning } from './observe.ts';
import type { OutputStream } from './output.ts';
import { explainSilence, greet, refuseNotRunning, takeAnyPort } from './port.ts';
import type { Instance } from './types.ts';

const ANSWER_MS = 30_000;
/** Who leaves says so, that nothing is on its way to it any more. */
const LEAVE_MS = 2000;
/** Pieces of output that wait for whoever takes them; with so many the process waits in its writes. */
const PENDING_MOST = 16;

export interface ExecRequest {
  readonly args: readonly string[];
  /** NAME=VALUE, over those of the instance. */
  readonly env: readonly string[];
  readonly workdir?: string | undefined;
  /** `home`: its HOME, where the request's environment has none. */
  readonly user?: (NonNullable<BootModule['user']> & { readonly home?: string }) | undefined;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly windowSize?: BootModule['windowSize'];
}

export interface ExecEvents {
  /** May come before the session is there. A promise: until then the piece is not taken. */
  output(stream: OutputStream, bytes: Buffer): void | Promise<void>;
}

export interface ExecSession extends InstanceInput {
  signal(signal: number): void;
  resize(rows: number, columns: number): void;
  /** Until all output that has come is taken. */
  taken(): Promise<void>;
  /** Its exit code; 137 when the machine went. */
  wait(): Promise<number>;
}

function refuse(instance: Instance, error: number, request: ExecRequest): EngineError {
  const [name] = request.args;
  const start = 'OCI runtime exec failed: exec failed: unable to start container process';
  const { errno } = constants;
  if (error === errno.ENOSYS) {
    return new EngineError('option-invalid', `Cannot start a process in container ${instance.config.name}: its image was linked without processes, which its program never starts, expected one run with --exec`);
  }
  if (error === errno.ENOENT) return new EngineError('program-missing', `${start}: exec: "${name}": executable file not found in $PATH: unknown`);
  if (error === errno.EACCES) return new EngineError('program-invalid', `${start}: exec: "${name}": permission denied: unknown`);
  const text = Object.entries(errno).find(([, number]) => number === error)?.[0] ?? `error ${error}`;
  return new EngineError('program-invalid', `${start}: exec: "${name}": ${text}: unknown`);
}

function encodeRequest(instance: Instance, request: ExecRequest): Buffer {
  const { request: own } = instance.config;
  const values = new Map<string, string>();
  const defaults = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', `HOSTNAME=${own.hostname ?? instance.id.slice(0, 12)}`, 'HOME=/root'];
  for (const entry of [...defaults, ...(request.tty ? ['TERM=xterm'] : []), ...own.env, ...(request.user?.home === undefined ? [] : [`HOME=${request.user.home}`]), ...request.env]) {
    const at = entry.indexOf('=');
    if (at > 0) values.set(entry.slice(0, at), entry.slice(at + 1));
  }
  const module = encodeBootModule({
    flags: (request.tty ? FLAG.TTY : 0) | (request.stdin ? FLAG.STDIN : 0),
    argv: request.args,
    env: [...values].map(([name, value]) => `${name}=${value}`),
    cwd: request.workdir ?? own.workdir ?? '/',
    user: request.user ?? own.user,
    windowSize: request.windowSize ?? { rows: 24, columns: 80 },
    entropy: Buffer.alloc(0),
    realtime: 0n,
  });
  if (module.length > RECORD_MAX) throw new EngineError('option-invalid', `Cannot start a process with ${module.length} bytes of arguments and environment, expected at most ${RECORD_MAX}`);
  return module;
}

/** Starts it, on the first port that is free; waits for one when all are taken. */
export async function execInInstance(instance: Instance, request: ExecRequest, events: ExecEvents): Promise<ExecSession> {
  if (instance.state.status === 'paused') throw new EngineError('instance-conflict', `container ${instance.id} is paused, unpause the container before exec`);
  if (!isRunning(instance.state)) throw refuseNotRunning(instance);
  if ((instance.state.features & FEATURE.CONTROL) === 0) throw refuse(instance, constants.errno.ENOSYS, request);
  const module = encodeRequest(instance, request);
  const socket = await takeAnyPort(instance);
  let code: number | undefined;
  let isLeaving = false;
  let answer: (error: number | undefined) => void = () => {};
  const started = new Promise<number | undefined>((resolve) => {
    answer = resolve;
  });
  let pending = 0;
  let taken = Promise.resolve();
  const settle = () => {
    if (--pending === PENDING_MOST / 2) socket.resume();
  };
  const give = (stream: OutputStream, payload: Buffer) => {
    const piece = isLeaving ? undefined : events.output(stream, Buffer.from(payload));
    if (piece === undefined) return;
    if (++pending === PENDING_MOST) socket.pause();
    const settled = piece.then(settle, settle);
    taken = taken.then(() => settled);
  };
  const input = carryInput(socket, (type, payload) => {
    if (type === RECORD.STDOUT) give('stdout', payload);
    else if (type === RECORD.STDERR) give('stderr', payload);
    else if (type === RECORD.STARTED) answer(payload.readUInt32LE(0));
    else if (type === RECORD.EXIT) {
      const status = decodeWaitStatus(payload.readUInt32LE(0));
      code = 'code' in status ? status.code : EXIT.SIGNAL + status.signal;
      socket.end();
    }
  });
  const timer = setTimeout(() => answer(undefined), ANSWER_MS);
  void input.gone.then(() => answer(undefined));
  socket.write(encodeRecord(RECORD.EXEC, module));
  const error = await started;
  clearTimeout(timer);
  if (error === 0) {
    return {
      write: input.write,
      end: input.end,
      close() {
        if (isLeaving) return;
        isLeaving = true;
        socket.resume();
        void greet(socket, LEAVE_MS).then(input.close);
      },
      signal: (signal) => void socket.write(encodeSignal(signal)),
      resize: (rows, columns) => void socket.write(encodeResize(rows, columns)),
      taken: () => taken,
      wait: () => input.gone.then(() => code ?? EXIT.SIGNAL + constants.signals.SIGKILL),
    };
  }
  socket.destroy();
  if (error === undefined) throw await explainSilence(instance, `Cannot start a process in container ${instance.config.name}`);
  throw refuse(instance, error, request);
}

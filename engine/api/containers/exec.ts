/**
 * Further processes in containers (Docker Engine API v1.47, "Exec"). Owns: what was asked for and how it goes, in memory: an engine that begins anew knows of none, as in Docker. Rules: a process is
 * started by the client's second request; a window's size may come before it; a client that does not read lets the process wait.
 */
import { randomBytes } from 'node:crypto';
import { parseDetachKeys } from '../../detach-keys.ts';
import { describeError, EngineError, EXIT } from '../../errors.ts';
import { execInInstance, type ExecSession, findInstance, findInstanceUser, isRunning, type OutputStream } from '../../instances/index.ts';
import { ApiError } from '../error.ts';
import { encodeFrame, MULTIPLEXED_STREAM, RAW_STREAM } from '../frames.ts';
import { hijack } from '../hijack.ts';
import { readJson, readNumber, sendJson, sendStatus } from '../messages.ts';
import type { Exchange, Route } from '../route.ts';
import { carryInput } from './streams.ts';

interface ExecBody {
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
  readonly Tty: boolean;
  readonly Cmd: readonly string[] | string;
  readonly Env: readonly string[] | null;
  readonly WorkingDir: string;
  readonly User: string;
  readonly ConsoleSize: readonly [number, number] | null;
  readonly DetachKeys: string;
}

interface Exec {
  readonly id: string;
  readonly container: string;
  readonly body: Partial<ExecBody>;
  readonly args: readonly string[];
  readonly user: Awaited<ReturnType<typeof findInstanceUser>> | undefined;
  readonly detachKeys: readonly number[] | undefined;
  size: { rows: number; columns: number } | undefined;
  isStarted: boolean;
  session: ExecSession | undefined;
  exitCode: number | null;
}

/** Of those that have ended, so many are remembered. */
const MOST = 1000;
/** docker-py forgets what comes in the same read as the head of the answer. Docker's containerd takes longer than this before a process writes. */
const HEAD_START_MS = 25;
const execs = new Map<string, Exec>();

async function create(exchange: Exchange): Promise<void> {
  const instance = await findInstance(exchange.context.paths, exchange.params['name'] as string);
  if (!isRunning(instance.state)) throw new EngineError('instance-conflict', `container ${instance.id} is not running`);
  if (instance.state.status === 'paused') throw new EngineError('instance-conflict', `container ${instance.id} is paused, unpause the container before exec`);
  const body = await readJson<ExecBody>(exchange);
  const args = typeof body.Cmd === 'string' ? [body.Cmd] : (body.Cmd ?? []);
  if (args.length === 0 || !args.every((each) => typeof each === 'string')) throw new ApiError('parameter-invalid', 'No exec command specified');
  const id = randomBytes(32).toString('hex');
  const size = body.ConsoleSize ?? undefined;
  execs.set(id, {
    id,
    container: instance.id,
    body,
    args,
    user: body.User === undefined || body.User === '' ? undefined : await findInstanceUser(instance, body.User),
    detachKeys: parseDetachKeys(body.DetachKeys || undefined),
    size: size === undefined ? undefined : { rows: size[0], columns: size[1] },
    isStarted: false,
    session: undefined,
    exitCode: null,
  });
  const ended = [...execs.values()].filter(({ session, isStarted }) => isStarted && session === undefined);
  for (const old of ended.slice(0, Math.max(0, ended.length - MOST))) execs.delete(old.id);
  sendJson(exchange, { Id: id }, 201);
}

function find({ params }: Exchange): Exec {
  const exec = execs.get(params['id'] as string);
  if (exec === undefined) throw new EngineError('instance-missing', `No such exec instance: ${params['id']}`);
  return exec;
}

async function start(exchange: Exchange): Promise<void> {
  const { context } = exchange;
  const exec = find(exchange);
  const options = await readJson<{ Detach: boolean; Tty: boolean; ConsoleSize: readonly [number, number] | null }>(exchange);
  if (exec.isStarted) throw new EngineError('instance-conflict', `exec instance ${exec.id} has already run`);
  const { body } = exec;
  const instance = await findInstance(context.paths, exec.container);
  const tty = body.Tty === true;
  const isDetached = options.Detach === true;
  if (options.ConsoleSize) exec.size = { rows: options.ConsoleSize[0], columns: options.ConsoleSize[1] };
  exec.isStarted = true;
  const request = { args: exec.args, env: body.Env ?? [], workdir: body.WorkingDir || undefined, user: exec.user, tty, windowSize: exec.size };
  const attend = (session: ExecSession) => {
    exec.session = session;
    return session.wait().then((code) => {
      exec.exitCode = code;
      exec.session = undefined;
    });
  };
  if (isDetached) {
    void attend(await execInInstance(instance, { ...request, stdin: false }, { output: () => {} }).catch((error: unknown) => noteFailure(exec, error)));
    return sendStatus(exchange, 200);
  }
  // Clients get the connection first, and what is wrong with the program as its output: Docker does so.
  const stream = hijack(exchange, tty || exchange.version[1] < 42 ? RAW_STREAM : MULTIPLEXED_STREAM);
  const wants = { stdout: body.AttachStdout === true, stderr: body.AttachStderr === true };
  const pack = (name: OutputStream, bytes: Buffer) => (tty ? bytes : encodeFrame(name, bytes));
  try {
    await new Promise((resolve) => setTimeout(resolve, HEAD_START_MS));
    const session = await execInInstance(
      instance,
      { ...request, stdin: body.AttachStdin === true },
      {
        output: (name, bytes) => (wants[name] ? stream.write(pack(name, bytes)) : undefined),
      },
    ).catch((error: unknown) => noteFailure(exec, error));
    const ended = attend(session);
    const left = new Promise<void>((leave) => {
      if (body.AttachStdin === true) void carryInput(stream, session, true, tty ? { keys: exec.detachKeys, leave } : undefined);
    });
    await Promise.race([ended, left]);
    await session.taken();
  } catch (error) {
    await stream.write(pack('stdout', Buffer.from(`${describeError(error)}\r\n`)));
  } finally {
    stream.end();
  }
}

function noteFailure(exec: Exec, error: unknown): never {
  exec.exitCode = (error as { code?: string }).code === 'program-missing' ? EXIT.NOT_FOUND : EXIT.NOT_RUNNABLE;
  throw error;
}

function inspect(exchange: Exchange): void {
  const { id, container, body, args, exitCode, session, isStarted } = find(exchange);
  sendJson(exchange, {
    ID: id,
    Running: session !== undefined,
    ExitCode: exitCode,
    ProcessConfig: { tty: body.Tty === true, entrypoint: args[0], arguments: args.slice(1), privileged: false, user: body.User ?? '' },
    OpenStdin: body.AttachStdin === true,
    OpenStderr: body.AttachStderr === true,
    OpenStdout: body.AttachStdout === true,
    CanRemove: isStarted && session === undefined,
    ContainerID: container,
    DetachKeys: body.DetachKeys ?? '',
    Pid: 0,
  });
}

function resize(exchange: Exchange): void {
  const exec = find(exchange);
  exec.size = { rows: readNumber(exchange.query, 'h') ?? 24, columns: readNumber(exchange.query, 'w') ?? 80 };
  exec.session?.resize(exec.size.rows, exec.size.columns);
  sendStatus(exchange, 200);
}

export function listExecRoutes(): Route[] {
  return [
    { method: 'POST', path: '/containers/{name}/exec', summary: 'prepare a further process', support: 'partial', lacks: 'Privileged', handle: create },
    { method: 'POST', path: '/exec/{id}/start', summary: 'start it, with the connection taken over', support: 'full', handle: start },
    { method: 'POST', path: '/exec/{id}/resize', summary: 'size of its terminal, also before the start', support: 'full', handle: resize },
    { method: 'GET', path: '/exec/{id}/json', summary: 'how it goes', support: 'partial', lacks: 'Pid is 0', handle: inspect },
  ];
}

/** The launcher's side of a switch: starts one where none is, joins, lists. Owns: one control connection a join. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { EngineError } from '../../errors.ts';

export interface MemberInfo {
  readonly ip: string;
  readonly mac: string;
  readonly names: readonly string[];
  readonly gateway: string;
}

export interface Joined extends MemberInfo {
  /** The unix socket that QEMU connects to. */
  readonly path: string;
  /** Ends the control connection; the membership with it unless QEMU has connected. */
  close(): void;
}

export interface SwitchAddress {
  readonly name: string;
  readonly folder: string;
}

const START_MS = 60_000;

function open(path: string): Promise<Socket | undefined> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once('connect', () => done(socket));
    socket.once('error', () => done(undefined));
  });
}

export async function isReachable(path: string): Promise<boolean> {
  const socket = await open(path);
  socket?.destroy();
  return socket !== undefined;
}

/** One line out, one in; undefined when the switch ended meanwhile. */
async function ask<T>(socket: Socket, request: object): Promise<T | undefined> {
  socket.on('error', () => socket.destroy());
  const lines = createInterface({ input: socket });
  const answer = new Promise<T | undefined>((done) => {
    lines.once('line', (line) => done(JSON.parse(line) as T));
    lines.once('close', () => done(undefined));
  });
  socket.write(`${JSON.stringify(request)}\n`);
  return await answer;
}

/** The members of a switch that runs; none when it does not. */
export async function listMembers({ folder }: SwitchAddress): Promise<MemberInfo[]> {
  const socket = await open(join(folder, 'control.sock'));
  if (socket === undefined) return [];
  const answer = await ask<{ members: MemberInfo[] }>(socket, { list: true });
  socket.destroy();
  return answer?.members ?? [];
}

export async function joinSwitch(at: SwitchAddress, request: { names: readonly string[]; ip?: string | undefined; publish?: readonly { protocol: string; address: string; port: number; guest: number }[] }, hull: { dist: string; env: NodeJS.ProcessEnv }): Promise<Joined> {
  const deadline = Date.now() + START_MS;
  let isStarted = false;
  for (let wait = 5; Date.now() < deadline; ) {
    const socket = await open(join(at.folder, 'control.sock'));
    const answer = socket === undefined ? undefined : await ask<Joined & { error?: string }>(socket, { join: request });
    if (socket !== undefined && answer !== undefined) {
      if (answer.error !== undefined) {
        socket.destroy();
        if (answer.error.startsWith('Cannot ')) throw new EngineError('network-refused', answer.error);
        throw new EngineError('network-refused', `Cannot join network "${at.name}"${request.ip === undefined ? '' : ` as ${request.ip}`}: ${answer.error}, expected ${/^no address|^Address already/.test(answer.error) ? 'a free address of it' : 'ports that are free'}`);
      }
      socket.unref();
      return { ...answer, close: () => void socket.destroy() };
    }
    // One that found another listening has left, and that one may be at its end.
    if (!isStarted) {
      isStarted = true;
      const child = spawn(process.execPath, [join(hull.dist, 'hull'), 'network', 'serve', at.name], { env: hull.env, detached: true, stdio: 'ignore', cwd: '/' });
      await once(child, 'spawn');
      child.once('exit', () => {
        isStarted = false;
      });
      child.unref();
    }
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 2, 100);
  }
  throw new EngineError('network-refused', `Cannot join network "${at.name}": its switch does not start, expected one that listens in ${at.folder}`);
}

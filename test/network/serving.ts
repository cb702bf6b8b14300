/**
 * Servers in machines, for the tests of this folder: started from the root of Debian's packages with one port published on loopback, asked by clients on this host, stopped for good.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, get, request as requestHttp } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findPort } from '../ports.ts';
import { makeNetworkRoot, runNatively } from './root.ts';

export const hull = resolve('dist/hull');
const state = mkdtempSync(join(tmpdir(), 'hull-servers-'));
process.once('exit', () => rmSync(state, { recursive: true, force: true }));
export const env: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', HULL_ROOT: state };
const made = makeNetworkRoot();
/** Why these tests cannot run: no network the first time. */
export const skip = 'reason' in made ? made.reason : false;
export const root = 'reason' in made ? '' : made.root;
/** What the root has as its web server's first page. */
export const PAGE = 'x'.repeat(612);

export interface Running {
  readonly port: number;
  /** What it said so far. */
  said(): string;
  hasEnded(): boolean;
  stop(): Promise<void>;
  /** Asks it to end, by SIGTERM; its exit status. */
  end(): Promise<number>;
}

/** `options` may name another root: the last one counts. */
export async function serve(guest: string, program: string, args: readonly string[], options: readonly string[] = []): Promise<Running> {
  const port = await findPort();
  const child: ChildProcess = spawn(hull, ['run', '--rootfs', root, '-p', `127.0.0.1:${port}:${guest}`, ...options, program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (said += String(chunk)));
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    port,
    said: () => said,
    hasEnded,
    async stop() {
      if (!hasEnded()) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    },
    async end() {
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      const [status] = (await exit) as [number | null];
      return status ?? 255;
    },
  };
}

/** Tries until there is an answer, for so long: the server starts meanwhile. */
export async function retry<T>(running: Pick<Running, 'said' | 'hasEnded'>, attempt: () => Promise<T>, patience = 240_000): Promise<T> {
  const deadline = Date.now() + patience;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline || running.hasEnded()) throw new Error(`${(error as Error).message}; the server said: ${running.said().slice(-2000)}`, { cause: error });
      await new Promise((done) => setTimeout(done, 100));
    }
  }
}

export function download(port: number, path: string): Promise<string> {
  return new Promise((done, fail) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false, timeout: 12_000 }, (response) => {
      let text = '';
      response.setEncoding('latin1');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => (response.complete ? done(text) : fail(new Error('cut off'))));
      response.on('error', fail);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', fail);
  });
}

export function post(port: number, path: string, body: Buffer): Promise<string> {
  return new Promise((done, fail) => {
    const request = requestHttp({ host: '127.0.0.1', port, path, method: 'POST', agent: false, timeout: 30_000 }, (response) => {
      let text = '';
      response.setEncoding('latin1');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => done(text));
      response.on('error', fail);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', fail);
    request.end(body);
  });
}

/** A server of this host that says "behind" and closes; what a machine's proxy stands before. */
export async function startBehind(): Promise<{ port: number; close(): void }> {
  const server = createHttpServer((_, response) => response.end('behind')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
}

/** Sends, and gives what comes back until it ends as `wanted` says. From a port that the caller names: until the server ends it, so that the port is not in TIME_WAIT here. */
export function exchange(port: number, question: string, wanted: RegExp, localPort?: number): Promise<string> {
  return new Promise((done, fail) => {
    const socket = connect({ port, host: '127.0.0.1', ...(localPort === undefined ? {} : { localPort }) });
    let text = '';
    const timer = setTimeout(() => socket.destroy(new Error(`no answer: ${text}`)), 12_000);
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (localPort === undefined && wanted.test(text)) socket.destroy();
    });
    socket.on('error', fail);
    socket.on('close', () => {
      clearTimeout(timer);
      if (wanted.test(text)) done(text);
      else fail(new Error(`closed after: ${text}`));
    });
    socket.write(question, 'latin1');
  });
}

export function tool(path: string, args: readonly string[], timeout = 600_000): Promise<{ status: number; stdout: string }> {
  const [command, before] = runNatively(root, path);
  return new Promise((done) => {
    execFile(command, [...before, ...args], { timeout }, (error, stdout, stderr) => done({ status: error ? Number(error.code ?? 255) : 0, stdout: `${stdout}${stderr}` }));
  });
}

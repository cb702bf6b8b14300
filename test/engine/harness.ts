/** `hull engine` for tests: a folder with all that it and its clients keep, starts and ends of it, and requests of our own. Rule: what it prints is kept for whoever asks why. */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { execa } from 'execa';
import { findCheckout } from '../boot/guest/build.ts';

export interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

export interface RunningEngine {
  readonly pid: number;
  said(): string;
  /** Resolves when it is gone. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

export interface EngineHarness {
  readonly hull: string;
  readonly root: string;
  readonly socket: string;
  /** For hull and for Docker's clients alike. */
  readonly env: NodeJS.ProcessEnv;
  /** Resolves when it listens. */
  start(args?: readonly string[], at?: string): Promise<RunningEngine>;
  /** A body is sent as JSON, bytes as they are. */
  ask(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer>;
  removeAll(): Promise<void>;
}

export function makeEngine(folder: string): EngineHarness {
  const hull = join(findCheckout(), 'dist/hull');
  const root = join(folder, 'root');
  const socket = join(folder, 'engine.sock');
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    NODE_EXTRA_CA_CERTS: '',
    NODE_OPTIONS: '',
    HULL_ROOT: root,
    TMPDIR: temporary,
    DOCKER_HOST: `unix://${socket}`,
    DOCKER_CONFIG: join(folder, 'docker'),
    DOCKER_BUILDKIT: '0',
  };
  return {
    hull,
    root,
    socket,
    env,
    async start(args = [], at = socket) {
      const engine = spawn(hull, ['engine', '-H', `unix://${at}`, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      const gone = new Promise<void>((resolve) => void engine.on('exit', () => resolve()));
      await new Promise<void>((resolve, reject) => {
        engine.stderr.on('data', (chunk: Buffer) => {
          said += chunk.toString();
          if (said.split('API listens').length > 1 + args.filter((each) => each === '-H').length) resolve();
        });
        engine.on('exit', (code) => reject(new Error(`hull engine ended with ${code}: ${said}`)));
      });
      return {
        pid: engine.pid as number,
        said: () => said,
        async end(signal = 'SIGTERM') {
          engine.kill(signal);
          await gone;
        },
      };
    },
    ask(method, path, body, signal) {
      return new Promise((resolve, reject) => {
        const isBytes = body instanceof Uint8Array;
        const headers = body === undefined ? {} : { 'Content-Type': isBytes ? 'application/x-tar' : 'application/json' };
        const made = request({ socketPath: socket, method, path, headers, signal }, (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (part: string) => {
            text += part;
          });
          response.on('error', reject);
          response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
        });
        made.on('error', reject);
        made.end(body === undefined ? undefined : isBytes ? body : JSON.stringify(body));
      });
    },
    async removeAll() {
      const listed = await execa(hull, ['ps', '-aq'], { env, extendEnv: false });
      const ids = listed.stdout.split('\n').filter((id) => id !== '');
      if (ids.length > 0) await execa(hull, ['rm', '-f', ...ids], { env, extendEnv: false, reject: false });
    },
  };
}

/** A tar archive of a root file system with busybox, for images: FOLDER/box.tar. */
export function makeBox(folder: string): string {
  const files = join(folder, 'box');
  for (const name of ['bin', 'etc', 'tmp', 'root']) mkdirSync(join(files, name), { recursive: true });
  cpSync('/bin/busybox', join(files, 'bin/busybox'));
  for (const name of ['sh', 'echo', 'cat', 'sleep', 'ls', 'true', 'stty', 'tty', 'id', 'sha256sum', 'hostname', 'wget', 'httpd', 'nc', 'mkdir', 'rm', 'nslookup', 'env', 'ps', 'touch', 'yes', 'head', 'kill']) symlinkSync('busybox', join(files, 'bin', name));
  writeFileSync(join(files, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/srv:/bin/sh\n');
  const archive = join(folder, 'box.tar');
  execFileSync('tar', ['cf', archive, '-C', files, '.']);
  return archive;
}

/** Why a program's tests are skipped here, or false. */
export function missing(command: string, ...args: string[]): string | false {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return false;
  } catch {
    return `${command} is not installed`;
  }
}

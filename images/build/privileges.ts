/**
 * What this process may do with the files of root file systems. Owns: the choice between root, a user namespace with many ids (newuidmap, subuid(5)) and
 * one with a single id, and the command prefix that each means (user_namespaces(7), unshare(1)). Rule: everything that touches files with
 * other owners, and every mount, happens behind the prefix; a mount namespace of its own ends with its processes, so no mount is ever left.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { userInfo } from 'node:os';
import { BuildError } from './error.ts';

export interface Privileges {
  readonly kind: 'root' | 'many-ids' | 'single-id';
  readonly prefix: readonly string[];
}

const MOUNTS = ['--mount', '--propagation', 'private'];

function hasSubordinateIds(): boolean {
  try {
    const { username, uid } = userInfo();
    return ['/etc/subuid', '/etc/subgid'].every((path) => readFileSync(path, 'utf8').split('\n').some((line) => line.startsWith(`${username}:`) || line.startsWith(`${uid}:`)));
  } catch {
    return false;
  }
}

let known: Privileges | undefined;

/** Tries what it finds; the error says what the host refuses. */
export function findPrivileges(): Privileges {
  if (known !== undefined) return known;
  const choices: Privileges[] =
    process.geteuid?.() === 0
      ? [{ kind: 'root', prefix: ['unshare', ...MOUNTS] }]
      : [
          ...(hasSubordinateIds() ? [{ kind: 'many-ids' as const, prefix: ['unshare', '--user', '--map-auto', '--map-root-user', ...MOUNTS] }] : []),
          { kind: 'single-id', prefix: ['unshare', '--user', '--map-root-user', ...MOUNTS] },
        ];
  let reason = '';
  for (const choice of choices) {
    const [program, ...args] = choice.prefix as [string, ...string[]];
    const { status, stderr, error } = spawnSync(program, [...args, 'true'], { encoding: 'utf8' });
    if (status === 0) {
      known = choice;
      return choice;
    }
    reason = error?.message ?? stderr.trim().split('\n')[0] ?? `exit status ${status}`;
  }
  throw new BuildError('sandbox-missing', `Cannot execute RUN: this host refuses namespaces (${reason}), expected root or unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces)`);
}

/** Without privileges the files may belong to other ids of the namespace. */
export function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
    return;
  } catch (error) {
    if (process.geteuid?.() === 0) throw error;
  }
  try {
    const [program, ...args] = findPrivileges().prefix as [string, ...string[]];
    spawnSync(program, [...args, 'rm', '-rf', '--one-file-system', '--', path], { stdio: 'ignore' });
  } catch {
    // the next build tries again
  }
}

export interface Piped {
  readonly args: readonly string[];
  /** For messages: what it does. */
  readonly what: string;
  readonly input?: AsyncIterable<Uint8Array>;
  /** Without the prefix: the files are the caller's own. */
  readonly isPlain?: boolean;
}

/** Runs a program behind the prefix, with its input and output as streams; fails with what it said when it fails. */
export async function* pipeThrough({ args, what, input, isPlain }: Piped): AsyncGenerator<Buffer> {
  const [program, ...rest] = [...(isPlain === true ? [] : findPrivileges().prefix), ...args] as [string, ...string[]];
  const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, 4096);
  });
  const ended = new Promise<number>((resolve) => {
    child.on('error', (error) => {
      said = error.message;
      resolve(127);
    });
    child.on('close', (code, signal) => resolve(code ?? (signal === null ? 1 : 128)));
  });
  let failure: unknown;
  child.stdin.on('error', () => undefined); // its exit status tells
  const feeding = (async () => {
    try {
      for await (const chunk of input ?? []) {
        if (child.stdin.destroyed) break;
        if (!child.stdin.write(chunk)) await Promise.race([new Promise((resolve) => child.stdin.once('drain', resolve)), ended]);
      }
    } catch (error) {
      failure = error;
      child.kill('SIGKILL');
    } finally {
      child.stdin.end();
    }
  })();
  let isWhole = false;
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    isWhole = true;
  } finally {
    if (!isWhole) child.kill('SIGKILL'); // nobody wants the rest
    await feeding;
  }
  const status = await ended;
  if (failure !== undefined) throw failure;
  if (status !== 0) throw new BuildError('cache-unwritable', `Cannot ${what}: ${args[0]}: ${said.trim().split('\n')[0] || `exit status ${status}`}, expected it to succeed`);
}

/**
 * Where RUN executes: bubblewrap (bwrap(1)) over an overlay of the stage's layers. Owns: the sandbox's shape: namespaces, mounts, capabilities, user,
 * and what is found out afterwards. Rules: the process and everything it starts ends with hull (bwrap's --die-with-parent and its own PID
 * namespace); mounts are made in a mount namespace of their own, so nothing is left when it ends, however it does; files and folders
 * that stand in the root file system only because something was mounted there are named, so that they do not get into the layer.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { BuildError } from './error.ts';
import { findPrivileges } from './privileges.ts';
import { findNode, type Node, splitPath } from './tree.ts';
import type { ProcessUser } from './users.ts';

export interface SandboxMount {
  /** Absolute, in the sandbox. */
  readonly target: string;
  readonly kind: 'bind' | 'bind-read-only' | 'tmpfs' | 'data';
  readonly isFile: boolean;
  /** bind: a path of the host. */
  readonly source?: string;
  /** data: a file's content, kept in memory. */
  readonly bytes?: Uint8Array;
  readonly mode?: number;
  /** tmpfs: bytes. */
  readonly size?: number;
}

export interface SandboxRun {
  /** A folder of its own, empty. */
  readonly folder: string;
  /** Directories of the layers, lowest first. */
  readonly layers: readonly string[];
  readonly root: Node;
  readonly argv: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly workdir: string;
  readonly user: ProcessUser;
  readonly network: 'host' | 'none';
  readonly mounts: readonly SandboxMount[];
  /** Files that are locked exclusively while it runs. */
  readonly locks: readonly string[];
  /** The program hull-become. */
  readonly become: string;
  output(stream: 'stdout' | 'stderr', bytes: Buffer): void;
  /** Told of the process, so that signals can end it. */
  started?(child: ChildProcess): void;
}

export interface SandboxResult {
  readonly status: number;
  /** The directory with all that changed. */
  readonly upper: string;
  /** Paths in it that were made for mounts. */
  readonly stubs: ReadonlySet<string>;
}

/** What a container has by default: containers/common and moby's lists agree on these. */
const CAPABILITIES = 'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'.split(' ');
const BECOME = '/dev/.hull-become';
const FIRST_DATA_FD = 3;
/** Exit status of the shell around when the overlay cannot be mounted; no program's status comes from there. */
const NO_OVERLAY = 251;

let isChecked = false;

/** One clear error where this host has no sandbox. */
export function checkSandbox(): void {
  if (isChecked) return;
  const { error } = spawnSync('bwrap', ['--version'], { stdio: 'ignore' });
  if (error !== undefined) {
    throw new BuildError('sandbox-missing', 'Cannot execute RUN: no program "bwrap" in PATH, expected bubblewrap (Debian: apt-get install bubblewrap); a Dockerfile without RUN needs none');
  }
  findPrivileges();
  isChecked = true;
}

/** Paths that the sandbox makes where they are not: mount points, and the directories above them. */
function listStubs(root: Node, targets: readonly string[]): Set<string> {
  const stubs = new Set<string>();
  for (const target of targets) {
    const parts = splitPath(target);
    for (let end = 1; end <= parts.length; end++) {
      const path = parts.slice(0, end).join('/');
      const found = findNode(root, path);
      if (found.node === undefined) stubs.add(found.path.slice(1));
    }
  }
  return stubs;
}

export async function runInSandbox(run: SandboxRun): Promise<SandboxResult> {
  checkSandbox();
  const { prefix, kind } = findPrivileges();
  for (const name of ['upper', 'work', 'merged', 'low']) mkdirSync(join(run.folder, name), { mode: 0o755 });
  for (const [i, path] of run.layers.entries()) symlinkSync(path, join(run.folder, 'low', String(i)));
  if (run.layers.length === 0) mkdirSync(join(run.folder, 'low/0'));
  const lower = Array.from({ length: Math.max(1, run.layers.length) }, (_, i) => `low/${i}`).reverse().join(':');
  const options = `lowerdir=${lower},upperdir=upper,workdir=work${kind === 'root' ? ',redirect_dir=off,metacopy=off' : ',userxattr'}`;

  // A link at a mount's target is followed within the image, never by the host.
  const mounts = run.mounts.map((mount) => ({ ...mount, target: findNode(run.root, mount.target).path }));
  const data = mounts.filter(({ kind: each }) => each === 'data');
  const script = [
    'cd "$1" || exit 250',
    `mount -t overlay overlay -o "$2" merged || exit ${NO_OVERLAY}`,
    'shift 2',
    'exec "$@"',
  ].join('\n');
  const bwrap = [
    ...run.locks.flatMap((path) => ['flock', '--no-fork', path]),
    'bwrap',
    ...['--bind', 'merged', '/', '--proc', '/proc', '--dev', '/dev', '--ro-bind', '/sys', '/sys', '--ro-bind', run.become, BECOME],
    ...mounts.flatMap((mount) => [...makeParents(mount.target), ...toArguments(mount, FIRST_DATA_FD + data.indexOf(mount))]),
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--hostname', 'buildkitsandbox', '--die-with-parent', '--new-session'],
    ...(run.network === 'none' ? ['--unshare-net'] : []),
    ...(kind === 'single-id' ? [] : ['--cap-drop', 'ALL', ...CAPABILITIES.flatMap((name) => ['--cap-add', `CAP_${name}`])]),
    '--clearenv',
    ...[...run.env].flatMap(([name, value]) => ['--setenv', name, value]),
    ...['--chdir', run.workdir, '--', BECOME, String(run.user.uid), String(run.user.gid), run.user.groups.join(',') || '-'],
    ...run.argv,
  ];
  const targets = ['/proc', '/dev', '/sys', ...mounts.map(({ target }) => target)];
  const [program, ...args] = [...prefix, '/bin/sh', '-c', script, 'sh', run.folder, options, ...bwrap] as [string, ...string[]];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe', ...data.map(() => 'pipe' as const)] });
  run.started?.(child);
  data.forEach((mount, i) => {
    const pipe = child.stdio[FIRST_DATA_FD + i] as NodeJS.WritableStream;
    pipe.on('error', () => undefined);
    pipe.end(mount.bytes ?? new Uint8Array());
  });
  let said = '';
  child.stdout?.on('data', (bytes: Buffer) => run.output('stdout', bytes));
  child.stderr?.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(0, 2048);
    run.output('stderr', bytes);
  });
  const status = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? (signal === null ? 1 : 137)));
  });
  if (status === NO_OVERLAY && /^mount: /m.test(said)) {
    throw new BuildError('sandbox-missing', `Cannot execute RUN: overlayfs is refused here (${said.trim().split('\n').at(-1)}), expected a kernel that lets ${kind === 'root' ? 'root' : 'user namespaces'} mount it, and HULL_ROOT on a file system that can be its upper one (ext4, xfs, btrfs, tmpfs)`);
  }
  return { status, upper: join(run.folder, 'upper'), stubs: listStubs(run.root, targets) };
}

/** The directories above a mount, made before it where they are not: those that bubblewrap makes by itself are closed to all but root, and stay when RUN puts a file there. */
function makeParents(target: string): string[] {
  const parts = splitPath(target).slice(0, -1);
  return parts.flatMap((_, i) => ['--perms', '0755', '--dir', `/${parts.slice(0, i + 1).join('/')}`]);
}

function toArguments(mount: SandboxMount, fd: number): string[] {
  const mode = mount.mode === undefined ? [] : ['--perms', mount.mode.toString(8).padStart(4, '0')];
  if (mount.kind === 'data') return [...mode, '--ro-bind-data', String(fd), mount.target];
  if (mount.kind === 'tmpfs') return [...mode, ...(mount.size === undefined ? [] : ['--size', String(mount.size)]), '--tmpfs', mount.target];
  return [mount.kind === 'bind' ? '--bind' : '--ro-bind', mount.source as string, mount.target];
}

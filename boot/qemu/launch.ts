/**
 * How QEMU is made to end with its parent, and to take no more memory than it uses. Owns: the choice of wrapper. dist/bin/hull-launch-<isa> sets a parent-death signal of
 * SIGKILL, checks that its parent still is the one that it was told, and execs QEMU; util-linux' setpriv does the same but for
 * the check. QEMU asks for huge pages for the guest's memory and for translated code, where the host lets it: each page that is touched takes 2 MiB then, which a small machine
 * never fills, so one with less than LEAST_HUGE_MEMORY goes without. Elsewhere (macOS) QEMU ends when its channel is asked to, or is left to `hull`'s own exit handlers.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from './find.ts';

export interface Launch {
  readonly program: string;
  readonly args: string[];
}

const LEAST_HUGE_MEMORY = 64 * 2 ** 20;

export interface LaunchOptions {
  /** Bytes of the machine. */
  readonly memory: number;
  /** It outlives this process. */
  readonly isDetached?: boolean | undefined;
}

/** Where the launcher for this host's processor is, when it was built: `arch` as process.arch has it. */
export function placeLauncher(dist: string, arch: string): string {
  const isa = arch === 'x64' ? 'x86_64' : arch === 'arm64' ? 'aarch64' : arch;
  return join(dist, 'bin', `hull-launch-${isa}`);
}

export function wrapLaunch(dist: string, program: string, args: string[], env: NodeJS.ProcessEnv, { memory, isDetached = false }: LaunchOptions): Launch {
  if (process.platform !== 'linux') return { program, args };
  const isSmall = memory < LEAST_HUGE_MEMORY;
  if (isDetached && !isSmall) return { program, args };
  const launcher = placeLauncher(dist, process.arch);
  if (existsSync(launcher)) return { program: launcher, args: [`${isDetached ? 0 : process.pid}${isSmall ? 's' : ''}`, program, ...args] };
  if (isDetached) return { program, args };
  const setpriv = findProgram('setpriv', env['PATH']);
  if (setpriv !== undefined) return { program: setpriv, args: ['--pdeathsig', 'KILL', program, ...args] };
  return { program, args };
}

/**
 * How QEMU is made to end with its parent. Owns: the choice of wrapper. dist/bin/hull-launch-<isa> sets a parent-death signal of
 * SIGKILL, checks that its parent still is the one that it was told, and execs QEMU; util-linux' setpriv does the same but for
 * the check. Elsewhere (macOS) QEMU ends when its channel is asked to, or is left to `hull`'s own exit handlers.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from './find.ts';

export interface Launch {
  readonly program: string;
  readonly args: string[];
}

export function wrapLaunch(dist: string, program: string, args: string[], env: NodeJS.ProcessEnv): Launch {
  if (process.platform !== 'linux') return { program, args };
  const isa = process.arch === 'x64' ? 'x86_64' : process.arch === 'arm64' ? 'aarch64' : process.arch;
  const launcher = join(dist, 'bin', `hull-launch-${isa}`);
  if (existsSync(launcher)) return { program: launcher, args: [String(process.pid), program, ...args] };
  const setpriv = findProgram('setpriv', env['PATH']);
  if (setpriv !== undefined) return { program: setpriv, args: ['--pdeathsig', 'KILL', program, ...args] };
  return { program, args };
}

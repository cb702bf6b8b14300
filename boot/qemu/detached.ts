/**
 * A machine without hull beside it. Owns: its start, and the wait until QEMU runs it. Rules: QEMU has a session of its own, its working directory is the
 * given folder, where it makes its sockets and appends to its log; nothing here looks at the machine again.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { BootError } from '../errors.ts';
import { makeQemuArguments, takesLinuxImage } from './arguments.ts';
import { type AskedMachine, askDetached } from './ask.ts';
import { findQboot } from './find.ts';
import { wrapLaunch } from './launch.ts';
import { readLinuxImage } from './linux-image.ts';
import { checkSpec, explainError, type MachineSpec } from './machine.ts';
import { QMP_SOCKET } from './qmp-client.ts';
import { writeUnlinkedFile } from './scratch.ts';

export const DETACHED = { output: 'output', qmp: QMP_SOCKET, errors: 'qemu.log', control: ['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7'] } as const;

/** How long QEMU may take until it answers. */
const START_MS = 60_000;
const MODULE_FD = 3;
const KERNEL_FD = 4;

export interface DetachedStart {
  readonly pid: number;
  /** Resolves when the machine runs or has run; rejects with QEMU's reason. */
  readonly running: Promise<void>;
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // not there
  }
}

/** What a machine that is gone leaves in its folder: sockets. */
export function removeSockets(folder: string): void {
  for (const name of [DETACHED.qmp, ...DETACHED.control]) removeFile(join(folder, name));
}

export function startDetached(spec: MachineSpec, folder: string): DetachedStart {
  checkSpec(spec);
  removeSockets(folder);
  const errors = join(folder, DETACHED.errors);
  const module = writeUnlinkedFile(spec.module, spec.env);
  const kernel = takesLinuxImage(spec.machine) ? writeUnlinkedFile(readLinuxImage(spec.image), spec.env) : undefined;
  const log = openSync(errors, 'w', 0o600);
  const output = join(folder, DETACHED.output);
  closeSync(openSync(output, 'a', 0o600));
  const from = statSync(output).size;
  const args = makeQemuArguments({
    ...spec,
    image: kernel === undefined ? spec.image : `/proc/self/fd/${KERNEL_FD}`,
    cpus: spec.cpus ?? 1,
    features: spec.note.features,
    files: { output: DETACHED.output, qmp: DETACHED.qmp, control: DETACHED.control, module: MODULE_FD },
    qboot: spec.machine === 'q35' ? findQboot(spec.qemu) : undefined,
  });
  let exit: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  try {
    const launch = wrapLaunch(spec.dist, spec.qemu.path, args, spec.env, { memory: spec.memory, isDetached: true });
    const child = spawn(launch.program, launch.args, { cwd: folder, detached: true, stdio: ['ignore', 'ignore', log, module, ...(kernel === undefined ? [] : [kernel])], env: spec.env });
    const failed = new Promise<never>((_, reject) => {
      child.on('error', (error) => reject(new BootError('qemu-failed', `Cannot start "${spec.qemu.path}": ${error.message}, expected an executable QEMU`, { cause: error })));
    });
    failed.catch(() => {});
    child.on('exit', (code, signal) => {
      exit = { code, signal };
    });
    child.unref();
    return { pid: child.pid ?? 0, running: Promise.race([failed, waitForMachine(spec, { folder, output, from, kill: () => child.kill('SIGKILL') }, () => exit)]) };
  } finally {
    closeSync(module);
    if (kernel !== undefined) closeSync(kernel);
    closeSync(log);
  }
}

/** A guest that has ended wrote to its log and left with QEMU's code for it (isa-debug-exit: 2 * value + 1). */
async function waitForMachine(spec: MachineSpec, machine: AskedMachine, readExit: () => { code: number | null; signal: NodeJS.Signals | null } | undefined): Promise<void> {
  const { folder } = machine;
  const before = Date.now();
  for (;;) {
    const exit = readExit();
    if (exit !== undefined) {
      const text = explainError(readFileSync(join(folder, DETACHED.errors), 'utf8'), spec);
      // 126, 127: the launcher's, when QEMU cannot be executed.
      if (exit.code === 126 || exit.code === 127) throw new BootError('qemu-failed', `Cannot start "${spec.qemu.path}": it cannot be executed, expected an executable QEMU`);
      if (exit.code === 1 && text !== undefined) throw new BootError('qemu-failed', `Cannot start the machine: ${text}`);
      return;
    }
    try {
      statSync(join(folder, DETACHED.qmp));
      await askDetached(machine, 'query-status', undefined, START_MS - (Date.now() - before));
      return;
    } catch {
      // not yet, or gone
    }
    if (Date.now() - before >= START_MS) throw new BootError('qemu-failed', `Cannot start the machine: QEMU does not answer for ${START_MS / 1000} seconds, expected it to`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

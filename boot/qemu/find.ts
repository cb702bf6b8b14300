/**
 * Finds the QEMU to use. Owns: the search in PATH, the identity under which answers about it are remembered, its version.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { BootError } from '../errors.ts';

export interface Qemu {
  readonly path: string;
  /** Changes when the file does. */
  readonly identity: string;
}

export const OLDEST_QEMU: readonly [number, number] = [7, 2];
const PROGRAMS = { x86_64: 'qemu-system-x86_64', aarch64: 'qemu-system-aarch64' };
const PACKAGES = 'Debian, Ubuntu: apt install qemu-system-x86; Fedora: dnf install qemu-system-x86-core; Alpine: apk add qemu-system-x86_64; macOS: brew install qemu';
const ARM_PACKAGES = 'Debian, Ubuntu: apt install qemu-system-arm; Fedora: dnf install qemu-system-aarch64-core; Alpine: apk add qemu-system-aarch64; macOS: brew install qemu';

/** An executable regular file called `name` on `searchPath`, or `name` itself when it has a slash. */
export function findProgram(name: string, searchPath: string | undefined): string | undefined {
  const candidates = name.includes('/') ? [name] : (searchPath ?? '').split(delimiter).filter((dir) => dir !== '').map((dir) => join(dir, name));
  for (const path of candidates) {
    try {
      if (!statSync(path).isFile()) continue;
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not this one
    }
  }
  return undefined;
}

/** `isa`: the machine's. HULL_QEMU is that for x86-64. */
export function findQemu(option: string | undefined, env: NodeJS.ProcessEnv, isa: keyof typeof PROGRAMS = 'x86_64'): Qemu {
  const wanted = option ?? (isa === 'x86_64' ? env['HULL_QEMU'] : undefined) ?? PROGRAMS[isa];
  const path = findProgram(wanted, env['PATH']);
  if (path === undefined) {
    const where = wanted.includes('/') ? 'no executable file there' : 'not found in PATH';
    throw new BootError('qemu-absent', `Cannot start "${wanted}": ${where}, expected QEMU 7.2 or newer (${isa === 'aarch64' ? ARM_PACKAGES : PACKAGES})`);
  }
  const { size, mtimeMs, ino } = statSync(path);
  return { path, identity: `${path}:${size}:${mtimeMs}:${ino}` };
}

export function parseQemuVersion(text: string): string | undefined {
  return /QEMU emulator version (\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1];
}

export function isOldQemu(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < OLDEST_QEMU[0] || (major === OLDEST_QEMU[0] && minor < OLDEST_QEMU[1]);
}

/** Asks QEMU for its version; an error when it does not say or is too old. */
export async function readQemuVersion(qemu: Qemu): Promise<string> {
  const text = await new Promise<string>((resolve, reject) => {
    execFile(qemu.path, ['--version'], { timeout: 10_000 }, (error, stdout, stderr) => {
      if (error?.signal === 'SIGKILL') {
        reject(new BootError('qemu-killed', `Cannot ask "${qemu.path}" for its version: it was killed by signal 9, expected an answer`));
      } else if (error !== null) {
        const reason = stderr.trim() === '' ? error.message : stderr.trim();
        reject(new BootError('qemu-failed', `Cannot start "${qemu.path}": ${reason}, expected QEMU 7.2 or newer`, { cause: error }));
      } else resolve(stdout);
    });
  });
  const version = parseQemuVersion(text);
  if (version === undefined) {
    throw new BootError('qemu-failed', `Cannot use "${qemu.path}": it does not say a version, expected QEMU 7.2 or newer`);
  }
  if (isOldQemu(version)) {
    throw new BootError('qemu-old', `Cannot use "${qemu.path}": version ${version}, expected QEMU 7.2 or newer (${PACKAGES})`);
  }
  return version;
}

/** QEMU's small PVH firmware for PC machines, or undefined where it is not installed. */
export function findQboot(qemu: Qemu): string | undefined {
  const bin = dirname(realpathSync(qemu.path));
  return [join(bin, '../share/qemu/qboot.rom'), '/usr/share/qemu/qboot.rom'].find((path) => existsSync(path));
}

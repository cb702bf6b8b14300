/**
 * The boot module's file. Owns: a regular file (QEMU maps it, so no pipe will do) that never had a name (O_TMPFILE), or has none any more
 * when QEMU gets it where the file system or the host cannot do that: nothing is left behind however the launcher ends.
 */
import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BootError } from '../errors.ts';

let counter = 0;
/** Linux: __O_TMPFILE | O_DIRECTORY; node has no name for the first, which is the same on all its architectures. */
const O_TMPFILE = process.platform === 'linux' ? 0o20000000 | constants.O_DIRECTORY : undefined;

/** A file in `folder` that has no name, or undefined where that cannot be. */
export function openNameless(folder: string, mode: number): number | undefined {
  if (O_TMPFILE === undefined) return undefined;
  try {
    return openSync(folder, O_TMPFILE | constants.O_RDWR, mode);
  } catch {
    return undefined;
  }
}

function openUnlinked(folder: string): number {
  const nameless = openNameless(folder, 0o600);
  if (nameless !== undefined) return nameless;
  const path = join(folder, `.hull-${process.pid}-${Date.now().toString(36)}-${counter++}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return fd;
}

export function writeUnlinkedFile(bytes: Uint8Array, env: NodeJS.ProcessEnv): number {
  const failures: string[] = [];
  for (const dir of [env['XDG_RUNTIME_DIR'], '/dev/shm', tmpdir()]) {
    if (dir === undefined || dir === '') continue;
    let fd: number | undefined;
    try {
      fd = openUnlinked(dir);
      let done = 0;
      while (done < bytes.length) done += writeSync(fd, bytes, done);
      return fd;
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      failures.push((error as Error).message);
    }
  }
  throw new BootError('scratch-failed', `Cannot write "boot module": ${failures.join('; ')}, expected room for ${bytes.length} bytes in one of them`);
}

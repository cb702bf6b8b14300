/**
 * The boot module's file. Owns: a regular file (QEMU maps it, so no pipe will do) that has no name any more when QEMU gets it:
 * nothing is left behind however the launcher ends.
 */
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BootError } from '../errors.ts';

let counter = 0;

export function writeUnlinkedFile(bytes: Uint8Array, env: NodeJS.ProcessEnv): number {
  const failures: string[] = [];
  for (const dir of [env['XDG_RUNTIME_DIR'], '/dev/shm', tmpdir()]) {
    if (dir === undefined || dir === '') continue;
    const path = join(dir, `.hull-${process.pid}-${Date.now().toString(36)}-${counter++}`);
    let fd: number | undefined;
    try {
      fd = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
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

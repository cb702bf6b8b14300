/**
 * Block volumes: ext4 file systems in files, which a machine has as disks. Owns: how they are made, and who may use one: a single machine at a time. QEMU locks
 * the file (fcntl(2), open file description locks); the kernel's list of locks tells it to us before, so that there is one clear error.
 */
import { existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import type { VolumeDisk } from '../../boot/index.ts';
import { formatExt4 } from '../../images/ext4/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';
import { waitUntil } from '../state/index.ts';

export const DEFAULT_BLOCK_SIZE = 1024 ** 3;
/** Of a root's writable layer: sparse, and as large as what Docker's device mapper gave a container. */
const WRITABLE_SIZE = 10 * 1024 ** 3;
/** How long a machine that is gone may still have its files. */
const LEAVE_MS = 5000;

/** A new one at `path`, whole or not at all. */
export function makeBlockFile(path: string, size: number): void {
  const unfinished = `${path}.${process.pid}`;
  try {
    formatExt4(unfinished, size);
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    if ((error as Error).name === 'Ext4Error') throw error;
    throw new EngineError('state-failed', `Cannot create "${path}": ${describeSystemError(error)}, expected room for a block volume`, { cause: error });
  }
}

/**
 * The disk for a root's writable layer in the file `path`, which is made where there is none (`size` bytes, sparse): its directories upper and work are Linux's overlayfs's.
 * EngineError: it cannot be made, is no file, or another machine uses it.
 */
export function openWritable(path: string, size = WRITABLE_SIZE): VolumeDisk {
  if (!existsSync(path)) makeBlockFile(path, size);
  checkBlockFile(path, `"${path}" for what the machine writes`);
  return { name: 'writable', path, readOnly: false };
}

/** The file is there, and no machine uses it. what: how the error calls it. */
export function checkBlockFile(path: string, what: string): void {
  let stat: ReturnType<typeof statSync>;
  try {
    stat = statSync(path);
  } catch (error) {
    throw new EngineError('option-invalid', `Cannot use ${what}: ${describeSystemError(error)}, expected a file with an ext4 file system`, { cause: error });
  }
  if (!stat?.isFile() && !stat?.isBlockDevice()) throw new EngineError('option-invalid', `Cannot use ${what}: it is not a file, expected one with an ext4 file system`);
  // A machine that was killed leaves its files a moment after it looks gone: its last thread has them.
  if (!waitUntil(() => !isLocked(Number(stat.ino)), LEAVE_MS)) throw new EngineError('volume-busy', `Cannot use ${what}: another machine uses it, expected one machine at a time`);
}

/** Lines as in proc_locks(5): "1: OFDLCK ADVISORY READ -1 00:31:4711 100 101". Devices are not compared: overlays show others than stat does. */
function isLocked(inode: number): boolean {
  try {
    return readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .some((line) => new RegExp(`OFDLCK .*[0-9a-f]+:[0-9a-f]+:${inode} (1|2)\\d\\d `).test(line));
  } catch {
    return false; // not a Linux: QEMU's own error tells
  }
}

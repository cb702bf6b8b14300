/**
 * Atomic writes. Owns: temporary names (`<name>.tmp-<pid>-<n>`), so that whoever finds one can tell whether its writer still lives.
 * Rules: a file is complete or absent; a failed write leaves nothing; sweepTemporaries() removes what a killed writer left.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeSystemError, EngineError } from '../errors.ts';

const TEMPORARY = /\.tmp-(\d+)-\d+$/;
let counter = 0;

export function writeAtomically(path: string, bytes: Uint8Array | string, mode = 0o600): void {
  const temporary = `${path}.tmp-${process.pid}-${counter++}`;
  const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  let fd: number | undefined;
  let isMade = false;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    fd = openSync(temporary, 'wx', mode);
    isMade = true;
    for (let done = 0; done < data.length; ) done += writeSync(fd, data, done);
    fsyncSync(fd);
    closeSync(fd);
    fd = undefined;
    renameSync(temporary, path);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    if (isMade) unlinkSync(temporary);
    const { code } = error as NodeJS.ErrnoException;
    const kind = code === 'ENOSPC' || code === 'EDQUOT' ? 'disk-full' : 'state-failed';
    throw new EngineError(kind, `Cannot write "${path}": ${describeSystemError(error)}, expected room for ${data.length} bytes`, { cause: error });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Removes temporary files in `folder` whose writer is gone. */
export function sweepTemporaries(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) {
    const pid = TEMPORARY.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    try {
      unlinkSync(join(folder, name));
    } catch {
      // someone else swept it
    }
  }
}

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
  const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  const write = (fd: number) => {
    for (let done = 0; done < data.length; ) done += writeSync(fd, data, done);
  };
  produceAtomically(path, write, mode, `room for ${data.length} bytes`);
}

/** For what is too large to hold: `write` gets an empty file. Its own errors pass through. */
export function produceAtomically(path: string, write: (fd: number) => void, mode = 0o600, expected = 'room for it'): void {
  const temporary = `${path}.tmp-${process.pid}-${counter++}`;
  let fd: number | undefined;
  let isMade = false;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    fd = openSync(temporary, 'wx', mode);
    isMade = true;
    write(fd);
    fsyncSync(fd);
    closeSync(fd);
    fd = undefined;
    renameSync(temporary, path);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    if (isMade) unlinkSync(temporary);
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const kind = code === 'ENOSPC' || code === 'EDQUOT' ? 'disk-full' : 'state-failed';
    throw new EngineError(kind, `Cannot write "${path}": ${describeSystemError(error)}, expected ${expected}`, { cause: error });
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

/**
 * How hull's files are written. Owns: temporary names (`<name>.tmp-<pid>-<n>`), so that whoever finds one can tell whether its writer
 * still lives. Rules: a file is complete or absent; a failed write leaves nothing; a killed writer leaves a temporary file at most, which
 * sweepTemporaries() removes, and of a cache's file nothing, where the file system has files without names (O_TMPFILE).
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { openNameless } from '../../boot/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';

const TEMPORARY = /\.tmp-(\d+)-\d+$/;
let counter = 0;

type Write = (fd: number) => void;

function writeAll(data: Uint8Array): Write {
  return (fd) => {
    for (let done = 0; done < data.length; ) done += writeSync(fd, data, done);
  };
}

export function writeAtomically(path: string, bytes: Uint8Array | string, mode = 0o600): void {
  const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  sweepTemporaries(dirname(path), path);
  produceAtomically(path, writeAll(data), mode, `room for ${data.length} bytes`);
}

/** The same in a folder that is there. One that is removed meanwhile does not come back: EngineError. */
export function rewriteAtomically(path: string, text: string): void {
  const data = Buffer.from(text);
  sweepTemporaries(dirname(path), path);
  produceIn(path, writeAll(data), 0o600, `room for ${data.length} bytes`);
}

/** For a cache, where the same name means the same bytes: whoever was first has written them. */
export function writeOnce(path: string, bytes: Uint8Array): void {
  produceOnce(path, writeAll(bytes), `room for ${bytes.length} bytes`);
}

/** For what is too large to hold: `write` gets an empty file. Its own errors pass through. */
export function produceAtomically(path: string, write: Write, mode = 0o600, expected = 'room for it'): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw explainFailure(error, path, expected);
  }
  produceIn(path, write, mode, expected);
}

function produceIn(path: string, write: Write, mode: number, expected: string): void {
  const temporary = `${path}.tmp-${process.pid}-${counter++}`;
  let fd: number | undefined;
  let isMade = false;
  try {
    fd = openSync(temporary, 'wx', mode);
    isMade = true;
    write(fd);
    fsyncSync(fd);
    closeSync(fd);
    fd = undefined;
    renameSync(temporary, path);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    if (isMade) rmSync(temporary, { force: true }); // its folder may be gone
    throw explainFailure(error, path, expected);
  }
}

/** The file gets its name when it is complete. */
export function produceOnce(path: string, write: Write, expected = 'room for it'): void {
  const folder = dirname(path);
  let fd: number | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    fd = openNameless(folder, 0o600);
    if (fd !== undefined) {
      write(fd);
      fsyncSync(fd);
      nameFile(fd, path);
    }
  } catch (error) {
    throw explainFailure(error, path, expected);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  if (!existsSync(path)) produceAtomically(path, write, 0o600, expected);
}

/** A file of `folder` that has no name, for what is put down for a while: nothing is left of it. */
export function openScratch(folder: string): number {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const nameless = openNameless(folder, 0o600);
  if (nameless !== undefined) return nameless;
  const temporary = join(folder, `scratch.tmp-${process.pid}-${counter++}`);
  const fd = openSync(temporary, 'wx+', 0o600);
  unlinkSync(temporary);
  return fd;
}

/** linkat(2) with AT_SYMLINK_FOLLOW on /proc/self/fd, which node cannot call and `ln -L` does. Says nothing: the caller looks for the result. */
function nameFile(fd: number, path: string): void {
  spawnSync('ln', ['-L', '-T', '--', '/proc/self/fd/3', path], { stdio: ['ignore', 'ignore', 'ignore', fd] });
}

function explainFailure(error: unknown, path: string, expected: string): unknown {
  if (!(error instanceof Error && 'syscall' in error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  const kind = code === 'ENOSPC' || code === 'EDQUOT' ? 'disk-full' : 'state-failed';
  return new EngineError(kind, `Cannot write "${path}": ${describeSystemError(error)}, expected ${expected}`, { cause: error });
}

export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Removes temporary files in `folder` whose writer is gone; only those of `path` when it is given. */
export function sweepTemporaries(folder: string, path?: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) {
    const pid = TEMPORARY.exec(name)?.[1];
    if (pid === undefined || isProcessAlive(Number(pid))) continue;
    if (path !== undefined && name.replace(TEMPORARY, '') !== basename(path)) continue;
    try {
      unlinkSync(join(folder, name));
    } catch {
      // someone else swept it
    }
  }
}

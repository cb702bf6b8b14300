/**
 * What a killed `hull cc` leaves, and who removes it: the next run. Owns: names that tell whose a file is, by process number (hull-cc-PID-… in the temporary
 * folder, OUT.PID.tmp beside a result). Rule: only what belongs to a process that is gone is touched, and no error comes of it.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function sweep(folder: string, readOwner: (name: string) => string | undefined): void {
  const tryTo = <T>(run: () => T): T | undefined => {
    try {
      return run();
    } catch {
      return undefined; // a folder that cannot be read, or someone else's file
    }
  };
  for (const name of tryTo(() => readdirSync(folder)) ?? []) {
    const owner = readOwner(name);
    if (owner !== undefined && !isAlive(Number(owner))) tryTo(() => rmSync(join(folder, name), { recursive: true, force: true }));
  }
}

/** A temporary folder of this process; those of dead ones go. */
export function makeTemporaryFolder(): string {
  sweep(tmpdir(), (name) => /^hull-cc-(\d+)-\w+$/.exec(name)?.[1]);
  return mkdtempSync(join(tmpdir(), `hull-cc-${process.pid}-`));
}

/** The name under which a result is written before it gets its own; what dead processes left of the same goes. */
export function nameUnfinished(path: string): string {
  const prefix = `${basename(path)}.`;
  sweep(dirname(path), (name) => (name.startsWith(prefix) ? /^(\d+)\.tmp$/.exec(name.slice(prefix.length))?.[1] : undefined));
  return `${path}.${process.pid}.tmp`;
}

/**
 * One at a time, among processes. Owns: a folder of flags, each a file named by its process' pid and start and by a number, so that a name is never used again and a flag
 * whose process is dead can be removed by anyone. Rule: whoever raised its flag and then sees no other has the lock; whoever sees another takes its own down
 * and tries again later. Nothing waits for a clock: a killed holder's lock is free at the next look.
 */
import { mkdirSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../errors.ts';
import { identifyProcess, isSameProcess } from './process.ts';

const RETRY_MS = 4;
let own: string | undefined;
/** Each bundle that is loaded has a copy of this file, with a counter of its own. */
const COPY = Math.random().toString(36).slice(2);
let counter = 0;

function isHeld(flag: string): boolean {
  const [pid, start] = flag.split('-') as [string, string | undefined];
  if (start === undefined) return false;
  return flag.startsWith(`${readOwn()}-`) || isSameProcess(Number(pid), Buffer.from(start, 'hex').toString('latin1'));
}

function readOwn(): string {
  own ??= `${process.pid}-${Buffer.from(identifyProcess(process.pid) ?? '', 'latin1').toString('hex')}`;
  return own;
}

function remove(folder: string, flag: string): void {
  try {
    unlinkSync(join(folder, flag));
  } catch {
    // removed by another, or with its folder
  }
}

/** Others' flags; those of the dead are removed. */
function findOthers(folder: string, mine: string): boolean {
  let hasOthers = false;
  for (const flag of readdirSync(folder)) {
    if (flag === mine) continue;
    if (isHeld(flag)) hasOthers = true;
    else remove(folder, flag);
  }
  return hasOthers;
}

/** Takes the lock if it is free now. The result gives it back. ENOENT when the folder above is not there. */
export function tryLock(folder: string): (() => void) | undefined {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  if (findOthers(folder, '')) return undefined;
  const mine = `${readOwn()}-${COPY}${counter++}`;
  writeFileSync(join(folder, mine), '', { mode: 0o600 });
  if (!findOthers(folder, mine)) return () => remove(folder, mine);
  remove(folder, mine);
  return undefined;
}

export async function withLock<T>(folder: string, what: string, patience: number, act: () => Promise<T> | T): Promise<T> {
  const before = Date.now();
  for (let wait = RETRY_MS; ; wait = Math.min(wait * 1.5, 100)) {
    const release = tryLock(folder);
    if (release !== undefined) {
      try {
        return await act();
      } finally {
        release();
      }
    }
    if (Date.now() - before > patience) {
      throw new EngineError('instance-busy', `Cannot lock ${what}: another hull has held it for ${Math.round(patience / 1000)} seconds, expected it to be done`);
    }
    await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())));
  }
}

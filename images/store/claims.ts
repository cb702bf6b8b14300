/**
 * Who uses the store now. Owns: names by which a file says which process made it, the lock, and leases. Rules: everything a process holds ends
 * with the process, however it ends; nothing of a live process is ever taken away.
 *
 * A file's name begins with its maker: pid, and the process's start time (proc(5), stat field 22), since pids are used again.
 *
 * The lock is a folder. To take it: make a file of an own name, then list the folder; if a live process has a file there too, remove the own one and
 * try again. Of two that made files, at least the later one sees the other's: never do both go on.
 *
 * A lease is a file of lines "+digest" (in use by me, whatever the index says) and "-digest" (I am about to remove it). A dead
 * process's lease tells what it may have left behind.
 */
import { appendFileSync, closeSync, mkdirSync, openSync, readdirSync, readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { explainWrite, StoreError } from './error.ts';
import { readProcessStart } from './process.ts';

const MAKER = /^(\d+)-(\d+)-/;
const PATIENCE_MS = 120_000;

let own: string | undefined;
let counter = 0;

/** A name that no other file of any process has. */
export function makeOwnName(): string {
  // Random: each bundle that is loaded has a counter of its own.
  own ??= `${process.pid}-${readProcessStart('self') ?? '0'}-${Math.random().toString(36).slice(2)}-`;
  return `${own}${counter++}`;
}

/** Whether the process that made a file of this name still runs. */
export function isMakerAlive(name: string): boolean {
  const [, pid, start] = MAKER.exec(name) ?? [];
  if (pid === undefined || start === undefined) return false;
  if (start !== '0') return readProcessStart(Number(pid)) === start;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export function listNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

export function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // someone else removed it
  }
}

const queues = new Map<string, Promise<unknown>>();

/** Does `action` while no other process, and nothing else in this one, does so with the same folder. */
export async function withLock<T>(folder: string, action: () => T | Promise<T>): Promise<T> {
  const before = queues.get(folder) ?? Promise.resolve();
  const turn = before.then(async () => {
    const release = await takeLock(folder);
    try {
      return await action();
    } finally {
      release();
    }
  });
  queues.set(
    folder,
    turn.catch(() => undefined),
  );
  return turn;
}

async function takeLock(folder: string): Promise<() => void> {
  const deadline = Date.now() + PATIENCE_MS;
  const findOther = (except?: string) => {
    for (const name of listNames(folder)) {
      if (name === except) continue;
      if (isMakerAlive(name)) return name;
      removeQuietly(join(folder, name));
    }
    return undefined;
  };
  for (;;) {
    let other = findOther();
    if (other === undefined) {
      const name = makeOwnName();
      const path = join(folder, name);
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        closeSync(openSync(path, 'wx', 0o600));
      } catch (error) {
        throw explainWrite(error, path);
      }
      other = findOther(name);
      if (other === undefined) return () => removeQuietly(path);
      removeQuietly(path);
    }
    if (Date.now() > deadline) {
      throw new StoreError('store-busy', `Cannot lock "${folder}": process ${other.split('-', 1)[0]} holds it for two minutes, expected it to finish: end that process`);
    }
    await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 15));
  }
}

export interface Lease {
  /** Nobody removes these blobs until the release, whether they are there already or come later. Take part in the lock: see Store. */
  keep(digests: readonly string[]): Promise<void>;
  release(): void;
  /** The release of what failed: what came into the store by it and is not needed goes. */
  abandon(): Promise<void>;
  /** Digests of what came into the store by it. */
  readonly made: Set<string>;
}

export interface LeaseFile {
  readonly isAlive: boolean;
  readonly path: string;
  readonly kept: readonly string[];
  readonly doomed: readonly string[];
}

export function writeLease(path: string, sign: '+' | '-', digests: readonly string[]): void {
  try {
    appendFileSync(path, digests.map((digest) => `${sign}${digest}\n`).join(''), { mode: 0o600 });
  } catch (error) {
    throw explainWrite(error, path);
  }
}

export function readLeases(folder: string): LeaseFile[] {
  return listNames(folder).flatMap((name) => {
    const path = join(folder, name);
    const isAlive = isMakerAlive(name);
    let text: string;
    try {
      text = readFileSync(path, 'latin1');
    } catch {
      return []; // released meanwhile
    }
    const lines = text.split('\n').filter((line) => line.length === 72);
    const pick = (sign: string) => lines.filter((line) => line.startsWith(sign)).map((line) => line.slice(1));
    return [{ isAlive, path, kept: pick('+'), doomed: pick('-') }];
  });
}

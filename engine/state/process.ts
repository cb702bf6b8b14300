/**
 * Which process a pid once meant. Owns: an identity that another process with the same number does not have: its start time (proc(5), field 22 of stat) in
 * this boot of the host; elsewhere ps(1) tells the start. Rule: a zombie is dead.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

let boot: string | undefined;

function readBoot(): string {
  if (boot === undefined) {
    try {
      boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    } catch {
      boot = '';
    }
  }
  return boot;
}

/** The identity of a process that runs now; undefined: there is none. */
export function identifyProcess(pid: number): string | undefined {
  if (process.platform !== 'linux') {
    try {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim() || undefined;
    } catch {
      return undefined;
    }
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from field 3 on
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${readBoot()}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

export function isSameProcess(pid: number, identity: string): boolean {
  return identifyProcess(pid) === identity;
}

/** Processes whose working directory is `folder`: those that a killed hull started and did not note. */
export function findProcessesIn(folder: string): number[] {
  let pids: string[];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return pids.map(Number).filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === folder;
    } catch {
      return false;
    }
  });
}

const POLL_MS = 10;

/** Asks until it is so, at most `most` ms; whether it is. Nothing else goes on in this process meanwhile: for what takes a few ms under a lock. */
export function waitUntil(isSo: () => boolean, most: number): boolean {
  for (const until = Date.now() + most; !isSo(); ) {
    if (Date.now() >= until) return false;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
  return true;
}

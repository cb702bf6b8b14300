/**
 * Who holds a port of this host. Owns: the reading of /proc/net/{tcp,udp} and of the descriptors of processes (proc(5)). Rule: only asked for a message after a
 * port was refused; what /proc does not show is not guessed.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import type { Protocol } from './ports.ts';

const LISTENING = '0A';

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Inodes of sockets bound to `port`, whatever their address. */
function findSockets(protocol: Protocol, port: number): Set<string> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const found = new Set<string>();
  for (const file of [protocol, `${protocol}6`]) {
    for (const line of read(`/proc/net/${file}`).split('\n').slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (local?.split(':')[1] === wanted && (protocol === 'udp' || state === LISTENING) && inode !== undefined) found.add(`socket:[${inode}]`);
    }
  }
  return found;
}

function holds(pid: string, sockets: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
      } catch {
        return false;
      }
    });
  } catch {
    return false; // another user's
  }
}

/** "hull run nginx (process 12)", "python3 (process 12)", or undefined when /proc does not show it. */
export function findHolder(protocol: Protocol, port: number): string | undefined {
  const sockets = findSockets(protocol, port);
  if (sockets.size === 0) return undefined;
  let pids: string[];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return undefined;
  }
  const holders = pids.filter((pid) => holds(pid, sockets)).map((pid) => ({ pid, ...describe(pid) }));
  const found = holders.find(({ isMachine }) => isMachine) ?? holders[0];
  return found === undefined ? undefined : `${found.name} (process ${found.pid})`;
}

/** A machine's name is its QEMU's; hull itself listens for machines, too. */
function describe(pid: string): { name: string; isMachine: boolean } {
  const args = read(`/proc/${pid}/cmdline`).split('\0');
  const at = args.indexOf('-name');
  const name = at < 0 ? undefined : args[at + 1];
  if (name?.startsWith('hull run ') === true) return { name, isMachine: true };
  const command = args.findIndex((each, i) => i < 2 && basename(each) === 'hull');
  if (command >= 0 && args[command + 1] === 'run') return { name: 'hull run', isMachine: false };
  if (command >= 0 && args[command + 1] === 'network') return { name: `a machine on network ${args[command + 3]}`, isMachine: false };
  return { name: read(`/proc/${pid}/comm`).trim(), isMachine: false };
}

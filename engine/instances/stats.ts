/**
 * What a running instance uses. Owns: the numbers, from the host's /proc (proc(5)) and QEMU's counters. Rule: those of the whole virtual machine monitor, since that is what the host pays; what cannot be read is 0.
 */
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { askMachine } from './control.ts';
import { type NetworkCounters, readNetworkCounters } from './look.ts';
import type { Instance } from './types.ts';

export interface InstanceStats {
  /** ms since 1970. */
  readonly time: number;
  /** ns of CPU time since QEMU began. */
  readonly cpu: number;
  readonly hostCpus: number;
  /** Bytes that are resident, and the most that the guest can have. */
  readonly memory: number;
  readonly memoryLimit: number;
  readonly blockRead: number;
  readonly blockWritten: number;
  /** undefined: the machine cannot tell. */
  readonly network: NetworkCounters | undefined;
  readonly threads: number;
}

/** sysconf(_SC_CLK_TCK) is 100 on every Linux that node runs on. */
const TICK_NS = 1e7;

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

export async function readStats(instance: Instance): Promise<InstanceStats> {
  const { pid } = instance.state;
  const stat = readText(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from field 3 on
  const status = readText(`/proc/${pid}/status`);
  const readNumber = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  let [blockRead, blockWritten] = [0, 0];
  try {
    for (const { stats } of (await askMachine(instance, 'query-blockstats')) as { stats: { rd_bytes: number; wr_bytes: number } }[]) {
      blockRead += stats.rd_bytes;
      blockWritten += stats.wr_bytes;
    }
  } catch {
    // it ends at this moment
  }
  return {
    time: Date.now(),
    cpu: (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_NS,
    hostCpus: cpus().length,
    memory: readNumber('VmRSS') * 1024,
    memoryLimit: Math.min(instance.config.request.memory, totalmem()),
    blockRead,
    blockWritten,
    network: await readNetworkCounters(instance).catch(() => undefined), // it ends at this moment
    threads: readNumber('Threads'),
  };
}

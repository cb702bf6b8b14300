/** Which process a pid means, for names of files that tell whether their maker still runs. Source: proc(5), field 22 of stat. */
import { readFileSync } from 'node:fs';

/** Its start, in clock ticks since the boot; undefined: there is no such process, or no /proc. */
export function readProcessStart(pid: number | 'self'): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/**
 * What the figures were measured on, and the arithmetic on them. Owns: the description of this machine, medians, the table's text.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';

/** One paragraph: processor, memory, kernel, QEMU, Node, accelerator. */
export function describeMachine(accelerator: string): string {
  const model = cpus()[0]?.model ?? 'unknown processor';
  const qemu = execFileSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' }).split('\n')[0];
  const os = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? type();
  return `${model}, ${cpus().length} CPUs, ${Math.round(totalmem() / 2 ** 30)} GiB; ${os}, kernel ${release()}; ${qemu}; Node ${process.version}; accelerator ${accelerator}`;
}

/** The median of `values` (ms or bytes, any unit). */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[middle]];
  if (low === undefined || high === undefined) throw new RangeError('Cannot take a median: no values, expected at least one');
  return (low + high) / 2;
}

/** A difference with its sign, one place behind the point: "+1.1", "-1.1", "+0.0". */
export function formatDifference(value: number): string {
  const text = Math.abs(value).toFixed(1);
  return `${value < 0 && Number(text) !== 0 ? '-' : '+'}${text}`;
}

/** A plain-text table: the first row is the head; numbers are set to the right. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ');
  const [head, ...body] = rows.map(line);
  return [head, widths.map((width) => '-'.repeat(width)).join('  '), ...body, ''].join('\n');
}

/** The least of `low` + n * `step` (all KiB) with which `works`; what works with less than another amount may be chance and is not looked for. */
export async function findLeast(low: number, high: number, step: number, works: (kib: number) => Promise<boolean>): Promise<number> {
  let [bad, good] = [0, Math.ceil((high - low) / step)];
  if (!(await works(low + good * step))) return Number.NaN;
  while (good - bad > 1) {
    const middle = (bad + good) >> 1;
    if (await works(low + middle * step)) good = middle;
    else bad = middle;
  }
  return low + good * step;
}

/** The TSC's, for a Linux that cannot calibrate it. */
export function findKhz(): number {
  return Math.round(Number(/^cpu MHz\s*: ([\d.]+)/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '2000') * 1000);
}

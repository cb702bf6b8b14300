/** Times as clients send them in queries: seconds since 1970 with a fraction, or RFC 3339. */
import { ApiError } from './error.ts';

/** ns since 1970; undefined: not given. "0" means from the beginning. */
export function readMoment(query: URLSearchParams, name: string): bigint | undefined {
  const text = query.get(name);
  if (text === null || text === '' || text === '0') return undefined;
  const seconds = /^(-?\d+)(?:\.(\d{1,9})\d*)?$/.exec(text);
  if (seconds !== null) return BigInt(seconds[1] as string) * 1_000_000_000n + BigInt((seconds[2] ?? '').padEnd(9, '0'));
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new ApiError('parameter-invalid', `invalid value for "${name}": "${text}", expected seconds since 1970 or a time as in 2026-01-02T13:23:37Z`);
  const fraction = /\.(\d{1,9})/.exec(text)?.[1] ?? '';
  return BigInt(Math.floor(ms / 1000)) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** As Docker writes times before lines of logs. */
export function formatNanoseconds(time: bigint): string {
  const seconds = Number(time / 1_000_000_000n);
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(time % 1_000_000_000n).padStart(9, '0')}Z`;
}

/** ms since 1970: a time, seconds since 1970, or a span before now as Go writes it ("24h"). */
export function readPast(text: string): number {
  const span = [...text.matchAll(/(\d+(?:\.\d+)?)(h|m|s)/g)];
  if (span.length > 0 && span.map(([each]) => each).join('') === text) {
    return Date.now() - span.reduce((sum, [, number, unit]) => sum + Number(number) * ({ h: 3_600_000, m: 60_000, s: 1000 }[unit as 'h' | 'm' | 's'] ?? 0), 0);
  }
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(ms)) throw new ApiError('parameter-invalid', `invalid filter 'until=${text}'`);
  return ms;
}

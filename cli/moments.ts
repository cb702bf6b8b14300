/** Moments as docker's --since and --until take them: seconds since 1970, RFC 3339 or parts of it, or a duration before now. In ns since 1970. */
import { UsageError } from './errors.ts';
import { parseDuration } from './quantities.ts';

export function parseMoment(text: string, flag: string, command: string): bigint {
  const seconds = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (seconds !== null) return BigInt(seconds[1] as string) * 1_000_000_000n + BigInt((seconds[2] ?? '').padEnd(9, '0') || '0');
  const date = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2})(?::?(\d{2})(?::?(\d{2})(\.\d{1,9})?)?)?)?(Z|[+-]\d{2}:\d{2})?$/.exec(text);
  if (date !== null) {
    const [, day, hour = '00', minute = '00', second = '00', fraction = '.0', zone = ''] = date;
    const ms = Date.parse(`${day}T${hour}:${minute}:${second}${zone}`);
    if (!Number.isNaN(ms)) return BigInt(ms) * 1_000_000n + BigInt(fraction.slice(1).padEnd(9, '0'));
  }
  try {
    return BigInt(Math.round(Date.now() - parseDuration(text, flag, command))) * 1_000_000n;
  } catch {
    throw new UsageError(`invalid value for "${flag}": "${text}": expected a time as in 2026-01-02T13:23:37Z, seconds since 1970, or 42m30s`, command);
  }
}

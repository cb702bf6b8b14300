/**
 * Sizes, numbers, durations and signals as a person types them. Rules: Docker's forms (docker/go-units: b, k, m, g, t, powers of 1024, any
 * case, with or without B or iB); errors name what was expected.
 */
import { constants } from 'node:os';
import { UsageError } from './errors.ts';

const UNITS: Record<string, number> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };
/** A machine has no fewer bytes than this: a bare number below it means MiB (`-m 2`). */
const BARE_MEBIBYTES_BELOW = 4096;
const QEMU_LEAST = 1024 * 1024;

export function parseMemory(text: string, command: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text.trim());
  if (match === null) {
    throw new UsageError(`invalid argument "${text}" for "-m, --memory" flag: invalid size: '${text}', expected a number with b, k, m or g`, command);
  }
  const number = Number(match[1]);
  const unit = (match[2] as string).toLowerCase();
  const isBare = /^\d+$/.test(text.trim());
  const bytes = Math.floor(isBare && number < BARE_MEBIBYTES_BELOW ? number * 1024 ** 2 : number * (UNITS[unit] as number));
  if (bytes < QEMU_LEAST) throw new UsageError(`invalid argument "${text}" for "-m, --memory" flag: ${bytes} bytes, expected at least 1m`, command);
  if (bytes > 1024 ** 4) throw new UsageError(`invalid argument "${text}" for "-m, --memory" flag: ${bytes} bytes, expected at most 1t`, command);
  return bytes;
}

/** Bytes: `512m`, `1G`, `2gb`. */
export function parseSize(text: string, flag: string, command: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text.trim());
  if (match === null) throw new UsageError(`invalid argument "${text}" for "--${flag}": invalid size: '${text}', expected a number with b, k, m, g or t`, command);
  return Math.floor(Number(match[1]) * (UNITS[(match[2] as string).toLowerCase()] as number));
}

export function parseCount(text: string, flag: string, least: number, command: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isInteger(number) || number < least) {
    throw new UsageError(`invalid argument "${text}" for "--${flag}" flag: expected a whole number from ${least}`, command);
  }
  return number;
}

export function parseSignal(text: string, command: string): number {
  const name = text.toUpperCase().replace(/^(SIG)?/, 'SIG');
  const signals = constants.signals as Record<string, number>;
  const number = /^\d+$/.test(text) ? Number(text) : signals[name];
  if (number === undefined || number < 1 || number > 64) {
    throw new UsageError(`invalid signal: ${text}, expected a name such as SIGTERM or a number from 1 to 64`, command);
  }
  return number;
}

const DURATION: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** As Go's time.ParseDuration: "1h30m", "1.5s"; in ms. */
export function parseDuration(text: string, flag: string, command: string): number {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/.test(text)) {
    throw new UsageError(`invalid argument "${text}" for "--${flag}" flag: time: invalid duration "${text}", expected one as in 1m30s`, command);
  }
  let total = 0;
  for (const [, number, , unit] of text.matchAll(/(\d+(\.\d*)?)(ns|us|µs|ms|s|m|h)/g)) total += Number(number) * (DURATION[unit as string] as number);
  return total;
}

/** `uid[:gid]`, numbers only: there is no /etc/passwd to look names up in. */
export function parseUser(text: string, command: string): { uid: number; gid: number; groups: readonly number[] } {
  const match = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  if (match === null) throw new UsageError(`invalid argument "${text}" for "-u, --user" flag: expected uid or uid:gid in numbers`, command);
  return { uid: Number(match[1]), gid: Number(match[2] ?? 0), groups: [] };
}

/** Signals as clients name them: "SIGTERM", "term", "15" (signal(7)). */
import { constants } from 'node:os';
import { ApiError } from './error.ts';

export function parseSignal(text: string): number {
  const name = text.toUpperCase().replace(/^(SIG)?/, 'SIG');
  const number = /^\d+$/.test(text) ? Number(text) : (constants.signals as Record<string, number | undefined>)[name];
  if (number === undefined || number < 1 || number > 64) throw new ApiError('parameter-invalid', `invalid signal: ${text}`);
  return number;
}

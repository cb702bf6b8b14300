/** Names of signals. */
import { constants } from 'node:os';

export function formatSignalName(signal: number): string {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0] ?? String(signal);
}

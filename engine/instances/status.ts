/** An instance in words: how long something took as docker/go-units writes it, its status as `docker ps` shows it, and what a port filter means. */
import { readHealth } from './health.ts';
import type { Instance } from './types.ts';

/** "Less than a second", "5 seconds", "About a minute", "3 hours". */
function formatSpan(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.round(seconds / 3600);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

/** The same since an RFC 3339 time. */
export function formatSince(time: string): string {
  return formatSpan(Date.now() - Date.parse(time));
}

function formatHealth(instance: Instance): string {
  const health = readHealth(instance);
  return health === undefined ? '' : ` (${health.status === 'starting' ? 'health: starting' : health.status})`;
}

/** "Up 3 minutes", "Exited (0) 2 hours ago". */
export function formatStatus(instance: Instance): string {
  const { state } = instance;
  switch (state.status) {
    case 'running':
      return `Up ${formatSince(state.startedAt)}${formatHealth(instance)}`;
    case 'paused':
      return `Up ${formatSince(state.startedAt)} (Paused)`;
    case 'created':
      return 'Created';
    case 'dead':
      return 'Dead';
    case 'exited':
      return `Exited (${state.exitCode}) ${state.finishedAt === '' ? 'some time' : formatSince(state.finishedAt)} ago`;
  }
}

/** Whether a filter's text ("80", "8000-8080/tcp") means the port. */
export function matchPort(text: string, port: number, protocol: string): boolean {
  const [range = '', wanted] = text.split('/');
  const [first, last] = range.split('-').map(Number) as [number, number | undefined];
  return port >= first && port <= (last ?? first) && (wanted === undefined || wanted === protocol);
}

/** Times and sizes as docker/go-units writes them for people. */

/** "Less than a second", "5 seconds", "About a minute", "3 hours": since an RFC 3339 time. */
export function formatSince(time: string, now = Date.now()): string {
  return formatSpan(now - Date.parse(time));
}

export function formatSpan(ms: number): string {
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

function scale(bytes: number, base: number, units: readonly string[], digits: number): string {
  let size = bytes;
  let i = 0;
  for (; size >= base && i < units.length - 1; i++) size /= base;
  return `${Number(size.toPrecision(digits))}${units[i]}`;
}

/** Powers of 1000: "12.3kB" */
export const formatBytesShort = (bytes: number) => scale(bytes, 1000, ['B', 'kB', 'MB', 'GB', 'TB', 'PB'], 3);
/** Powers of 1024: "12.3KiB" */
export const formatBytesBinary = (bytes: number) => scale(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'], 4);

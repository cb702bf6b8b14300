/** Sizes as docker/go-units writes them for people. */

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

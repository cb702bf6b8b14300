/** Bytes of a file system in a file. Owns: reads within it, whole. */
import { readSync } from 'node:fs';

/** Reads exactly `size` bytes at `at` of a file of `end` bytes; `damaged` makes the error for what is not there. */
export function makeReadAt(fd: number, end: number, damaged: (what: string) => Error): (at: number, size: number) => Buffer {
  return (at, size) => {
    if (at < 0 || size < 0 || !Number.isSafeInteger(at + size) || at + size > end) throw damaged('it is cut off or damaged');
    const out = Buffer.allocUnsafe(size);
    for (let done = 0; done < size; ) {
      const got = readSync(fd, out, done, size - done, at + done);
      if (got === 0) throw damaged('it is cut off');
      done += got;
    }
    return out;
  };
}

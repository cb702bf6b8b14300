// The name of what was built: images that were linked before, by the libOS and the compiler that are in dist now, need not be linked again.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { listFiles } from './stamp.ts';

/** Hashes the libOS of all instruction sets and the command line, by their bytes. Undefined: nothing was built. */
export function identifyResults(dist: string): string | undefined {
  const files = [`${dist}/libos`, `${dist}/lib`].flatMap((folder) => listFiles(folder));
  if (files.length === 0) return undefined;
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${relative(dist, file)}\0`).update(createHash('sha256').update(readFileSync(file)).digest());
  return hash.digest('hex').slice(0, 16);
}

// The C tools that the build uses (a user of the finished package needs none of them).
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { BuildError, mustRun } from './process.ts';

export interface Toolchain {
  cc: string;
  ar: string;
  /** Goes into every hash, so that another compiler builds again. */
  version: string;
}

function findProgram(names: string[]): string {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      if (folder && existsSync(join(folder, name))) return join(folder, name);
    }
  }
  throw new BuildError('TOOL', `Cannot find "${names[0]}": not on the PATH, expected it from tools/setup.sh`);
}

const versioned = (name: string) => [name, ...[19, 18, 17, 16, 15, 14].map((version) => `${name}-${version}`)];

export async function findToolchain(): Promise<Toolchain> {
  const cc = process.env.HULL_BUILD_CC ?? findProgram(versioned('clang'));
  const ar = findProgram(versioned('llvm-ar'));
  return { cc, ar, version: (await mustRun(cc, ['--version'])).split('\n')[0] ?? '' };
}

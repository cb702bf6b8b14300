/** Go's compiler out of Debian's package (golang-go 1.19), as it runs on this host: for machines of every architecture, without a network. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { makeRoot } from './roots.ts';

/** What the compiler finds elsewhere in the package, by links that lead out of the unpacked root. */
const SHARED = ['src', 'pkg/include', 'test', 'api', 'misc'];

export interface GoCompiler {
  /** `arch`: as Go names it (GOARCH). `cache`: a folder of the caller's, for what it compiles on the way. A static program. */
  build(source: string, program: string, arch: 'amd64' | 'arm64', cache: string): void;
}

/** Or why there is none. */
export function makeGo(): GoCompiler | { reason: string } {
  const made = makeRoot('go', ['golang-go']);
  if ('reason' in made) return made;
  const goroot = join(made.root, 'usr/lib/go-1.19');
  for (const part of SHARED) {
    const link = join(goroot, part);
    if (existsSync(link)) continue;
    rmSync(link, { force: true });
    symlinkSync(join(made.root, 'usr/share/go-1.19', part), link);
  }
  return {
    build(source, program, arch, cache) {
      mkdirSync(cache, { recursive: true });
      const env = {
        GOROOT: goroot, GOARCH: arch, GOCACHE: join(cache, 'cache'), GOPATH: join(cache, 'path'), GO111MODULE: 'off', GOPROXY: 'off', CGO_ENABLED: '0', HOME: cache, PATH: '/usr/bin:/bin',
      };
      execFileSync(join(goroot, 'bin/go'), ['build', '-o', program, source], { env, stdio: ['ignore', 'inherit', 'inherit'] });
    },
  };
}

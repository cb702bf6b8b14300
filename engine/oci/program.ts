/** The program of an image's root file system: where it is, and what it can call. Owns: the reading of both out of an EROFS image. */
import type { RootProgramKernel } from '../images/index.ts';
import { findProgram } from '../roots/index.ts';
import type { StatePaths } from '../state/index.ts';
import { withFiles } from './image-run.ts';

export interface ImageProgramRequest {
  /** The EROFS image, and how messages call it. */
  readonly disk: string;
  readonly name: string;
  /** As typed: looked for in PATH, or relative to the working directory. */
  readonly program: string;
  /** NAME=VALUE. */
  readonly environment: readonly string[];
  readonly workdir: string;
  /** Paths at which the machine has something else than the image. */
  readonly mounted: readonly string[];
  readonly image: { readonly id: string; readonly labels: Readonly<Record<string, string>>; readonly platform?: string | undefined };
  readonly paths: StatePaths;
}

/** A larger program is none that hull cc linked. */
const MOST_LINKED = 1 << 26;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The program's path, and how its kernel is found. */
export function openImageProgram(request: ImageProgramRequest): { readonly program: string } & Pick<RootProgramKernel, 'isa' | 'findReady' | 'findCalls'> {
  const { disk, environment, mounted } = request;
  const search = environment.find((entry) => entry.startsWith('PATH='))?.slice(5) ?? DEFAULT_PATH;
  const program = withFiles(disk, (files) =>
    findProgram(
      (path) => {
        const file = files.stat(path);
        return file === undefined ? undefined : file.kind === 'directory' ? 'directory' : (file.mode & 0o111) !== 0 ? 'executable' : 'file';
      },
      request.name,
      request.program,
      search,
      request.workdir,
      mounted,
    ),
  );
  const names = environment.map((entry) => entry.split('=', 1)[0] as string).sort();
  return {
    program,
    isa: request.image.platform === 'linux/arm64' ? 'aarch64' : undefined,
    findReady: async (add) => {
      const bytes = withFiles(disk, (files) => (files.head(program)?.toString('latin1', 0, 4) === '\x7fELF' ? files.read(program, MOST_LINKED) : undefined));
      const { asLinkedProgram, findLayerKernel } = await import('./kernel-layer.ts');
      const linked = asLinkedProgram(bytes, program);
      return linked ?? findLayerKernel({ ...request.image, disk, program, environment: names, mounted, paths: request.paths }, add);
    },
    async findCalls() {
      if (mounted.length > 0) return undefined; // what is mounted there may be a program or a library, and may change
      const { findRootCalls } = await import('../toolchain/index.ts');
      return withFiles(disk, (files) => {
        const known = new Map<string, Uint8Array | undefined>();
        const root = {
          read(path: string) {
            if (!known.has(path)) known.set(path, files.read(path));
            return known.get(path);
          },
          list: (folder: string) => files.list(folder) ?? [],
        };
        return findRootCalls({ root, program, environment: names, cache: request.paths.analysis });
      });
    },
  };
}

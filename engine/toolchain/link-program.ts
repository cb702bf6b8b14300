/**
 * The compiler, as the engine uses it. Owns: the requests to it. Rule: this file is loaded lazily: only where an image is made or explained.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage, buildRootImage, inspectImage, listRootComponents, renderReport } from '../../compiler/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';
import type { ImageLinker } from '../images/index.ts';
import { openProgram } from '../program.ts';
import { findInRoot } from '../roots/index.ts';
import { findStatePaths, writeAtomically } from '../state/index.ts';
import { analyzeRootProgram } from './analyze-root.ts';

/** `folder`: dist/libos, with a folder for each instruction set. */
export function createImageLinker(folder: string): ImageLinker {
  return {
    async link(program, path, add) {
      const built = buildImage({ program, path, libos: join(folder, isaOfProgram(program)), add, strip: true });
      return { image: built.image, symbols: Buffer.from(built.symbols) };
    },
    async listForRoot(add, calls, isa) {
      const machine = isa ?? 'x86_64';
      return listRootComponents({ machine, libos: join(folder, machine), ...splitChanges(add), calls });
    },
    async linkForRoot(add, calls, isa) {
      const machine = isa ?? 'x86_64';
      const built = buildRootImage({ machine, libos: join(folder, machine), ...splitChanges(add), calls, strip: true });
      return { image: built.image, symbols: Buffer.from(built.symbols) };
    },
  };
}

function splitChanges(changes: readonly string[]): { add: string[]; leaveOut: string[] } {
  return { add: changes.filter((name) => !name.startsWith('-')), leaveOut: changes.filter((name) => name.startsWith('-')).map((name) => name.slice(1)) };
}

function readProgram(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new EngineError('program-invalid', `Cannot read "${path}": ${describeSystemError(error)}, expected a program`, { cause: error });
  }
}

interface OutputOptions {
  readonly add: readonly string[];
  readonly leaveOut: readonly string[];
  readonly strip: boolean;
  /** Files for the map and the symbols. */
  readonly map: string | undefined;
  readonly symbols: string | undefined;
}

const EM_AARCH64 = 183;

/** The instruction set of an ELF file, by its header; of what is none, x86-64's: the compiler says what it is. */
function isaOfProgram(program: Uint8Array): 'x86_64' | 'aarch64' {
  return program.length >= 20 && (program[18] as number) + (program[19] as number) * 256 === EM_AARCH64 ? 'aarch64' : 'x86_64';
}

/** `hull build`: an image for a static executable, and what else was asked for. */
export function buildProgramImage(name: string, output: string, folder: string, options: OutputOptions): void {
  const file = openProgram(name);
  if (file.kind === 'image') {
    throw new EngineError('program-invalid', `Cannot build an image for "${name}": it is one already, expected a static executable`);
  }
  const { add, leaveOut, strip } = options;
  const program = readProgram(file.path);
  const built = buildImage({ program, path: file.path, libos: join(folder, isaOfProgram(program)), add, leaveOut, strip });
  if (options.map !== undefined) writeAtomically(options.map, built.map, 0o644);
  if (options.symbols !== undefined) writeAtomically(options.symbols, built.symbols, 0o644);
  writeAtomically(output, built.image, 0o755);
}

export interface InspectRequest {
  readonly program: string;
  /** A directory in which the program is looked for, as `hull run --rootfs` would. */
  readonly rootfs?: string | undefined;
  /** dist/libos. */
  readonly libos: string;
  readonly env: NodeJS.ProcessEnv;
}

/** `hull inspect`: what is in an image, or what the image of a program would hold. */
export function inspectProgram(request: InspectRequest, asJson: boolean): string {
  const { image, path } = request.rootfs === undefined ? linkForInspection(request) : linkRootForInspection(request, request.rootfs);
  const report = inspectImage(image, path);
  return asJson ? `${JSON.stringify(report, null, 2)}\n` : renderReport(report);
}

function linkForInspection({ program, libos }: InspectRequest): { image: Uint8Array; path: string } {
  const file = openProgram(program);
  const bytes = readProgram(file.path);
  return { image: file.kind === 'image' ? bytes : buildImage({ program: bytes, path: file.path, libos: join(libos, isaOfProgram(bytes)) }).image, path: file.path };
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function linkRootForInspection({ program, libos, env }: InspectRequest, rootfs: string): { image: Uint8Array; path: string } {
  const path = findInRoot(rootfs, program, DEFAULT_PATH, '/');
  const closure = analyzeRootProgram({ root: rootfs, program: path, environment: [], cache: findStatePaths(env).analysis }, true);
  const calls = closure.doubts.length > 0 ? undefined : closure.calls;
  const machine = closure.machine;
  return { image: buildRootImage({ machine, libos: join(libos, machine), calls, closure }).image, path };
}

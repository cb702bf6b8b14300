/**
 * The compiler, as the engine uses it. Owns: the requests to it. Rule: this file is loaded lazily: only where an image is made or explained.
 */
import { readFileSync } from 'node:fs';
import { buildImage, buildRootImage, inspectImage, listRootComponents, renderReport } from '../../compiler/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';
import type { ImageLinker } from '../images/index.ts';
import { openProgram } from '../program.ts';
import { findInRoot } from '../roots/index.ts';
import { findStatePaths, writeAtomically } from '../state/index.ts';
import { analyzeRootProgram } from './analyze-root.ts';

export function createImageLinker(libos: string): ImageLinker {
  return {
    async link(program, path, add) {
      const built = buildImage({ program, path, libos, add, strip: true });
      return { image: built.image, symbols: Buffer.from(built.symbols) };
    },
    async listForRoot(add, calls) {
      return listRootComponents({ libos, ...splitChanges(add), calls });
    },
    async linkForRoot(add, calls) {
      const built = buildRootImage({ libos, ...splitChanges(add), calls, strip: true });
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

/** `hull build`: an image for a static executable, and what else was asked for. */
export function buildProgramImage(name: string, output: string, libos: string, options: OutputOptions): void {
  const file = openProgram(name);
  if (file.kind === 'image') {
    throw new EngineError('program-invalid', `Cannot build an image for "${name}": it is one already, expected a static executable`);
  }
  const { add, leaveOut, strip } = options;
  const built = buildImage({ program: readProgram(file.path), path: file.path, libos, add, leaveOut, strip });
  if (options.map !== undefined) writeAtomically(options.map, built.map, 0o644);
  if (options.symbols !== undefined) writeAtomically(options.symbols, built.symbols, 0o644);
  writeAtomically(output, built.image, 0o755);
}

export interface InspectRequest {
  readonly program: string;
  /** A directory in which the program is looked for, as `hull run --rootfs` would. */
  readonly rootfs?: string | undefined;
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
  return { image: file.kind === 'image' ? bytes : buildImage({ program: bytes, path: file.path, libos }).image, path: file.path };
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function linkRootForInspection({ program, libos, env }: InspectRequest, rootfs: string): { image: Uint8Array; path: string } {
  const path = findInRoot(rootfs, program, DEFAULT_PATH, '/');
  const closure = analyzeRootProgram({ root: rootfs, program: path, environment: [], cache: findStatePaths(env).analysis }, true);
  const calls = closure.doubts.length > 0 ? undefined : closure.calls;
  return { image: buildRootImage({ libos, calls, closure }).image, path };
}

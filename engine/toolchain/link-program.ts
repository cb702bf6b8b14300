/**
 * The compiler, as the engine uses it. Owns: the requests to it. Rule: this file is loaded lazily: only where an image is made or explained.
 */
import { readFileSync } from 'node:fs';
import { buildImage, buildRootImage, inspectImage, listRootComponents, renderReport } from '../../compiler/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';
import type { ImageLinker } from '../images/index.ts';
import { openProgram } from '../program.ts';
import { writeAtomically } from '../state/index.ts';

export function createImageLinker(libos: string): ImageLinker {
  return {
    async link(program, path, add) {
      const built = buildImage({ program, path, libos, add, strip: true });
      return { image: built.image, symbols: Buffer.from(built.symbols) };
    },
    async listForRoot(add, calls) {
      return listRootComponents({ libos, add, calls });
    },
    async linkForRoot(add, calls) {
      const built = buildRootImage({ libos, add, calls, strip: true });
      return { image: built.image, symbols: Buffer.from(built.symbols) };
    },
  };
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

/** `hull inspect`: what is in an image, or what the image of an executable would hold. */
export function inspectProgram(name: string, libos: string, asJson: boolean): string {
  const file = openProgram(name);
  const bytes = readProgram(file.path);
  const image = file.kind === 'image' ? bytes : buildImage({ program: bytes, path: file.path, libos }).image;
  const report = inspectImage(image, file.path);
  return asJson ? `${JSON.stringify(report, null, 2)}\n` : renderReport(report);
}

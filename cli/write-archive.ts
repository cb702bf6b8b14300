/** An archive to a file, which is complete or absent, or to stdout, which must not be a terminal. */
import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { describeSystemError, EngineError } from '../engine/index.ts';
import { UsageError } from './errors.ts';
import { writeTo } from './write-out.ts';

/** Before anything is prepared. */
export function checkArchiveOutput(output: string | undefined, what: string, command: string): void {
  if (output === undefined && process.stdout.isTTY) throw new UsageError(`cowardly refusing to ${what} to a terminal. Use the -o flag or redirect`, command);
}

export async function writeArchive(bytes: AsyncIterable<Uint8Array>, output: string | undefined): Promise<void> {
  if (output === undefined) {
    for await (const chunk of bytes) await writeTo(process.stdout, chunk);
    return;
  }
  const fresh = `${output}.${process.pid}.new`;
  try {
    await pipeline(bytes, createWriteStream(fresh, { flags: 'wx', mode: 0o644 }));
    renameSync(fresh, output);
  } catch (error) {
    rmSync(fresh, { force: true });
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new EngineError('state-failed', `Cannot write "${output}": ${describeSystemError(error)}, expected room for the archive`, { cause: error });
  }
}

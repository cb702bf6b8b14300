/** An archive that a verb makes -> STDOUT, or a file that is complete or absent. */
import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { describeSystemError, EngineError } from '../engine/index.ts';
import { UsageError } from './errors.ts';
import { writeTo } from './write-out.ts';

/** Nobody wants it on a screen. */
export function refuseTerminal(output: string | undefined, command: string): void {
  if (output === undefined && process.stdout.isTTY) throw new UsageError('cowardly refusing to save to a terminal. Use the -o flag or redirect', command);
}

export async function saveArchive(bytes: AsyncIterable<Uint8Array>, output: string | undefined): Promise<void> {
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

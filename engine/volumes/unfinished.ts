/**
 * Volumes that a machine was killed over while it filled them from its image. Owns: how they are known, and that they begin anew. Rules: a marker lies in a volume from before its first file is copied until after the
 * last (libos/mounts/mounts.c has the same name for it), so with it in place everything there is a copy that nobody has seen; the marker goes last.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openExt4 } from '../../images/ext4/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';
import { makeBlockFile } from './block.ts';
import { FILLING, type Volume } from './store.ts';

/** One in a directory begins anew; while no machine has it. */
function emptyDirectory({ name, data }: Volume): void {
  try {
    for (const each of readdirSync(data)) if (each !== FILLING) rmSync(join(data, each), { recursive: true, force: true });
    rmSync(join(data, FILLING), { force: true });
  } catch (error) {
    throw new EngineError('state-failed', `Cannot begin volume "${name}" anew, which was half filled: ${describeSystemError(error)}, expected to write into ${data}`, { cause: error });
  }
}

/** One in a file, which no other machine can have. What cannot be read is left to the machine, which says why. */
function renewFile({ data, size }: Volume): void {
  let isMarked = false;
  try {
    const place = openExt4(data);
    try {
      isMarked = place.list(place.root).has(FILLING);
    } finally {
      place.close();
    }
  } catch (error) {
    if ((error as Error).name !== 'Ext4Error') throw error;
  }
  if (isMarked && size !== undefined) makeBlockFile(data, size);
}

/** With what a killed machine left in it, it is empty again; no machine has it. */
export function emptyUnfinished(volume: Volume): void {
  if (volume.driver === 'block') renewFile(volume);
  else emptyDirectory(volume);
}

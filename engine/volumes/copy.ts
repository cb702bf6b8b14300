/**
 * Copies of whole volumes. Owns: snapshot (a copy that only copies are made of), clone (one to work with), restore (a volume's content becomes a snapshot's). Rules: a copy shares its blocks with the original where
 * the host's file system can (reflinks), else holes stay holes; owners, modes and attributes stay; a volume in use is not copied, since its machine keeps part of it in memory; a volume's new content is
 * complete before the old one goes.
 */
import { execFileSync } from 'node:child_process';
import { renameSync, rmSync } from 'node:fs';
import { describeSystemError, EngineError } from '../errors.ts';
import { createVolume, findVolume, findVolumeUsers, removeVolume, type Volume } from './store.ts';

/** On volumes that are snapshots: what they are of. */
const SNAPSHOT_LABEL = 'hull.snapshot.of';

function requireVolume(volumes: string, name: string): Volume {
  const volume = findVolume(volumes, name);
  if (volume === undefined) throw new EngineError('volume-missing', `get ${name}: no such volume`);
  return volume;
}

function requireUnused(volumes: string, name: string, what: string): void {
  const users = findVolumeUsers(volumes, name);
  if (users.length > 0) throw new EngineError('volume-busy', `${what} ${name}: volume is in use - [${users.join(', ')}]: expected its machines to be stopped and removed, or --force`);
}

/** GNU cp: it knows reflinks, holes and extended attributes, which node does not. */
function copyData(from: string, to: string): void {
  try {
    execFileSync('cp', ['--archive', '--reflink=auto', '--sparse=always', '--no-target-directory', '--', from, to], { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    const said = (error as { stderr?: Buffer }).stderr?.toString().trim();
    throw new EngineError('state-failed', `Cannot copy the volume in "${from}": ${said === undefined || said === '' ? describeSystemError(error) : said}, expected room for it`, { cause: error });
  }
}

export interface CopyOptions {
  readonly labels: Readonly<Record<string, string>>;
  /** Also of a volume in use: what its machine has in memory is not in the copy. */
  readonly force: boolean;
}

/** A further volume with the content of `name`. */
export function copyVolume(volumes: string, name: string, copy: string, options: CopyOptions): Volume {
  const source = requireVolume(volumes, name);
  if (findVolume(volumes, copy) !== undefined) throw new EngineError('option-invalid', `create ${copy}: a volume of that name is there already, expected another name`);
  if (!options.force) requireUnused(volumes, name, 'copy');
  const made = createVolume(volumes, copy, { labels: { ...source.labels, ...options.labels }, driver: source.driver, size: source.size });
  const fresh = `${made.data}.new`;
  try {
    copyData(source.data, fresh);
    rmSync(made.data, { recursive: true });
    renameSync(fresh, made.data);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    removeVolume(volumes, copy);
    throw error;
  }
  return made;
}

export function snapshotVolume(volumes: string, name: string, snapshot: string, force: boolean): Volume {
  return copyVolume(volumes, name, snapshot, { labels: { [SNAPSHOT_LABEL]: name }, force });
}

/** The content of `name` becomes that of `snapshot`; what was there is gone. */
export function restoreVolume(volumes: string, name: string, snapshot: string): Volume {
  const target = requireVolume(volumes, name);
  const source = requireVolume(volumes, snapshot);
  if (source.driver !== target.driver) throw new EngineError('option-invalid', `restore ${name}: "${snapshot}" is a ${source.driver} volume, expected a ${target.driver} one`);
  requireUnused(volumes, name, 'restore');
  const [fresh, old] = [`${target.data}.new`, `${target.data}.old`];
  rmSync(fresh, { recursive: true, force: true });
  rmSync(old, { recursive: true, force: true });
  copyData(source.data, fresh);
  renameSync(target.data, old);
  renameSync(fresh, target.data);
  rmSync(old, { recursive: true, force: true });
  return target;
}

/**
 * Named volumes: $HULL_ROOT/volumes/<name>/{volume.json, _data or volume.img}. Owns: both. Rules: a volume is there when its volume.json is, which is written last and
 * removed first; two hulls may create the same volume at once; a volume in use (a lock file that its machine's hull holds open by pid) is not removed.
 *
 * How a volume keeps owners and modes is decided when it is made, by what its user may do: root keeps them as they are; others keep them beside the
 * files, in extended attributes where the file system has them for users, else in files of their own (QEMU's 9p security models).
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Share } from '../../boot/index.ts';
import { EngineError, describeSystemError } from '../errors.ts';
import { isProcessAlive, writeAtomically } from '../state/index.ts';
import { DEFAULT_BLOCK_SIZE, makeBlockFile } from './block.ts';

export interface Volume {
  readonly name: string;
  readonly created: string;
  readonly labels: Readonly<Record<string, string>>;
  /** It belongs to one run and goes with it. */
  readonly isAnonymous: boolean;
  readonly security: Share['security'];
  /** local: a directory. block: an ext4 file system of `size` bytes in a file. Absent in records of before: local. */
  readonly driver: 'local' | 'block';
  readonly size?: number | undefined;
  /** The directory, or the file. */
  readonly data: string;
}

const INSTANCE_ID = /^[0-9a-f]{64}$/;

/** In a volume while a machine fills it from its image; libos/mounts/mounts.c has the same name. */
export const FILLING = '.hull-filling';

type VolumeRecord = Omit<Volume, 'data' | 'name'>;

const folderOf = (volumes: string, name: string) => join(volumes, name);
const recordOf = (volumes: string, name: string) => join(folderOf(volumes, name), 'volume.json');
const usersOf = (volumes: string, name: string) => join(folderOf(volumes, name), 'users');

const dataOf = (volumes: string, name: string, driver: string | undefined) => join(folderOf(volumes, name), driver === 'block' ? 'volume.img' : '_data');

/** File systems on which a plain user's extended attributes work on every Linux that hull supports. */
const WITH_ATTRIBUTES = new Set(['ext4', 'ext3', 'xfs', 'btrfs', 'zfs', 'f2fs', 'overlay', 'bcachefs']);

function pickSecurity(folder: string): Share['security'] {
  if (process.getuid?.() === 0) return 'passthrough';
  let best = { length: 0, type: '' };
  try {
    for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
      const [before, after] = line.split(' - ') as [string, string | undefined];
      const point = (before.split(' ')[4] ?? '').replaceAll(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
      const isAbove = folder === point || folder.startsWith(point.endsWith('/') ? point : `${point}/`);
      if (after !== undefined && isAbove && point.length >= best.length) best = { length: point.length, type: after.split(' ')[0] as string };
    }
  } catch {
    // not a Linux: files of their own work everywhere
  }
  return WITH_ATTRIBUTES.has(best.type) ? 'mapped-xattr' : 'mapped-file';
}

export function findVolume(volumes: string, name: string): Volume | undefined {
  try {
    const record = JSON.parse(readFileSync(recordOf(volumes, name), 'utf8')) as VolumeRecord;
    return { name, ...record, driver: record.driver ?? 'local', data: dataOf(volumes, name, record.driver) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw new EngineError('state-failed', `Cannot read volume "${name}": ${describeSystemError(error)}, expected ${recordOf(volumes, name)}`, { cause: error });
  }
}

export interface NewVolume {
  readonly labels?: Readonly<Record<string, string>>;
  readonly isAnonymous?: boolean;
  readonly driver?: Volume['driver'];
  /** Of a block volume, in bytes. */
  readonly size?: number | undefined;
}

/** The volume of that name, made now if there is none. */
export function createVolume(volumes: string, name: string, options: NewVolume = {}): Volume {
  const known = findVolume(volumes, name);
  const driver = options.driver ?? 'local';
  if (known !== undefined) {
    if (options.driver === undefined || known.driver === driver) return known;
    throw new EngineError('option-invalid', `create ${name}: a volume of that name is there already with the driver ${known.driver}, expected another name`);
  }
  const folder = folderOf(volumes, name);
  const data = dataOf(volumes, name, driver);
  try {
    mkdirSync(driver === 'block' ? folder : data, { recursive: true, mode: 0o755 });
    if (driver === 'block') makeBlockFile(data, options.size ?? DEFAULT_BLOCK_SIZE);
  } catch (error) {
    if (driver === 'block' && findVolume(volumes, name) === undefined) rmSync(folder, { recursive: true, force: true });
    if ((error as Error).name === 'Ext4Error') throw new EngineError('option-invalid', `create ${name}: ${(error as Error).message}`, { cause: error });
    throw new EngineError('state-failed', `Cannot create volume "${name}": ${describeSystemError(error)}, expected to write into ${volumes}`, { cause: error });
  }
  const record: VolumeRecord = {
    created: new Date().toISOString(),
    labels: options.labels ?? {},
    isAnonymous: options.isAnonymous === true,
    security: pickSecurity(folder),
    driver,
    size: driver === 'block' ? (options.size ?? DEFAULT_BLOCK_SIZE) : undefined,
  };
  writeAtomically(recordOf(volumes, name), `${JSON.stringify(record, null, 2)}\n`);
  return { name, data, ...record };
}

export function listVolumes(volumes: string): Volume[] {
  if (!existsSync(volumes)) return [];
  return readdirSync(volumes)
    .sort()
    .map((name) => findVolume(volumes, name))
    .filter((volume) => volume !== undefined);
}

/** Notes that this process, or the instance of that id, uses the volume. A process' note goes with it, an instance's by releaseVolume. */
export function holdVolume(volumes: string, name: string, instance?: string): () => void {
  const note = instance ?? String(process.pid);
  mkdirSync(usersOf(volumes, name), { recursive: true, mode: 0o700 });
  writeFileSync(join(usersOf(volumes, name), note), '');
  return () => releaseVolume(volumes, name, note);
}

export function releaseVolume(volumes: string, name: string, note: string): void {
  try {
    unlinkSync(join(usersOf(volumes, name), note));
  } catch {
    // removed with the volume
  }
}

/** Processes and instances that use it; notes of those that are no more are removed. */
export function findVolumeUsers(volumes: string, name: string): string[] {
  let notes: string[];
  try {
    notes = readdirSync(usersOf(volumes, name));
  } catch {
    return [];
  }
  return notes.filter((note) => {
    if (INSTANCE_ID.test(note) ? existsSync(join(volumes, '../instances', note)) : isProcessAlive(Number(note))) return true;
    rmSync(join(usersOf(volumes, name), note), { force: true });
    return false;
  });
}

export function removeVolume(volumes: string, name: string): void {
  if (findVolume(volumes, name) === undefined) throw new EngineError('volume-missing', `get ${name}: no such volume`);
  const users = findVolumeUsers(volumes, name);
  if (users.length > 0) {
    const shown = users.map((user) => (INSTANCE_ID.test(user) ? user : `hull run, process ${user}`));
    throw new EngineError('volume-busy', `remove ${name}: volume is in use - [${shown.join(', ')}]`);
  }
  const gone = join(volumes, `.removed-${process.pid}-${name}`); // no volume's name begins with a dot
  try {
    renameSync(folderOf(volumes, name), gone);
    rmSync(gone, { recursive: true, force: true });
  } catch (error) {
    throw new EngineError('state-failed', `Cannot remove volume "${name}": ${describeSystemError(error)}, expected to write into ${volumes}`, { cause: error });
  }
}

/** Of a removal that was cut short, or of single files of a run that was killed. */
function isLeftOver(name: string): boolean {
  const pid = /^\.(?:removed|files)-(\d+)-/.exec(name)?.[1];
  return pid !== undefined && !isProcessAlive(Number(pid));
}

export function sweepLeftOvers(volumes: string): void {
  for (const name of existsSync(volumes) ? readdirSync(volumes) : []) {
    if (isLeftOver(name)) rmSync(join(volumes, name), { recursive: true, force: true });
  }
}

/** Removes volumes that nothing uses: the anonymous ones of runs that were killed, and all of them when asked. Their names. */
export function pruneVolumes(volumes: string, all: boolean): string[] {
  sweepLeftOvers(volumes);
  const unused = listVolumes(volumes).filter((volume) => (all || volume.isAnonymous) && findVolumeUsers(volumes, volume.name).length === 0);
  for (const { name } of unused) removeVolume(volumes, name);
  return unused.map(({ name }) => name);
}

/**
 * Mounts that were asked for -> directories that the machine gets, and what the guest does with them. Owns: what has to be there before the start, and
 * what goes after it. Rule: a machine sees nothing of the host but what was named: a single file is shared in a folder that holds nothing else.
 */
import { cpSync, existsSync, linkSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { GuestMount, Share, VolumeDisk } from '../../boot/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';
import { checkBlockFile } from './block.ts';
import type { MountRequest } from './parse.ts';
import { createVolume, FILLING, holdVolume, removeVolume, sweepLeftOvers, type Volume } from './store.ts';

export interface MountPlan {
  readonly shares: readonly Share[];
  readonly disks: readonly VolumeDisk[];
  readonly mounts: readonly GuestMount[];
  /** Volumes that may be half filled: directories that are, files in which nobody looked. */
  readonly unfinished: readonly Volume[];
  /** After the machine's end: volumes of this run alone go, the others are free again. */
  release(): void;
}

/** Hexadecimal digits for so many bytes. The global object is loaded when it is used, node:crypto with each start (5 ms). */
const makeRandomName = (bytes: number) => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex');

const isRoot = () => process.getuid?.() === 0;
/** Where QEMU runs as a plain user, that user's files are root's in the guest: it can make no others. */
const readOwner = () => (isRoot() ? undefined : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

/** Whether it is a directory; else it is a file. */
function checkBind(request: MountRequest): boolean {
  const source = request.source as string;
  if (request.create === true && !existsSync(source)) {
    try {
      mkdirSync(source, { recursive: true });
    } catch (error) {
      throw new EngineError('option-invalid', `error while creating mount source path '${source}': ${describeSystemError(error)}`, { cause: error });
    }
  }
  try {
    const stat = statSync(source);
    if (!stat.isDirectory() && !stat.isFile()) throw new EngineError('option-invalid', `Cannot mount "${source}": it is neither a file nor a directory, expected one of them`);
    return stat.isDirectory();
  } catch (error) {
    if (error instanceof EngineError) throw error;
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new EngineError('option-invalid', `Cannot mount "${source}": ${describeSystemError(error)}, expected a file or a directory`, { cause: error });
    }
    throw new EngineError('option-invalid', `invalid mount config for type "bind": bind source path does not exist: ${source}`, { cause: error });
  }
}

/**
 * A folder in which `source` is the file `name`, and nothing else is but files like it: a second name of the same file. Where the folder is on another
 * file system, one that is only read is copied.
 */
function exposeFile(folder: string, name: string, source: string, readOnly: boolean): void {
  try {
    linkSync(source, join(folder, name));
    return;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error;
    if (!readOnly) {
      const what = code === 'EXDEV' ? `it is on another file system than "${folder}"` : 'the host refuses a second name for it';
      throw new EngineError('option-invalid', `Cannot mount "${source}" for writing: ${what}, expected :ro, or its directory`, { cause: error });
    }
  }
  cpSync(source, join(folder, name), { preserveTimestamps: true });
}

/** Who uses volumes: this process for a run in the foreground, an instance by its id. */
export interface VolumeUser {
  readonly instance: string;
  /** A folder of the instance's own for single files. */
  readonly files: string;
  /** The volume of a mount without a name, by its target; it outlives the run. */
  readonly anonymous: Readonly<Record<string, string>>;
}

export function planMounts(volumes: string, requests: readonly MountRequest[], user?: VolumeUser): MountPlan {
  const shares: Share[] = [];
  const disks: VolumeDisk[] = [];
  const mounts: GuestMount[] = [];
  const unfinished: Volume[] = [];
  const releases: (() => void)[] = [];
  const seen = new Set<string>();
  const release = () => {
    for (const each of releases.splice(0)) each();
  };
  const share = (path: string, security: Share['security'], readOnly: boolean): string => {
    const tag = `hull${shares.length}`;
    shares.push({ tag, path, security, readOnly });
    return tag;
  };

  /** The disk's name; one disk for all mounts of a file. */
  const disk = (path: string, what: string, readOnly: boolean): string => {
    const at = disks.findIndex((known) => known.path === path);
    const known = disks[at];
    if (known !== undefined) {
      disks[at] = { ...known, readOnly: known.readOnly && readOnly };
      return known.name;
    }
    checkBlockFile(path, what);
    const name = `volume${disks.length}`;
    disks.push({ name, path, readOnly });
    return name;
  };

  /** One share for all single files that may be written to, one for those that may not. */
  const fileFolders = new Map<boolean, { path: string; tag: string }>();
  const makeFileFolder = (readOnly: boolean) => {
    const known = fileFolders.get(readOnly);
    if (known !== undefined) return known;
    const own = user === undefined ? undefined : join(user.files, readOnly ? 'ro' : 'rw');
    const path = own ?? join(volumes, `.files-${process.pid}-${makeRandomName(4)}`); // no volume's name begins with a dot
    if (own !== undefined) rmSync(own, { recursive: true, force: true }); // of the start before
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (own === undefined) releases.push(() => rmSync(path, { recursive: true, force: true }));
    const made = { path, tag: share(path, isRoot() ? 'passthrough' : 'none', readOnly) };
    fileFolders.set(readOnly, made);
    return made;
  };

  try {
    if (requests.length > 0) sweepLeftOvers(volumes);
    for (const request of requests) {
      const { target, readOnly } = request;
      if (seen.has(target)) throw new EngineError('option-invalid', `Duplicate mount point: ${target}`);
      seen.add(target);
      if (request.type === 'tmpfs') {
        mounts.push({ kind: 'tmpfs', target, readOnly, options: request.tmpfs ?? '' });
      } else if (request.type === 'block') {
        const source = request.source as string;
        mounts.push({ kind: 'ext4', disk: disk(source, `"${source}"`, readOnly), target, readOnly });
      } else if (request.type === 'bind') {
        const security = isRoot() ? 'passthrough' : 'none';
        const source = request.source as string;
        if (checkBind(request)) {
          mounts.push({ kind: '9p', tag: share(source, security, readOnly), target, readOnly, owner: readOwner() });
        } else {
          const folder = makeFileFolder(readOnly);
          const name = String(mounts.length);
          exposeFile(folder.path, name, source, readOnly);
          mounts.push({ kind: '9p', tag: `${folder.tag}/${name}`, target, readOnly, owner: readOwner() });
        }
      } else {
        const isAnonymous = request.source === undefined;
        const name = request.source ?? user?.anonymous[target] ?? makeRandomName(32);
        const volume = createVolume(volumes, name, { isAnonymous });
        const letGo = holdVolume(volumes, name, user?.instance);
        // An instance's hold ends when it is removed.
        if (user === undefined) {
          releases.push(() => {
            letGo();
            if (isAnonymous) removeVolume(volumes, name);
          });
        }
        if (volume.driver === 'block') {
          if (request.subpath !== undefined) throw new EngineError('option-invalid', `invalid mount config for type "volume": "${name}" is a block volume, which is mounted whole: expected no volume-subpath`);
          mounts.push({ kind: 'ext4', disk: disk(volume.data, `volume "${name}"`, readOnly), target, readOnly, fill: request.noCopy !== true && !readOnly });
          unfinished.push(volume);
          continue;
        }
        if (existsSync(join(volume.data, FILLING))) unfinished.push(volume);
        const path = request.subpath === undefined ? volume.data : join(volume.data, posix.normalize(`/${request.subpath}`));
        if (!existsSync(path)) throw new EngineError('option-invalid', `invalid mount config for type "volume": subpath does not exist: ${request.subpath}`);
        const tag = share(path, volume.security, readOnly);
        mounts.push({ kind: '9p', tag, target, readOnly, fill: request.noCopy !== true && request.subpath === undefined });
      }
    }
  } catch (error) {
    release();
    throw error;
  }
  // A mount below another comes after it.
  mounts.sort((a, b) => a.target.split('/').length - b.target.split('/').length);
  return { shares, disks, mounts, unfinished, release };
}

/**
 * Mounts that were asked for -> directories that the machine gets, and what the guest does with them. Owns: what has to be there before the start, and
 * what goes after it. Rule: a machine sees nothing of the host but what was named.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { GuestMount, Share } from '../../boot/index.ts';
import { describeSystemError, EngineError } from '../errors.ts';
import type { MountRequest } from './parse.ts';
import { createVolume, holdVolume, removeVolume } from './store.ts';

export interface MountPlan {
  readonly shares: readonly Share[];
  readonly mounts: readonly GuestMount[];
  /** After the machine's end: volumes of this run alone go, the others are free again. */
  release(): void;
}

const isRoot = () => process.getuid?.() === 0;
/** Where QEMU runs as a plain user, that user's files are root's in the guest: it can make no others. */
const readOwner = () => (isRoot() ? undefined : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

function checkBind(request: MountRequest): string {
  const source = request.source as string;
  if (request.create === true && !existsSync(source)) {
    try {
      mkdirSync(source, { recursive: true });
    } catch (error) {
      throw new EngineError('option-invalid', `error while creating mount source path '${source}': ${describeSystemError(error)}`, { cause: error });
    }
  }
  let isDirectory: boolean;
  try {
    isDirectory = statSync(source).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new EngineError('option-invalid', `Cannot mount "${source}": ${describeSystemError(error)}, expected a directory`, { cause: error });
    }
    throw new EngineError('option-invalid', `invalid mount config for type "bind": bind source path does not exist: ${source}`, { cause: error });
  }
  if (!isDirectory) throw new EngineError('option-invalid', `Cannot mount "${source}": it is a file, expected a directory (single files cannot be shared with a machine)`);
  return source;
}

export function planMounts(volumes: string, requests: readonly MountRequest[]): MountPlan {
  const shares: Share[] = [];
  const mounts: GuestMount[] = [];
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

  try {
    for (const request of requests) {
      const { target, readOnly } = request;
      if (seen.has(target)) throw new EngineError('option-invalid', `Duplicate mount point: ${target}`);
      seen.add(target);
      if (request.type === 'tmpfs') {
        mounts.push({ kind: 'tmpfs', target, readOnly, options: request.tmpfs ?? '' });
      } else if (request.type === 'bind') {
        const tag = share(checkBind(request), isRoot() ? 'passthrough' : 'none', readOnly);
        mounts.push({ kind: '9p', tag, target, readOnly, owner: readOwner() });
      } else {
        const isAnonymous = request.source === undefined;
        const name = request.source ?? randomBytes(32).toString('hex');
        const volume = createVolume(volumes, name, { isAnonymous });
        const letGo = holdVolume(volumes, name);
        releases.push(() => {
          letGo();
          if (isAnonymous) removeVolume(volumes, name);
        });
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
  return { shares, mounts, release };
}

/**
 * What an instance changed in the files of its image: `docker diff`, and the layer of `docker commit`. Owns: reading overlayfs's upper directory (images/rootfs/stack.ts) as changes. Rules: what the libOS
 * puts there at each start is not the program's: files that Docker mounts (/etc/hosts and its like) are never listed, directories and mount points only with something in them; a directory that was
 * only copied up, and is as before, is no change.
 */
import { dropOverlayNames, type FilePlace, isOpaque, isWhiteout } from '../../images/index.ts';
import { makeEntry, type WriteEntry } from '../../images/layers/index.ts';
import type { InstanceFiles } from './files.ts';

export interface FileChange {
  /** Docker's numbers: changed, added, deleted. */
  readonly kind: 0 | 1 | 2;
  /** Absolute. */
  readonly path: string;
}

interface Change extends FileChange {
  /** In the upper directory; of what is added or changed. */
  readonly id?: number;
  /** What the image has in the directory is gone. */
  readonly isOpaque?: boolean;
}

/** libos/devfs: written, or made when they are missing, at each start. */
const OWN_FILES = new Set(['/etc/hosts', '/etc/hostname', '/etc/resolv.conf']);
const OWN_FOLDERS = ['/tmp', '/etc', '/root', '/var', '/var/tmp', '/run', '/dev', '/proc', '/sys'];

function isSame(lower: FilePlace<number>, before: number, upper: FilePlace<number>, now: number): boolean {
  const [a, b] = [lower.stat(before), upper.stat(now)];
  return a.kind === b.kind && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

function* findChanges({ instance, lower, upper }: InstanceFiles): Generator<Change> {
  if (upper === undefined) return;
  const { place, top } = upper;
  const stubs = new Set([...OWN_FOLDERS, ...instance.config.request.mounts.map(({ target }) => target)]);
  const isStub = (path: string, id: number): boolean => {
    const { kind, size } = place.stat(id);
    return (kind === 'directory' && (stubs.has(path) || [...stubs].some((stub) => stub.startsWith(`${path}/`)))) || (kind === 'file' && size === 0 && stubs.has(path));
  };
  function* visit(folder: number, before: number | undefined, path: string): Generator<Change> {
    const old = before === undefined ? new Map<string, number>() : lower.list(before);
    const names = place.list(folder);
    // Those that an opaque directory hides.
    const hidden = isOpaque(place, folder) ? [...old.keys()].filter((name) => !names.has(name)) : [];
    for (const name of [...names.keys(), ...hidden].sort()) {
      const at = `${path}/${name}`;
      const id = names.get(name);
      const below = old.get(name);
      if (OWN_FILES.has(at)) continue;
      if (id === undefined || isWhiteout(place.stat(id))) {
        if (below !== undefined) yield { kind: 2, path: at };
        continue;
      }
      const isFolder = place.stat(id).kind === 'directory';
      const merges = isFolder && below !== undefined && lower.stat(below).kind === 'directory';
      const inner = isFolder ? visit(id, merges ? below : undefined, at) : undefined;
      const first = inner?.next();
      const isEmpty = first === undefined || first.done === true;
      const opaque = merges && isOpaque(place, id);
      const isUnchanged = merges ? isSame(lower, below, place, id) : below === undefined && isStub(at, id);
      if (!isUnchanged || !isEmpty || opaque) yield { kind: below === undefined ? 1 : 0, path: at, id, isOpaque: opaque };
      if (inner === undefined || isEmpty) continue;
      yield first.value as Change;
      yield* inner;
    }
  }
  yield* visit(top, lower.root, '');
}

/** Sorted by path; as `docker diff` has it. */
export function listChanges(files: InstanceFiles): FileChange[] {
  return [...findChanges(files)].map(({ kind, path }) => ({ kind, path }));
}

/** The same as a layer of an image (OCI layer.md). */
export function* makeLayerEntries(files: InstanceFiles): Generator<WriteEntry> {
  const { upper } = files;
  if (upper === undefined) return;
  const first = new Map<string, string>();
  for (const { kind, path, id, isOpaque: opaque } of findChanges(files)) {
    const name = path.slice(1);
    const plain = { path: name, mode: 0, uid: 0, gid: 0, mtimeNs: 0n, size: 0 };
    if (kind === 2) yield { ...plain, kind: 'whiteout' };
    if (kind === 2 || id === undefined) continue;
    const made = makeEntry(upper.place, id, name);
    if (made === undefined) continue;
    const xattrs = dropOverlayNames(made.xattrs ?? new Map());
    const { xattrs: _, ...bare } = made;
    const entry: WriteEntry = xattrs.size === 0 ? bare : { ...bare, xattrs };
    const key = made.kind !== 'directory' && upper.place.stat(id).links > 1 ? upper.place.key(id) : undefined;
    const known = key === undefined ? undefined : first.get(key);
    if (key !== undefined && known === undefined) first.set(key, name);
    yield known === undefined ? entry : { ...plain, mode: entry.mode, uid: entry.uid, gid: entry.gid, mtimeNs: entry.mtimeNs, kind: 'hardlink', target: known };
    if (opaque === true) yield { ...plain, kind: 'opaque' };
  }
}

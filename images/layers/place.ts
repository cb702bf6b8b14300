/** Files where they lie -> entries of an archive. Owns: hard links (a further name names the first one) and what archives do not have (sockets). Rule: content is read when it is written. */
import type { FilePlace } from '../rootfs/index.ts';
import type { WriteEntry } from './entry.ts';

/** One file as an entry at `path`. undefined: archives have no such kind. */
export function makeEntry<Id>(place: FilePlace<Id>, id: Id, path: string): WriteEntry | undefined {
  const { kind, mode, uid, gid, size, mtimeNs, device } = place.stat(id);
  if (kind === 'socket') return undefined;
  const xattrs = place.xattrs(id);
  return {
    ...{ path, kind, mode, uid, gid, mtimeNs, size: kind === 'file' ? size : 0 },
    ...(kind === 'symlink' ? { target: place.readLink(id) } : {}),
    ...(device === undefined ? {} : { device }),
    ...(xattrs.size === 0 ? {} : { xattrs }),
    ...(kind === 'file' ? { content: () => place.content(id) } : {}),
  };
}

/** Everything from `id` on, whose own name is `path` ("" for a root that has none). */
export function* walkEntries<Id>(place: FilePlace<Id>, id: Id, path: string): Generator<WriteEntry> {
  const first = new Map<string, string>();
  function* visit(at: Id, name: string): Generator<WriteEntry> {
    const entry = makeEntry(place, at, name);
    if (entry === undefined) return;
    if (entry.kind !== 'directory' && place.stat(at).links > 1) {
      const key = place.key(at);
      const known = first.get(key);
      if (known !== undefined) {
        const { content: _, device: __, xattrs: ___, ...plain } = entry;
        yield { ...plain, kind: 'hardlink', size: 0, target: known };
        return;
      }
      first.set(key, name);
    }
    yield entry;
    if (entry.kind !== 'directory') return;
    for (const [child, next] of [...place.list(at)].sort(([a], [b]) => (a < b ? -1 : 1))) yield* visit(next, name === '' ? child : `${name}/${child}`);
  }
  yield* visit(id, path);
}

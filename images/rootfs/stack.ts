/**
 * Places of files on top of each other, as Linux's overlayfs shows them (Documentation/filesystems/overlayfs.rst), and others mounted in them. Owns: whiteouts, opaque directories, looking a path up.
 * Rules: the top one is the first; directories are one, of other files the upper one counts; links are followed within the whole, as chroot(2) would; nothing above the root.
 */
import type { FilePlace, FileStat } from './files.ts';
import { walkPath } from './walk.ts';

/** A file of one of the places; the places may have ids of any kind. */
interface Layer {
  readonly place: FilePlace<unknown>;
  readonly id: unknown;
}

/** A file as it is seen: the first layer counts, the others are directories below it. */
export interface StackedFile {
  readonly path: string;
  readonly layers: readonly Layer[];
}

export interface StackedPlace extends FilePlace<StackedFile> {
  /** The file at a path; `last`: the last part is followed when it is a link. The path is the one it has without links. undefined: there is none. */
  find(path: string, last: boolean): StackedFile | undefined;
}

const OVERLAY = 'trusted.overlay.';

export const isWhiteout = ({ kind, device }: FileStat): boolean => kind === 'character' && device?.major === 0 && device.minor === 0;

/** What is below an upper directory is not to be seen. */
export const isOpaque = (place: FilePlace<unknown>, id: unknown): boolean => place.xattrs(id).get(`${OVERLAY}opaque`)?.toString() === 'y';

/** What overlayfs keeps for itself is not a file's. */
export function dropOverlayNames(xattrs: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Buffer> {
  return new Map([...xattrs].filter(([name]) => !name.startsWith(OVERLAY)));
}

export interface StackRequest {
  /** The upper one first. `at`: the directory of it that counts. */
  readonly layers: readonly Layer[];
  /** By absolute path. */
  readonly mounts?: ReadonlyMap<string, Layer>;
}

export const layerOf = <Id>(place: FilePlace<Id>, id: Id = place.root): Layer => ({ place: place as FilePlace<unknown>, id });

export function stackPlaces({ layers, mounts = new Map() }: StackRequest): StackedPlace {
  const root: StackedFile = { path: '/', layers };
  const top = ({ layers: [first] }: StackedFile) => first as Layer;
  const numbers = new Map<FilePlace<unknown>, number>();
  const join = (folder: string, name: string) => (folder === '/' ? `/${name}` : `${folder}/${name}`);

  const stat = (file: StackedFile): FileStat => {
    const { place, id } = top(file);
    return place.stat(id);
  };

  const list = (file: StackedFile): Map<string, StackedFile> => {
    const parts = new Map<string, Layer[]>();
    const closed = new Set<string>();
    const count = file.layers.length;
    for (const [number, { place, id }] of file.layers.entries()) {
      for (const [name, child] of place.list(id)) {
        if (closed.has(name)) continue;
        const known = parts.get(name);
        const own = place.stat(child);
        const isLowest = number === count - 1;
        const isFolder = own.kind === 'directory';
        if (!isFolder || isLowest || isOpaque(place, child)) closed.add(name);
        if ((known !== undefined && !isFolder) || (!isLowest && isWhiteout(own))) continue;
        parts.set(name, [...(known ?? []), { place, id: child }]);
      }
    }
    const names = new Map([...parts].map(([name, found]) => [name, { path: join(file.path, name), layers: found }] as [string, StackedFile]));
    for (const [path, mounted] of mounts) {
      const at = path.lastIndexOf('/');
      if ((path.slice(0, at) || '/') === file.path) names.set(path.slice(at + 1), { path, layers: [mounted] });
    }
    return names;
  };

  const readLink = (file: StackedFile) => {
    const { place, id } = top(file);
    return place.readLink(id);
  };

  return {
    root,
    stat,
    list,
    content(file) {
      const { place, id } = top(file);
      return place.content(id);
    },
    readLink,
    xattrs(file) {
      const { place, id } = top(file);
      return dropOverlayNames(place.xattrs(id));
    },
    key(file) {
      const { place, id } = top(file);
      if (!numbers.has(place)) numbers.set(place, numbers.size);
      return `${numbers.get(place)}:${place.key(id)}`;
    },
    find: (path, last) => walkPath(path, last, { root, kindOf: (file) => stat(file).kind, child: (file, name) => list(file).get(name), readLink }),
  };
}

/**
 * Layers on top of each other -> one tree of files (OCI Image Format Specification 1.1, layer.md, "Applying Changesets"). Owns: what an entry does to what is
 * below it. Rules: nothing is unpacked: the tree is in memory, the content goes one after the other into one file that the caller gives; parents are looked
 * up within the tree as chroot(2) would, and a link that would lead above its root is refused, not bent; a removal concerns lower layers only.
 */
import type { FileKind, Tree, TreeEntry, TreeInode } from '../rootfs/index.ts';
import type { ReadEntry } from './entry.ts';
import { LayerError } from './error.ts';
import { encodeName } from './names.ts';

/** A file while layers are put on each other. */
interface Node {
  kind: FileKind;
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  size: number;
  target?: string;
  device?: { readonly major: number; readonly minor: number };
  xattrs?: ReadonlyMap<string, Buffer>;
  children?: Map<string, Node>;
  source?: NonNullable<TreeInode['source']>;
  /** Number of the layer that it is from. */
  layer: number;
}

/** Takes the content of files, one after the other. */
export interface ContentSpool {
  /** The file, for those who read the tree. */
  readonly fd: number;
  /** Appends; the offset at which it begins. */
  append(content: AsyncIterable<Uint8Array>): Promise<number>;
}

const MOST_LINKS = 40;

const makeFolder = (layer: number): Node => ({ kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, size: 0, children: new Map(), layer });

export function createMerger(spool: ContentSpool) {
  const root = makeFolder(0);
  let layer = 0;
  let files = 0;

  /** The directory that `parts` name, made where `makes`; links followed. */
  const enter = (parts: readonly string[], path: string, makes: boolean): Node | undefined => {
    const rest = [...parts];
    const at: Node[] = [root];
    for (let links = 0; rest.length > 0; ) {
      const part = rest.shift() as string;
      if (part === '' || part === '.') continue;
      if (part === '..') {
        if (at.length === 1) throw new LayerError('layer-escapes', `Cannot use "${path}" as a path in a layer: a symbolic link on the way leads out of the root file system, expected a path within it`);
        at.pop();
        continue;
      }
      const here = at.at(-1) as Node;
      let next = here.children?.get(part);
      if (next === undefined) {
        if (!makes) return undefined;
        next = makeFolder(layer);
        here.children?.set(part, next);
      }
      if (next.kind === 'directory') at.push(next);
      else if (next.kind === 'symlink') {
        if (++links > MOST_LINKS) throw new LayerError('layer-invalid', `Cannot use "${path}" as a path in a layer: too many symbolic links on the way, expected at most ${MOST_LINKS}`);
        if (next.target?.startsWith('/') === true) at.length = 1;
        rest.unshift(...(next.target as string).split('/'));
      } else {
        if (!makes) return undefined;
        throw new LayerError('layer-invalid', `Cannot use "${path}" as a path in a layer: "${part}" on the way is a ${next.kind}, expected a directory`);
      }
    }
    return at.at(-1);
  };

  const split = (path: string): [parents: string[], name: string] => {
    const parts = path.split('/');
    const name = parts.pop() as string;
    return [parts, name];
  };

  /** Takes what is from lower layers out of a directory; whether anything is left in it. */
  const removeLower = (folder: Node): boolean => {
    for (const [name, child] of folder.children ?? []) {
      const isKept = child.kind === 'directory' ? removeLower(child) || child.layer === layer : child.layer === layer;
      if (!isKept) folder.children?.delete(name);
    }
    return (folder.children?.size ?? 0) > 0;
  };

  const apply = async (entry: ReadEntry): Promise<void> => {
    const { path, kind } = entry;
    if (kind === 'opaque') {
      const folder = enter(path.split('/'), path, false);
      if (folder !== undefined) removeLower(folder);
      return;
    }
    const [parents, name] = split(path);
    if (kind === 'whiteout') {
      const parent = enter(parents, path, false);
      const gone = parent?.children?.get(name);
      if (gone === undefined) return;
      if (gone.kind === 'directory' ? !removeLower(gone) && gone.layer !== layer : gone.layer !== layer) parent?.children?.delete(name);
      return;
    }
    if (path === '') {
      if (kind !== 'directory') throw new LayerError('layer-invalid', `Cannot use the root as a ${kind}: an entry of a layer says so, expected a directory`);
      Object.assign(root, pickAttributes(entry));
      return;
    }
    const parent = enter(parents, path, true) as Node;
    const before = parent.children?.get(name);
    if (kind === 'directory') {
      if (before?.kind === 'directory') Object.assign(before, pickAttributes(entry), { layer });
      else parent.children?.set(name, { ...makeFolder(layer), ...pickAttributes(entry) });
      return;
    }
    if (kind === 'hardlink') {
      const [targetParents, targetName] = split(entry.target as string);
      const node = enter(targetParents, entry.target as string, false)?.children?.get(targetName);
      if (node === undefined || node.kind === 'directory') {
        throw new LayerError('layer-invalid', `Cannot use "${path}" as a hard link to "${entry.target}": ${node === undefined ? 'there is no such file' : 'that is a directory'}, expected a file that is there already`);
      }
      node.layer = layer; // its new name is this layer's
      parent.children?.set(name, node);
      return;
    }
    const node: Node = { kind, ...pickAttributes(entry), size: entry.size, layer };
    if (kind === 'symlink') node.target = entry.target as string;
    if (entry.device !== undefined) node.device = entry.device;
    if (kind === 'file' && entry.size > 0) {
      const offset = await spool.append(entry.content());
      node.source = { path: Buffer.from(path), fd: spool.fd, offset, stamp: `${layer}:${files++}` };
    }
    parent.children?.set(name, node);
  };

  return {
    /** Puts a further layer on top. `stamp` tells its content from that of other layers. */
    async add(entries: AsyncIterable<ReadEntry>): Promise<void> {
      layer++;
      for await (const entry of entries) await apply(entry);
    },
    finish: (): Tree => freeze(root),
  };
}

function pickAttributes(entry: ReadEntry): Pick<Node, 'mode' | 'uid' | 'gid' | 'mtimeNs'> & { xattrs?: ReadonlyMap<string, Buffer> } {
  const { mode, uid, gid, mtimeNs, xattrs } = entry;
  return { mode, uid, gid, mtimeNs, ...(xattrs === undefined ? {} : { xattrs }) };
}

function freeze(root: Node): Tree {
  const known = new Map<Node, TreeInode>();
  const visit = (node: Node): TreeInode => {
    const before = known.get(node);
    if (before !== undefined) {
      before.links++;
      return before;
    }
    const entries: TreeEntry[] | undefined =
      node.children === undefined
        ? undefined
        : [...node.children]
            .map(([name, child]) => ({ name: encodeName(name), child }))
            .sort((a, b) => Buffer.compare(a.name, b.name))
            .map(({ name, child }) => ({ name, inode: visit(child) }));
    const target = node.target === undefined ? undefined : encodeName(node.target);
    const inode: TreeInode = {
      kind: node.kind,
      mode: node.mode,
      uid: node.uid,
      gid: node.gid,
      mtimeNs: node.mtimeNs,
      size: node.kind === 'file' ? node.size : (target?.length ?? 0),
      links: entries === undefined ? 1 : 2 + entries.filter(({ inode: child }) => child.kind === 'directory').length,
      ...(node.device === undefined ? {} : { device: node.device }),
      ...(target === undefined ? {} : { target }),
      ...(entries === undefined ? {} : { entries }),
      ...(node.xattrs === undefined ? {} : { xattrs: node.xattrs }),
      ...(node.source === undefined ? {} : { source: node.source }),
    };
    if (entries === undefined) known.set(node, inode);
    return inode;
  };
  return { root: visit(root) };
}

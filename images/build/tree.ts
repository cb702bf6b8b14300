/**
 * A root file system, or a build context, as data. Owns: nodes, paths through them, and how a layer changes them (OCI Image Format Specification
 * 1.1, layer.md, "Applying Changesets"). Rules: content stays where it is until somebody wants it; a file with several names is one node; links are followed
 * within the tree only, so no path leads out of it.
 */
import type { LayerEntry } from '../layers/index.ts';

export type NodeKind = 'directory' | 'file' | 'symlink' | 'character' | 'block' | 'fifo';

/** Where a file's bytes are. */
export type Content =
  | { readonly kind: 'host'; readonly path: string | Buffer }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** A part of a file of ours. */
  | { readonly kind: 'part'; readonly file: string; readonly offset: number }
  /** diffId: of the layer that has the file under `path`. */
  | { readonly kind: 'layer'; readonly diffId: string; readonly path: string };

/** As in a layer, but for its place, which is its parent's to know. */
export interface Node extends Omit<LayerEntry, 'path' | 'kind'> {
  readonly kind: NodeKind;
  readonly content?: Content;
  /** Of a file's content: 64 hexadecimal digits; made when it is asked for where it is not known. */
  digest?: string;
  /** Directories: by name, in no order. */
  readonly children?: Map<string, Node>;
}

const MOST_LINKS = 40;

export function makeDirectory(mode = 0o755, owner = { uid: 0, gid: 0 }, mtimeNs = 0n): Node {
  return { kind: 'directory', mode, ...owner, mtimeNs, size: 0, children: new Map() };
}

export function splitPath(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** Absolute, without "." and "..", no slash at the end but for "/". */
export function cleanPath(path: string, workdir = '/'): string {
  const parts: string[] = [];
  for (const part of splitPath(path.startsWith('/') ? path : `${workdir}/${path}`)) {
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return `/${parts.join('/')}`;
}

export interface Found {
  /** Where it really is, links resolved; or would be, when its last parts do not exist. */
  readonly path: string;
  readonly node: Node | undefined;
}

/** What is at a path. followLast: a link there is followed, too. */
export function findNode(root: Node, path: string, followLast = true): Found {
  const rest = splitPath(path);
  const at: { name: string; node: Node | undefined }[] = [];
  const here = () => (at.length === 0 ? root : at.at(-1)?.node);
  for (let links = 0; rest.length > 0; ) {
    const part = rest.shift() as string;
    if (part === '..') {
      at.pop();
      continue;
    }
    const node = here()?.children?.get(part);
    if (node?.kind === 'symlink' && (rest.length > 0 || followLast)) {
      if (++links > MOST_LINKS) return { path: `/${at.map(({ name }) => name).join('/')}`, node: undefined };
      const target = node.target as string;
      if (target.startsWith('/')) at.length = 0;
      rest.unshift(...splitPath(target));
      continue;
    }
    at.push({ name: part, node });
  }
  return { path: `/${at.map(({ name }) => name).join('/')}`, node: here() };
}

/** Every node below `node` with its path relative to it; a directory before what is in it, names in byte order. */
export function* walkTree(node: Node, prefix = ''): Generator<{ path: string; node: Node }> {
  for (const name of sortNames(node.children?.keys() ?? [])) {
    const child = node.children?.get(name) as Node;
    const path = prefix === '' ? name : `${prefix}/${name}`;
    yield { path, node: child };
    if (child.children !== undefined) yield* walkTree(child, path);
  }
}

/** By their bytes in UTF-8, which is by code points. */
export function sortNames(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => (a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))));
}

/** A copy that can be changed without changing the other: directories are copied, files are shared. */
export function cloneTree(node: Node): Node {
  if (node.children === undefined) return node;
  return { ...node, children: new Map([...node.children].map(([name, child]) => [name, cloneTree(child)])) };
}

/** What a layer's index says of a file, with its content's digest. */
export interface IndexedEntry extends LayerEntry {
  readonly digest?: string;
}

/** Changes the tree as a layer says. Whiteouts mean what lower layers have, so they come first, wherever they stand. */
export function applyLayer(root: Node, diffId: string, entries: readonly IndexedEntry[]): Node {
  let top = root;
  for (const { kind, path } of entries) {
    if (kind === 'whiteout') parentOf(top, path)?.children?.delete(path.slice(path.lastIndexOf('/') + 1));
    if (kind === 'opaque') nodeAt(top, path)?.children?.clear();
  }
  for (const entry of entries) {
    if (entry.kind === 'whiteout' || entry.kind === 'opaque') continue;
    if (entry.path === '') {
      top = { ...toNode(entry, diffId), children: top.children as Map<string, Node> };
      continue;
    }
    putNode(top, entry.path, entry.kind === 'hardlink' ? (nodeAt(top, entry.target as string) ?? toNode(entry, diffId)) : toNode(entry, diffId));
  }
  return top;
}

const nodeAt = (root: Node, path: string): Node | undefined => splitPath(path).reduce<Node | undefined>((node, name) => node?.children?.get(name), root);
const parentOf = (root: Node, path: string): Node | undefined => nodeAt(root, path.slice(0, Math.max(0, path.lastIndexOf('/'))));

function toNode(entry: IndexedEntry, diffId: string): Node {
  const { mode, uid, gid, mtimeNs, size, target, device, xattrs, digest } = entry;
  const kind = entry.kind as NodeKind;
  return {
    ...{ kind, mode, uid, gid, mtimeNs, size },
    ...(target === undefined ? {} : { target }),
    ...(device === undefined ? {} : { device }),
    ...(xattrs === undefined || xattrs.size === 0 ? {} : { xattrs }),
    ...(digest === undefined ? {} : { digest }),
    ...(kind === 'file' ? { content: { kind: 'layer' as const, diffId, path: entry.path } } : {}),
    ...(kind === 'directory' ? { children: new Map() } : {}),
  };
}

/** Puts a node at a path, with directories above it where there are none; a directory keeps what is in it. No links are followed. */
export function putNode(root: Node, path: string, node: Node): void {
  const parts = splitPath(path);
  const name = parts.pop() as string;
  let at = root;
  for (const part of parts) {
    let next = at.children?.get(part);
    if (next?.children === undefined) {
      next = makeDirectory();
      at.children?.set(part, next);
    }
    at = next;
  }
  const before = at.children?.get(name);
  if (node.children !== undefined && before?.children !== undefined && before !== node) {
    at.children?.set(name, { ...node, children: new Map([...before.children, ...node.children]) });
  } else at.children?.set(name, node);
}

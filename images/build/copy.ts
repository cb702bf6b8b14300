/**
 * COPY and ADD: sources and a target -> the entries of a layer. Owns: where each file goes and what it becomes. Rules ("Dockerfile reference",
 * COPY): a directory's contents are copied, not itself; a target that ends with a slash, or is a directory already, or has several sources, is a
 * directory; directories on the way that are not there are made, mode 0755; links in the target's path are followed within its root; a
 * file never replaces a directory. The layer holds the directories above its files as they are, so that it changes nothing of them.
 */
import type { WriteEntry } from '../layers/index.ts';
import { type Spools, readContent } from './contents.ts';
import { changeMode, type ModeChange } from './modes.ts';
import { listFiles, type Selected } from './select.ts';
import { cleanPath, findNode, makeDirectory, type Node, sortNames } from './tree.ts';
import type { Owner } from './users.ts';

export interface CopyRequest {
  /** The root file system that is copied into; undefined: none is looked at (--link). */
  readonly base: Node | undefined;
  /** As written, expanded. */
  readonly target: string;
  readonly workdir: string;
  readonly sources: readonly Selected[];
  /** More than one source was written, or one is a pattern. */
  readonly isMany: boolean;
  readonly owner: Owner | undefined;
  readonly mode: ModeChange | undefined;
  readonly excluded: readonly string[];
  readonly keepParents: boolean;
  /** Of directories that are made. */
  readonly mtimeNs: bigint;
}

/** Path, without a slash at the beginning -> what is there then. */
export type Planned = Map<string, Node>;

/** What cannot be copied as it was asked for; the message has no place yet. */
export class CopyProblem extends Error {}

const join = (folder: string, name: string) => (name === '' ? folder : folder === '/' ? `/${name}` : `${folder}/${name}`);

export function planCopy(request: CopyRequest): Planned {
  const planned: Planned = new Map();
  const root = request.base ?? makeDirectory();
  const wanted = cleanPath(request.target, request.workdir);
  const there = findNode(root, wanted);
  const isDirectory = /(^|\/)\.{0,2}$/.test(request.target) || request.isMany || request.keepParents || there.node?.children !== undefined;
  for (const source of request.sources) {
    for (const { path, node } of listFiles(source, request.excluded)) {
      if (node.children !== undefined) {
        const made = request.keepParents ? join(join(there.path, source.kept), path) : join(there.path, path);
        if (path === '' && !request.keepParents) addDirectory(planned, root, made, request);
        else put(planned, root, made, finish(node, request), request);
        continue;
      }
      const name = path !== '' ? path : request.keepParents ? '' : isDirectory ? source.name : '';
      const folder = request.keepParents ? join(there.path, source.kept) : there.path;
      put(planned, root, join(folder, name), finish(node, request), request);
    }
  }
  return planned;
}

/** The node as it will be in the image. */
function finish(node: Node, { owner, mode }: CopyRequest): Node {
  const changed = { ...node, ...(owner ?? {}), ...(mode === undefined || node.kind === 'symlink' ? {} : { mode: changeMode(node, mode) }) };
  return node.children === undefined ? changed : { ...changed, children: new Map() };
}

/** The real path of a file that shall be at `path`: links of the directories above it are followed. */
function settle(root: Node, path: string): string {
  const slash = path.lastIndexOf('/');
  return join(findNode(root, path.slice(0, slash)).path, path.slice(slash + 1));
}

function put(planned: Planned, root: Node, wanted: string, node: Node, request: CopyRequest): void {
  const before = findNode(root, wanted, node.children !== undefined);
  const path = node.children !== undefined && before.node?.children !== undefined ? before.path : settle(root, wanted);
  const inside = path.slice(1);
  const there = planned.get(inside) ?? before.node;
  if (node.children === undefined && there?.children !== undefined) throw new CopyProblem(`"${path}" is a directory in the target, expected no file to replace it`);
  if (node.children !== undefined && there !== undefined && there.children === undefined && there.kind !== 'symlink') {
    throw new CopyProblem(`"${path}" is a file in the target, expected no directory to replace it`);
  }
  addParents(planned, root, path, request);
  planned.set(inside, node);
}

function addParents(planned: Planned, root: Node, path: string, request: CopyRequest): void {
  const slash = path.lastIndexOf('/');
  if (slash > 0) addDirectory(planned, root, path.slice(0, slash), request);
}

/** A directory that has to be there: as it is, or made. */
export function addDirectory(planned: Planned, root: Node, path: string, request: Pick<CopyRequest, 'owner' | 'mtimeNs' | 'base'>): void {
  const inside = path.slice(1);
  if (inside === '' || planned.get(inside)?.children !== undefined) return;
  const slash = path.lastIndexOf('/');
  if (slash > 0) addDirectory(planned, root, path.slice(0, slash), request);
  const there = planned.get(inside) ?? findNode(root, path).node;
  if (there !== undefined && there.children === undefined) throw new CopyProblem(`"${path}" is a file in the target, expected a directory`);
  planned.set(inside, there === undefined ? makeDirectory(0o755, request.owner, request.mtimeNs) : { ...there, children: new Map() });
}

/** The layer's entries, in the order of their paths. */
export function* toEntries(planned: Planned, spools: Spools): Generator<WriteEntry> {
  for (const path of sortNames(planned.keys())) {
    const { content: _, children: __, digest: ___, ...node } = planned.get(path) as Node;
    const whole = planned.get(path) as Node;
    yield { ...node, path, ...(node.kind === 'file' ? { content: () => readContent(whole, spools) } : {}) };
  }
}

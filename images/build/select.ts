/**
 * The sources of COPY and ADD: patterns -> files of a tree. Owns: the patterns (Go's filepath.Match, and ** for any number of directories, as BuildKit
 * has them), and which files a source means. Rules: a source's own links are followed, within its tree; links in a directory are copied as
 * links; a pattern that matches nothing is no error while another source is there, one that matches a link to nothing is.
 */
import { parseIgnore } from './context.ts';
import { findNode, type Node, sortNames, splitPath, walkTree } from './tree.ts';

/** A source as it was found. */
export interface Selected {
  /** Its path in the tree as it was written, without a slash at the beginning; "" is the root. */
  readonly path: string;
  /** The last part of what was written or matched. */
  readonly name: string;
  readonly node: Node;
  /** --parents: what stands after /./, or all of the path. */
  readonly kept: string;
}

/** A pattern matches a link to something that is not there. */
export class BrokenLink extends Error {
  constructor(
    readonly path: string,
    readonly target: string,
  ) {
    super(`"${path}" is a link to "${target}"`);
  }
}

export const hasPattern = (text: string): boolean => /[*?[\\]/.test(text);

const escapeLetter = (letter: string): string => letter.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** What stands between the brackets of a pattern; a range from a later to an earlier letter has none in it. */
function toClass(body: string): string {
  const isNegated = /^[!^]/.test(body);
  const ranges = [...body.slice(isNegated ? 1 : 0).matchAll(/(\\.|[^\\])(?:-(\\.|[^\\]))?/gsu)].map(([, first = '', last = first]) => [first.at(-1) as string, last.at(-1) as string] as const);
  const members = ranges.filter(([first, last]) => first <= last).map(([first, last]) => [first, last].map((letter) => (letter === '-' ? '\\-' : escapeLetter(letter))).join('-')).join('');
  return members === '' ? (isNegated ? '[^/]' : '(?!)') : `[${isNegated ? '^' : ''}${members}]`;
}

/** One path component's pattern. */
function toExpression(pattern: string): RegExp {
  let text = '^';
  for (let at = 0; at < pattern.length; at++) {
    const letter = pattern[at] as string;
    if (letter === '*') text += '[^/]*';
    else if (letter === '?') text += '[^/]';
    else if (letter === '[') {
      const end = pattern.indexOf(']', at + 2);
      if (end < 0) text += '\\[';
      else {
        text += toClass(pattern.slice(at + 1, end));
        at = end;
      }
    } else text += escapeLetter(letter === '\\' && at + 1 < pattern.length ? (pattern[++at] as string) : letter);
  }
  return new RegExp(`${text}$`, 'u');
}

/** Every match of a pattern; none is no error here. BrokenLink. */
export function selectSources(root: Node, pattern: string): Selected[] {
  const pivot = /(?:^|\/)\.\//.exec(pattern.replace(/^\.\//, ''));
  const plain = pattern.replace(/^\.\//, '');
  const keptFrom = pivot === null ? 0 : splitPath(plain.slice(0, pivot.index)).length;
  const make = (parts: readonly string[], node: Node): Selected => ({ path: parts.join('/'), name: parts.at(-1) ?? '', node, kept: parts.slice(keptFrom).join('/') });
  // As BuildKit: a path cannot leave its tree; what would is at its root.
  const parts: string[] = [];
  for (const part of splitPath(pattern)) {
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  if (!hasPattern(pattern)) {
    const { node } = findNode(root, parts.join('/'));
    return node === undefined ? [] : [make(parts, node)];
  }
  const found: Selected[] = [];
  const visit = (node: Node | undefined, at: readonly string[], rest: readonly string[]) => {
    if (node === undefined) return;
    const [part, ...more] = rest;
    if (part === undefined) {
      if (!found.some((each) => each.path === at.join('/'))) found.push(make(at, node));
      return;
    }
    if (part === '**') {
      visit(node, at, more.length === 0 ? ['*'] : more);
      for (const name of sortNames(node.children?.keys() ?? [])) {
        const child = node.children?.get(name);
        if (child?.children !== undefined) visit(child, [...at, name], rest);
      }
      return;
    }
    const expression = toExpression(part);
    for (const name of sortNames(node.children?.keys() ?? [])) {
      if (!expression.test(name)) continue;
      const path = [...at, name].join('/');
      const { node: found } = findNode(root, path);
      if (found === undefined && more.length === 0) throw new BrokenLink(path, node.children?.get(name)?.target ?? '');
      visit(found, [...at, name], more);
    }
  };
  visit(root, [], parts);
  return found;
}

export interface SelectedFile {
  /** Relative to the source; "" is the source itself. */
  readonly path: string;
  readonly node: Node;
}

/** What is copied of a source, without what --exclude leaves out; directories before what is in them. */
export function listFiles(source: Selected, excluded: readonly string[]): SelectedFile[] {
  const ignored = excluded.length === 0 ? undefined : parseIgnore(excluded);
  if (source.node.children === undefined) return ignored?.has(source.name) === true ? [] : [{ path: '', node: source.node }];
  const files: SelectedFile[] = [{ path: '', node: source.node }];
  const needed = new Set<string>();
  const all = [...walkTree(source.node)].filter(({ path }) => ignored?.has(path) !== true && !hasIgnoredParent(path, ignored));
  for (const { path } of all) for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) needed.add(path.slice(0, end));
  const kept = new Set(all.map(({ path }) => path));
  for (const { path, node } of walkTree(source.node)) if (kept.has(path) || needed.has(path)) files.push({ path, node });
  return files;
}

function hasIgnoredParent(path: string, ignored: ReturnType<typeof parseIgnore> | undefined): boolean {
  if (ignored === undefined) return false;
  for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) if (ignored.hasAll(path.slice(0, end))) return true;
  return false;
}

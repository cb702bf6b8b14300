/**
 * The build context as a tree. Owns: directories and tar archives as contexts, and .dockerignore ("Docker Build: Build context", .dockerignore files).
 * Rules: the Dockerfile's own `<name>.dockerignore` comes before `.dockerignore`; what is ignored is not even looked at, unless an exception may lie in it;
 * sockets are no content. Names are text: bytes that are no UTF-8 are kept as images/layers/names.ts does.
 */
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readlinkSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import dockerignore, { type Ignore } from '@balena/dockerignore';
import { decodeName, readLayer } from '../layers/index.ts';
import { BuildError } from './error.ts';
import { makeDirectory, type Node, putNode } from './tree.ts';

export interface BuildContext {
  /** How messages call it. */
  readonly name: string;
  readonly root: Node;
  /** Before anything was ignored: a Dockerfile may be ignored and still be the one. */
  readText(path: string): string | undefined;
  /** Takes out what the ignore file says, which is looked for beside the Dockerfile first. */
  ignore(dockerfile: string | undefined): void;
}

const NS = 1_000_000_000n;
const SLASH = Buffer.from('/');

function failOn(path: string, error: unknown): BuildError {
  return new BuildError('context-invalid', `Cannot read "${path}": ${(error as Error).message}, expected a readable build context`, { cause: error });
}

/** Times are whole seconds: archives without extensions have no more, and layers shall be small. */
const wholeSeconds = (ns: bigint): bigint => (ns / NS) * NS;

export interface Ignored {
  /** A file. */
  has(path: string): boolean;
  /** A directory, and all that is in it. */
  hasAll(path: string): boolean;
}

/** Letters that mean something in expressions and nothing in patterns; an escaped letter is itself. What is in brackets stays. */
const escapeLetters = (pattern: string): string => pattern.replace(/\[[^\]]*\]|\\\w|\\.|[+(){}|^]/g, (part) => (/^[+(){}|^]/.test(part) ? `\\${part}` : /^\\\w/.test(part) ? part.slice(1) : part));

/** One matcher; a small and a capital letter are two. BuildError for what is no pattern. */
function compile(patterns: readonly string[]): Ignore {
  const matcher = dockerignore({ ignorecase: false }).add(patterns.map(escapeLetters));
  try {
    matcher.ignores('any'); // now it makes its expressions
  } catch (cause) {
    if (patterns.length > 1) for (const pattern of patterns) compile([pattern]);
    throw new BuildError('context-invalid', `Cannot leave out "${patterns[0]}": it is no pattern, expected such as *.log, **/cache or [a-z]*`, { cause });
  }
  return matcher;
}

/** What patterns leave out, as .dockerignore and --exclude have them. BuildError. */
export function parseIgnore(patterns: readonly string[]): Ignored {
  const lines = patterns.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  const matcher = compile(lines);
  const hasExceptions = lines.some((line) => line.startsWith('!'));
  const has = (path: string) => matcher.ignores(path);
  return { has, hasAll: (path) => !hasExceptions && has(path) };
}

export function openDirectoryContext(folder: string): BuildContext {
  try {
    if (!statSync(folder).isDirectory()) throw new Error('not a directory');
  } catch (error) {
    throw failOn(folder, error);
  }
  let ignored: Ignored = { has: () => false, hasAll: () => false };
  let root: Node | undefined;
  return {
    name: folder,
    get root() {
      root ??= readDirectory(Buffer.from(folder), '', ignored);
      return root;
    },
    readText: (path) => readOptional(join(folder, path)),
    ignore(dockerfile) {
      const text = (dockerfile === undefined ? undefined : readOptional(join(dirname(dockerfile), `${basename(dockerfile)}.dockerignore`))) ?? readOptional(join(folder, '.dockerignore'));
      if (text !== undefined) ignored = parseIgnore(text.split(/\r?\n/));
    },
  };
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw failOn(path, error);
  }
}

function readDirectory(path: Buffer, inside: string, ignored: Ignored): Node {
  const children = new Map<string, Node>();
  try {
    for (const bytes of readdirSync(path, { encoding: 'buffer' })) {
      const name = decodeName(bytes);
      const at = inside === '' ? name : `${inside}/${name}`;
      if (ignored.hasAll(at)) continue;
      const node = readNode(Buffer.concat([path, SLASH, bytes]), at, ignored);
      if (node === undefined) continue;
      // A directory that is ignored stays for the exceptions in it.
      if (ignored.has(at) && (node.children === undefined || node.children.size === 0)) continue;
      children.set(name, node);
    }
    const stat = statSync(path, { bigint: true });
    return { kind: 'directory', mode: Number(stat.mode & 0o7777n), uid: 0, gid: 0, mtimeNs: wholeSeconds(stat.mtimeNs), size: 0, children };
  } catch (error) {
    throw error instanceof BuildError ? error : failOn(path.toString(), error);
  }
}

function readNode(path: Buffer, inside: string, ignored: Ignored): Node | undefined {
  const stat = lstatSync(path, { bigint: true });
  const plain = { mode: Number(stat.mode & 0o7777n), uid: 0, gid: 0, mtimeNs: wholeSeconds(stat.mtimeNs), size: 0 };
  if (stat.isDirectory()) return readDirectory(path, inside, ignored);
  if (stat.isSymbolicLink()) return { ...plain, kind: 'symlink', mode: 0o777, target: decodeName(readlinkSync(path, { encoding: 'buffer' })) };
  if (stat.isFIFO()) return { ...plain, kind: 'fifo' };
  if (!stat.isFile()) return undefined; // sockets and devices of this host
  return { ...plain, kind: 'file', size: Number(stat.size), content: { kind: 'host', path } };
}

/** A tar archive, compressed or not; its contents go to `file`. */
export async function readArchiveContext(source: AsyncIterable<Uint8Array>, name: string, file: string): Promise<BuildContext> {
  const root = makeDirectory();
  const fd = openSync(file, 'wx', 0o600);
  let offset = 0;
  try {
    for await (const entry of readLayer(source, { isPlain: true })) {
      if (entry.path === '') continue;
      const { kind, mode, size, target } = entry;
      const plain = { mode, uid: 0, gid: 0, mtimeNs: wholeSeconds(entry.mtimeNs), size: 0 };
      if (kind === 'directory') putNode(root, entry.path, { ...plain, kind, children: new Map() });
      else if (kind === 'symlink') putNode(root, entry.path, { ...plain, kind, ...(target === undefined ? {} : { target }) });
      else if (kind === 'fifo') putNode(root, entry.path, { ...plain, kind });
      else if (kind === 'hardlink') {
        const same = findPlain(root, target as string);
        if (same !== undefined) putNode(root, entry.path, same);
      } else if (kind === 'file') {
        const start = offset;
        for await (const chunk of entry.content()) {
          for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
          offset += chunk.length;
        }
        putNode(root, entry.path, { ...plain, kind, size, content: { kind: 'part', file, offset: start } });
      }
    }
  } catch (error) {
    throw new BuildError('context-invalid', `Cannot read "${name}" as a build context: ${(error as Error).message}`, { cause: error });
  } finally {
    closeSync(fd);
  }
  const readText = (path: string) => {
    const node = findPlain(root, path);
    if (node?.content?.kind !== 'part') return undefined;
    return readFileSync(file).subarray(node.content.offset, node.content.offset + node.size).toString('utf8');
  };
  return {
    name,
    root,
    readText,
    ignore: (dockerfile) => ignoreIn(root, dockerfile, readText),
  };
}

/** Takes out of a tree what its ignore file says. */
export function ignoreIn(root: Node, dockerfile: string | undefined, readText: BuildContext['readText']): void {
  const text = (dockerfile === undefined ? undefined : readText(`${dockerfile}.dockerignore`)) ?? readText('.dockerignore');
  if (text !== undefined) dropIgnored(root, '', parseIgnore(text.split(/\r?\n/)));
}

const findPlain = (root: Node, path: string): Node | undefined =>
  path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .reduce<Node | undefined>((node, name) => node?.children?.get(name), root);

function dropIgnored(node: Node, inside: string, ignored: Ignored): void {
  for (const [name, child] of node.children ?? []) {
    const at = inside === '' ? name : `${inside}/${name}`;
    if (child.children !== undefined && !ignored.hasAll(at)) dropIgnored(child, at, ignored);
    if (ignored.hasAll(at) || (ignored.has(at) && (child.children === undefined || child.children.size === 0))) node.children?.delete(name);
  }
}

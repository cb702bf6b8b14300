/**
 * COPY and ADD of a stage. Owns: the way from the instruction to a layer: sources, who owns what, cache key, plan, layer. Rules: the key has the digests of
 * what is copied, its names and modes, never its times; sources are read again only when no record is found.
 */
import { type Expansion, expandWord, findNearest, type Flag, type Instruction, listFlags, makeInstructionError, readFlag, splitArguments, type Word } from '../dockerfile/index.ts';
import { expandFlag, expandPart } from './config.ts';
import { digestContent, fetchContents, readText } from './contents.ts';
import { parseIgnore } from './context.ts';
import { CopyProblem, type CopyRequest, planCopy, type Planned, toEntries } from './copy.ts';
import { BuildError } from './error.ts';
import { parseMode } from './modes.ts';
import { makeKey } from './records.ts';
import { fetchRepository, isGit } from './git.ts';
import { download, isUrl, unpackArchive } from './remote.ts';
import { BrokenLink, hasPattern, listFiles, type Selected, selectSources } from './select.ts';
import type { Session } from './session.ts';
import { findSource } from './sources.ts';
import type { StageState } from './stage.ts';
import { findNode, type Node } from './tree.ts';
import { findOwner, type Owner, UnknownUser } from './users.ts';

/** A change of files that may be cached: its key, and how it is made. */
export interface FileChange {
  readonly key: string;
  /** The layer's diffId; undefined: nothing changed. */
  make(): Promise<string | undefined>;
}

interface Arguments {
  readonly sources: readonly Word[];
  readonly target: Word;
}

function splitSources(instruction: Instruction): Arguments {
  const words = instruction.json?.map((text) => ({ text, offset: instruction.rest.offset })) ?? splitArguments(instruction.rest);
  if (words.length < 2) {
    throw makeInstructionError(instruction, `${instruction.keyword} with ${words.length === 1 ? 'a source and no target' : 'no arguments'}, expected at least one source and the target`, instruction.rest);
  }
  return { sources: words.slice(0, -1), target: words.at(-1) as Word };
}

const isOn = (instruction: Instruction, name: string, expansion: Expansion): boolean => {
  const flag = readFlag(instruction, name);
  return flag !== undefined && /^(true|1)$/i.test(expandFlag(instruction, flag, expansion));
};

/** Files of heredocs, in the order of their words. */
function readHeredocs(instruction: Instruction, session: Session, expansion: Expansion): Selected[] {
  return instruction.heredocs.map(({ name, body, expand }) => {
    const text = expand ? expandLines(body, expansion) : body;
    const bytes = Buffer.from(text);
    const node: Node = { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtimeNs: session.settings.mtimeNs, size: bytes.length, content: { kind: 'bytes', bytes } };
    return { path: name, name, node, kept: name };
  });
}

/** In a heredoc quotes are characters as any other. */
function expandLines(body: string, expansion: Expansion): string {
  return expandWord(body.replace(/["']/g, `${expansion.escape}$&`), expansion);
}

export async function planAdd(instruction: Instruction, session: Session, state: StageState, expansion: Expansion): Promise<FileChange> {
  const isAdd = instruction.keyword === 'ADD';
  const { sources, target } = splitSources(instruction);
  const targetText = expandPart(instruction, target, expansion);
  const from = readFlag(instruction, 'from');
  const isLinked = isOn(instruction, 'link', expansion);
  const base = isLinked ? undefined : await state.readTree();
  const owner = await findFlagOwner(instruction, session, state, expansion);
  const chmod = readFlag(instruction, 'chmod');
  const chmodText = chmod === undefined ? undefined : expandFlag(instruction, chmod, expansion);
  const mode = chmodText === undefined ? undefined : parseMode(chmodText);
  if (chmod !== undefined && mode === undefined) {
    throw makeInstructionError(instruction, `"--chmod=${chmodText}", expected an octal mode such as 0755 or one by letters such as u=rwX,go=rX`, chmod);
  }
  const excludes = listFlags(instruction, 'exclude');
  const excluded = excludes.map((flag) => expandFlag(instruction, flag, expansion));
  for (const [i, flag] of excludes.entries()) await atPart(instruction, flag, () => parseIgnore([excluded[i] as string]));
  const keepParents = isOn(instruction, 'parents', expansion);

  const heredocNames = instruction.heredocs.length;
  const words = sources.filter((word) => !(heredocNames > 0 && /^\d*<</.test(word.text)));
  const found: Selected[] = readHeredocs(instruction, session, expansion);
  // Whether a file is an archive follows from its content, so the key need not know what is in it.
  const archives = new Set<Selected>();
  for (const word of words) {
    const text = expandPart(instruction, word, expansion);
    if (isAdd && isGit(text)) {
      found.push(await addRepository(instruction, session, { text, word, target: targetText, expansion }));
      continue;
    }
    if (isAdd && isUrl(text)) {
      const selected = await addRemote(instruction, session, { text, word, target: targetText, expansion });
      found.push(selected);
      if (isOn(instruction, 'unpack', expansion)) archives.add(selected);
      continue;
    }
    const checksum = readFlag(instruction, 'checksum');
    if (checksum !== undefined) throw makeInstructionError(instruction, `"--checksum" of "${text}", which is no URL, expected it for what is downloaded only`, checksum);
    const source = await findSource(session, instruction, from);
    const matched = selectWritten(instruction, word, text, await source.readTree());
    if (matched.length === 0 && !hasPattern(text)) throw makeMissingError(instruction, word, text, await source.readTree(), from === undefined ? session.context.name : `"${from.value}"`);
    for (const each of matched) {
      found.push(each);
      if (isAdd && (readFlag(instruction, 'unpack') === undefined || isOn(instruction, 'unpack', expansion))) archives.add(each);
    }
  }
  if (found.length === 0) throw makeInstructionError(instruction, 'no source is there: the patterns match nothing, expected at least one file', sources[0]);
  const isMany = sources.length > 1 || found.length > 1;
  if (isMany && !/(^|\/)\.{0,2}$/.test(targetText) && found.length > 1) {
    const node = base === undefined ? undefined : findNode(base, targetText.startsWith('/') ? targetText : `${state.config.WorkingDir ?? ''}/${targetText}`).node;
    if (node?.children === undefined) throw makeInstructionError(instruction, `target "${targetText}" for several sources, expected a directory: a path with "/" at its end`, target);
  }

  const request: CopyRequest = {
    base,
    target: targetText,
    workdir: state.config.WorkingDir || '/',
    sources: [],
    isMany: isMany && found.length > 1,
    owner,
    mode,
    excluded,
    keepParents,
    mtimeNs: session.settings.mtimeNs,
  };
  const listed = [];
  for (const source of found) {
    const files = listFiles(source, excluded);
    listed.push([source.name, source.kept, archives.has(source), await Promise.all(files.map(async ({ path, node }) => describeNode(path, node)))]);
  }
  const key = makeKey(['copy', isLinked ? '' : state.chainId(), request.workdir, targetText, request.isMany, owner ?? null, chmodText ?? null, keepParents, isLinked, session.settings.epoch ?? null, listed]);
  return { key, make: () => makeLayer(instruction, session, request, found, archives) };
}

function selectWritten(instruction: Instruction, word: Word, text: string, root: Node): Selected[] {
  try {
    return selectSources(root, text);
  } catch (error) {
    if (error instanceof BrokenLink) throw makeInstructionError(instruction, `${error.message}, which is not there, expected a link to a file of the same source`, word);
    throw error;
  }
}

async function describeNode(path: string, node: Node): Promise<unknown> {
  const { kind, mode, uid, gid, target, device, xattrs } = node;
  const attributes = [...(xattrs ?? [])].map(([name, value]) => [name, value.toString('base64')]);
  return [path, kind, mode, uid, gid, target ?? null, device ?? null, attributes, kind === 'file' ? await digestContent(node) : null];
}

async function makeLayer(instruction: Instruction, session: Session, request: CopyRequest, found: readonly Selected[], archives: ReadonlySet<Selected>): Promise<string> {
  const planned: Planned = new Map();
  try {
    // Each kind of source has rules of its own; a later one sees what an earlier one made.
    for (const source of found) {
      const archive = archives.has(source) ? await readArchive(source.node, session) : undefined;
      const own = archive === undefined ? { ...request, sources: [source] } : { ...request, sources: [{ ...source, node: archive }], excluded: [], isMany: true };
      const newest = latestTime(own.sources, request.mtimeNs);
      for (const [path, node] of planCopy({ ...own, mtimeNs: newest })) {
        const before = planned.get(path);
        if (before?.children !== undefined && node.children !== undefined && own.sources[0]?.node.children === undefined) continue;
        planned.set(path, node);
      }
    }
  } catch (error) {
    if (error instanceof CopyProblem) throw makeInstructionError(instruction, error.message, instruction.rest);
    throw error;
  }
  const spools = await fetchContents(planned.values(), session.cache);
  return session.cache.write(toEntries(planned, spools), session.settings.epoch);
}

/** Directories that are made are as old as the newest file in them, so that the same sources give the same layer. */
function latestTime(sources: readonly Selected[], otherwise: bigint): bigint {
  let latest: bigint | undefined;
  for (const source of sources) for (const { node } of listFiles(source, [])) if (node.kind !== 'directory' && (latest === undefined || node.mtimeNs > latest)) latest = node.mtimeNs;
  return latest ?? otherwise;
}

async function findFlagOwner(instruction: Instruction, session: Session, state: StageState, expansion: Expansion): Promise<Owner | undefined> {
  const flag = readFlag(instruction, 'chown');
  if (flag === undefined) return undefined;
  const text = expandFlag(instruction, flag, expansion);
  const isByNumber = /^\d+(:\d+)?$/.test(text);
  return findOwnerIn(isByNumber ? undefined : await state.readTree(), text, session, (message) => makeInstructionError(instruction, `"--chown=${text}": ${message}`, flag));
}

/** USER[:GROUP] -> numbers, by the accounts of a root file system, or of none. `fail`: a user or group that is not there as an error at its place. */
export async function findOwnerIn(root: Node | undefined, text: string, session: Session, fail: (message: string) => Error): Promise<Owner> {
  const read = async (path: string) => (root === undefined ? '' : readText(findNode(root, path).node, session.cache));
  try {
    return findOwner(text, { passwd: await read('etc/passwd'), group: await read('etc/group') });
  } catch (error) {
    throw error instanceof UnknownUser ? fail(error.message) : error;
  }
}

interface Remote {
  readonly text: string;
  readonly word: Word;
  readonly target: string;
  readonly expansion: Expansion;
}

/** What fetches a source or reads a pattern knows nothing of the Dockerfile: its errors get their place here. */
async function atPart<T>(instruction: Instruction, part: Word | Flag, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof BuildError) || error.code === 'cache-unwritable') throw error; // a full disk is no fault of a line
    throw new BuildError(error.code, makeInstructionError(instruction, error.message, part).message, { cause: error });
  }
}

async function addRemote(instruction: Instruction, session: Session, { text, word, target, expansion }: Remote): Promise<Selected> {
  const flag = readFlag(instruction, 'checksum');
  const wanted = flag === undefined ? undefined : expandFlag(instruction, flag, expansion);
  if (wanted !== undefined && !/^sha256:[0-9a-f]{64}$/.test(wanted)) throw makeInstructionError(instruction, `"--checksum=${wanted}", expected sha256: and 64 hexadecimal digits`, flag);
  const { node, name } = await atPart(instruction, word, () => download(text, session.work.newPath('download'), session.host.fetchUrl));
  if (wanted !== undefined && wanted !== `sha256:${node.digest}`) throw makeInstructionError(instruction, `"${text}" has the digest sha256:${node.digest}, expected ${wanted}`, flag);
  if (name === '' && target.endsWith('/')) throw makeInstructionError(instruction, `"${text}" has no file name and the target is a directory, expected a target with the file's name`, word);
  return { path: name, name, node, kept: name };
}

/** What is in a repository is copied, as of a directory. */
async function addRepository(instruction: Instruction, session: Session, { text, word, expansion }: Remote): Promise<Selected> {
  const flag = readFlag(instruction, 'checksum');
  const wanted = flag === undefined ? undefined : expandFlag(instruction, flag, expansion);
  if (wanted !== undefined && !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(wanted)) throw makeInstructionError(instruction, `"--checksum=${wanted}" of a git repository, expected a whole commit hash`, flag);
  const { root, commit } = await atPart(instruction, word, () => fetchRepository(text, session.work.newPath('git'), isOn(instruction, 'keep-git-dir', expansion)));
  if (wanted !== undefined && wanted !== commit) throw makeInstructionError(instruction, `"${text}" is at the commit ${commit}, expected ${wanted}`, flag);
  return { path: '', name: '', node: root, kept: '' };
}

/** A local archive is copied as what is in it. */
async function readArchive(node: Node, session: Session): Promise<Node | undefined> {
  const { content } = node;
  if (node.kind !== 'file' || node.size === 0 || (content?.kind !== 'host' && content?.kind !== 'part')) return undefined;
  const [path, offset] = content.kind === 'host' ? [content.path, 0] : [content.file, content.offset];
  return unpackArchive(path, offset, node.size, session.work.newPath('archive'));
}

function makeMissingError(instruction: Instruction, word: Word, text: string, root: Node, where: string): Error {
  const slash = text.replace(/\/+$/, '').lastIndexOf('/');
  const folder = findNode(root, slash < 0 ? '' : text.slice(0, slash)).node;
  const nearest = findNearest(text.slice(slash + 1).replace(/\/+$/, ''), [...(folder?.children?.keys() ?? [])]);
  const expected = nearest === undefined ? 'expected a path in it (is it in .dockerignore?)' : `expected ${slash < 0 ? '' : text.slice(0, slash + 1)}${nearest}`;
  return makeInstructionError(instruction, `"${text}" is not in ${where}, ${expected}`, word);
}

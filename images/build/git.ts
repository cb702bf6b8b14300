/**
 * Git repositories as sources of ADD and as build contexts. Owns: what text names one (docs.docker.com, "Build context", Git repositories: URL#ref:directory), and its files as a tree. Rules: the program git of this host fetches, with
 * the user's own configuration and credentials, and asks nobody anything; one commit is fetched where the server lets it; hooks do not run; modes are those that git keeps, and all times are
 * the commit's, so that the same commit gives the same layer.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { type BuildContext, ignoreIn, openDirectoryContext } from './context.ts';
import { BuildError } from './error.ts';
import { findNode, type Node } from './tree.ts';

export const isGit = (text: string): boolean => /^(git:\/\/|ssh:\/\/|[\w.-]+@[\w.-]+:)/i.test(text) || /^https?:\/\/[^#?]*\.git([#?].*)?$/i.test(text);

export interface Repository {
  readonly root: Node;
  /** Its hash, in hexadecimal digits. */
  readonly commit: string;
}

interface GitSource {
  readonly url: string;
  /** A branch, tag or commit. */
  readonly ref: string;
  readonly folder: string;
  /** The commit that it has to be. */
  readonly commit: string | undefined;
  readonly keepGit: boolean;
  readonly hasSubmodules: boolean;
}

const QUERIES: readonly string[] = ['ref', 'branch', 'tag', 'subdir', 'checksum', 'commit', 'keep-git-dir', 'submodules'];

/** URL#ref:directory, or URL?branch=…&subdir=… and more. */
function parseSource(text: string): GitSource {
  const [address = '', fragment = ''] = text.split('#', 2);
  const [url = '', query = ''] = address.split('?', 2);
  const [ref = '', folder = ''] = fragment.split(':', 2);
  const values = new URLSearchParams(query);
  for (const key of values.keys()) if (!QUERIES.includes(key)) throw fail(text, `"${key}" is asked of it`, QUERIES.join(', '));
  const named = (prefix: string, key: string) => (values.has(key) ? `${prefix}${values.get(key)}` : undefined);
  const isOn = (key: string, otherwise: boolean) => (values.has(key) ? !/^(false|0)$/i.test(values.get(key) as string) : otherwise);
  const asked = ref !== '' ? ref : (named('refs/heads/', 'branch') ?? named('refs/tags/', 'tag') ?? named('', 'ref'));
  const commit = values.get('checksum') ?? values.get('commit') ?? undefined;
  return { url, ref: asked ?? commit ?? 'HEAD', folder: folder !== '' ? folder : (values.get('subdir') ?? ''), commit, keepGit: isOn('keep-git-dir', false), hasSubmodules: isOn('submodules', true) };
}

const fail = (text: string, why: string, expected: string, cause?: unknown) => new BuildError('download-failed', `Cannot fetch "${text}": ${why}, expected ${expected}`, { cause });

/**
 * Git starts programs that do the transfers, and none of them looks after hull. All are one process group, and one shell in it waits for the end of its standard input, which is ours: that comes however hull ends. It is a
 * child, not git's parent, so that git's end is seen at once.
 */
const GROUP = 'exec 3<&0; { read -r _; kill -KILL 0; } <&3 >/dev/null 2>&1 & exec "$@" </dev/null 3<&-';

/** What it prints; a BuildError with its last line where it fails. */
function runGit(text: string, folder: string, args: readonly string[]): Promise<string> {
  const git = ['git', '-C', folder, '-c', 'core.hooksPath=/dev/null', '-c', 'advice.detachedHead=false', '-c', 'http.lowSpeedLimit=1', '-c', 'http.lowSpeedTime=60', ...args];
  const child = spawn('sh', ['-c', GROUP, 'sh', ...git], {
    env: { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_ASKPASS: 'true', SSH_ASKPASS: 'true', GIT_DIR: undefined, GIT_WORK_TREE: undefined, GIT_INDEX_FILE: undefined },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  child.stdin.on('error', () => {}); // nobody reads it any more
  let [output, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors = `${errors}${chunk.toString()}`.slice(-4096)));
  return new Promise<string>((resolve, reject) => {
    child.on('error', (error) => reject(fail(text, `"sh" does not start (${error.message})`, 'a shell in PATH', error)));
    child.on('close', (code) => {
      child.stdin.end();
      if (code === 0) return resolve(output.trim());
      if (code === 127) return reject(fail(text, 'no program "git" in PATH', 'git (Debian: apt-get install git)'));
      const lines = errors.trim().split('\n').filter((line) => /^(fatal|error|remote):/i.test(line));
      reject(fail(text, (lines.at(-1) ?? `git ${args[0]} ends with ${code}`).replace(/^(fatal|error): /i, ''), 'a repository and a branch, tag or commit that git can fetch'));
    });
  });
}

/** `folder`: a path for the checkout, not there yet. The tree has .git only where it is kept. */
export async function fetchRepository(text: string, folder: string, keepGit: boolean): Promise<Repository> {
  const { url, ref, folder: inside, commit: wanted, ...options } = parseSource(text);
  if (ref.startsWith('-')) throw fail(text, `"${ref}" is no name of a commit`, 'a branch, tag or commit');
  mkdirSync(folder, { mode: 0o700 });
  const git = (...args: string[]) => runGit(text, folder, args);
  await git('init', '-q');
  await git('remote', 'add', 'origin', url);
  try {
    await git('fetch', '-q', '--depth', '1', '--no-tags', 'origin', ref);
    await git('checkout', '-q', 'FETCH_HEAD');
  } catch {
    // A server without shallow copies, or a commit that no branch or tag is at: all of it, then.
    await git('fetch', '-q', '--tags', 'origin', '+refs/heads/*:refs/remotes/origin/*', ...(ref === 'HEAD' ? ['HEAD'] : []));
    const short = ref.replace(/^refs\/(heads|tags)\//, '');
    const names = ref === 'HEAD' ? ['FETCH_HEAD'] : [`refs/remotes/origin/${short}`, `refs/tags/${short}`, ref];
    let found: string | undefined;
    for (const name of names) found ??= await git('rev-parse', '-q', '--verify', `${name}^{commit}`).catch(() => undefined);
    if (found === undefined) throw fail(text, `it has no branch, tag or commit "${ref}"`, 'one that is there');
    await git('checkout', '-q', found);
  }
  if (options.hasSubmodules) await git('submodule', 'update', '-q', '--init', '--recursive', '--depth', '1');
  const [commit = '', seconds = '0'] = (await git('log', '-1', '--format=%H %ct')).split(' ');
  if (wanted !== undefined && !commit.startsWith(wanted)) throw fail(text, `it is at the commit ${commit}`, wanted);
  const { root } = openDirectoryContext(folder);
  if (!keepGit && !options.keepGit) dropGit(root);
  settle(root, BigInt(seconds) * 1_000_000_000n);
  const { node } = findNode(root, inside);
  if (node?.children === undefined) throw fail(text, `it has no directory "${inside}"`, 'one that is there');
  return { root: node, commit };
}

/** Its own, and those of its submodules. */
function dropGit(node: Node): void {
  node.children?.delete('.git');
  for (const child of node.children?.values() ?? []) dropGit(child);
}

/** Git keeps one bit of a mode and no time: what a checkout makes of them is the umask's and the moment's. */
function settle(node: Node, mtimeNs: bigint): void {
  for (const [name, child] of node.children ?? []) {
    const mode = child.kind === 'directory' ? 0o755 : child.kind === 'file' ? ((child.mode & 0o100) === 0 ? 0o644 : 0o755) : child.mode;
    const settled: Node = { ...child, mode, mtimeNs };
    node.children?.set(name, settled);
    settle(settled, mtimeNs);
  }
}

/** A repository, or a directory of it, as a build's context. */
export async function openGitContext(text: string, folder: string): Promise<BuildContext> {
  const { root } = await fetchRepository(text, folder, false);
  const readText = (path: string) => {
    const { content } = findNode(root, path).node ?? {};
    return content?.kind === 'host' ? readFileSync(content.path, 'utf8') : undefined;
  };
  return { name: text, root, readText, ignore: (dockerfile) => ignoreIn(root, dockerfile, readText) };
}

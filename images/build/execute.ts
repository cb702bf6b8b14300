/**
 * RUN of a stage. Owns: the way from the instruction to a layer: command, environment, mounts, cache key, sandbox, what changed. Rules ("Dockerfile
 * reference", RUN): ARG values are in the environment; the shell gets heredocs as they stand, and a heredoc alone is the script itself, by its own
 * interpreter when it begins with "#!"; caches and secrets change no key, what is bound from a stage or the context does.
 */
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Expansion, expectOneOf, expandWord, type Flag, type Instruction, listFlags, makeInstructionError, readFlag } from '../dockerfile/index.ts';
import type { FileChange } from './add.ts';
import { DEFAULT_PATH, expandFlag, toCommand } from './config.ts';
import { digestContent, fetchContents, readText } from './contents.ts';
import { BuildError } from './error.ts';
import { type Mount, MountProblem, parseMount } from './mounts.ts';
import { materialize, packUpper, unpackLayer } from './overlay.ts';
import type { Step } from './progress.ts';
import { removeTree } from './privileges.ts';
import { makeKey } from './records.ts';
import { explainForeign } from './foreign.ts';
import { checkSandbox, runInSandbox, type SandboxMount } from './sandbox.ts';
import { formatPlatform } from '../store/index.ts';
import type { Session } from './session.ts';
import { findSource } from './sources.ts';
import type { StageState } from './stage.ts';
import { cleanPath, findNode, type Node, walkTree } from './tree.ts';
import { findProcessUser, type ProcessUser, UnknownUser } from './users.ts';
import { PREDEFINED } from './variables.ts';
import { finish } from './work-folder.ts';

const SCRIPT = '/dev/.hull-script';
const NETWORKS = ['default', 'none', 'host'];

interface BoundMount {
  readonly mount: Mount;
  readonly flag: Flag;
  readonly target: string;
  /** bind: what is bound; cache: what it begins with. */
  readonly node?: Node;
}

function readCommand(instruction: Instruction, state: StageState): { argv: string[]; script?: string } {
  const { rest, heredocs, json } = instruction;
  const [first] = heredocs;
  if (json !== undefined || first === undefined) return { argv: toCommand(instruction, state.config) };
  const isAlone = heredocs.length === 1 && /^<<-?\S+$/.test(rest.text);
  if (isAlone && first.body.startsWith('#!')) return { argv: [SCRIPT], script: first.body };
  const text = isAlone ? first.body : `${rest.text}\n${heredocs.map(({ name, body }) => `${body}${name}`).join('\n')}`;
  return { argv: [...toCommand({ ...instruction, rest: { ...rest, text } }, state.config)] };
}

function readMounts(instruction: Instruction, state: StageState, expansion: Expansion): Omit<BoundMount, 'node'>[] {
  return listFlags(instruction, 'mount').map((flag, i) => {
    try {
      const raw = parseMount(flag.value.includes('$') ? expandFlag(instruction, flag, expansion) : flag.value);
      const target = raw.target ?? (raw.type === 'ssh' ? `/run/buildkit/ssh_agent.${i}` : raw.env === undefined ? `/run/secrets/${raw.id ?? basename(raw.source)}` : '');
      return { mount: raw, flag, target: target === '' ? '' : cleanPath(expandWord(target, expansion), state.config.WorkingDir || '/') };
    } catch (error) {
      if (error instanceof MountProblem) throw makeInstructionError(instruction, error.message, { offset: flag.valueOffset, length: flag.length });
      throw error;
    }
  });
}

async function findBound(instruction: Instruction, session: Session, { mount, flag, target }: Omit<BoundMount, 'node'>): Promise<BoundMount> {
  if (mount.type !== 'bind' && (mount.type !== 'cache' || mount.from === undefined)) return { mount, flag, target };
  const source = await findSource(session, instruction, mount.from === undefined ? undefined : { value: mount.from, offset: flag.offset, length: flag.length });
  const { node } = findNode(await source.readTree(), mount.source);
  if (node === undefined) throw makeInstructionError(instruction, `"${mount.source}" of the mount is not in ${mount.from === undefined ? session.context.name : `"${mount.from}"`}, expected a path in it`, flag);
  return { mount, flag, target, node };
}

async function digestTree(node: Node): Promise<string> {
  const hash = createHash('sha256');
  const all = [{ path: '', node }, ...walkTree(node)];
  for (const { path, node: each } of all) {
    const { kind, mode, uid, gid, target } = each;
    hash.update(JSON.stringify([path, kind, mode, uid, gid, target ?? null, kind === 'file' ? await digestContent(each) : null]));
  }
  return hash.digest('hex');
}

export async function planRun(instruction: Instruction, session: Session, state: StageState, expansion: Expansion, step: () => Step): Promise<FileChange> {
  const { argv, script } = readCommand(instruction, state);
  const network = readFlag(instruction, 'network');
  const networkText = network === undefined ? session.settings.network : expandFlag(instruction, network, expansion);
  if (!NETWORKS.includes(networkText)) throw makeInstructionError(instruction, `"--network=${networkText}", ${expectOneOf(networkText, NETWORKS)}`, network);
  const device = readFlag(instruction, 'device');
  if (device !== undefined) throw makeInstructionError(instruction, '"--device" is not granted here, expected a RUN without devices', device);
  const security = readFlag(instruction, 'security');
  if (security !== undefined && expandFlag(instruction, security, expansion) !== 'sandbox') throw makeInstructionError(instruction, '"--security" other than sandbox is not granted here, expected --security=sandbox', security);
  const mounts = await Promise.all(readMounts(instruction, state, expansion).map((mount) => findBound(instruction, session, mount)));
  const args = new Map([...state.declared].flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
  const env = new Map([...args, ...state.config.Env]);
  const described = await Promise.all(
    mounts.map(async ({ mount, target, node }) => [mount.type, target, mount.id ?? null, mount.env ?? null, mount.mode ?? null, mount.uid, mount.gid, mount.isReadOnly, node === undefined || mount.type === 'cache' ? null : await digestTree(node)]),
  );
  const key = makeKey(['run', ...(state.platform.architecture === 'amd64' ? [] : [formatPlatform(state.platform)]), state.chainId(), argv, script ?? null, [...env].sort(), state.config.WorkingDir ?? '', state.config.User ?? '', networkText, described, session.settings.epoch ?? null]);
  for (const name of PREDEFINED) {
    const value = session.arguments.given.get(name);
    if (value !== undefined && !env.has(name)) env.set(name, value);
  }
  return { key, make: () => execute(instruction, session, state, { argv, script, env, mounts, network: networkText === 'none' ? 'none' : 'host' }, step()) };
}

interface Execution {
  readonly argv: readonly string[];
  readonly script: string | undefined;
  readonly env: Map<string, string>;
  readonly mounts: readonly BoundMount[];
  readonly network: 'host' | 'none';
}

async function findUser(instruction: Instruction, session: Session, state: StageState): Promise<ProcessUser> {
  const root = await state.readTree();
  const read = (path: string) => readText(findNode(root, path).node, session.cache);
  try {
    return findProcessUser(state.config.User ?? '', { passwd: await read('etc/passwd'), group: await read('etc/group') });
  } catch (error) {
    if (error instanceof UnknownUser) throw makeInstructionError(instruction, `USER ${state.config.User}: ${error.message}`);
    throw error;
  }
}

async function execute(instruction: Instruction, session: Session, state: StageState, execution: Execution, step: Step): Promise<string | undefined> {
  try {
    checkSandbox();
  } catch (error) {
    throw makeInstructionError(instruction, (error as Error).message);
  }
  const foreign = explainForeign(state.platform);
  if (foreign !== undefined) throw makeInstructionError(instruction, foreign);
  const root = await state.readTree();
  const user = await findUser(instruction, session, state);
  const layers: string[] = [];
  for (const diffId of state.layers) layers.push(await unpackLayer(diffId, session.cache, session.work));
  const env = new Map([['PATH', DEFAULT_PATH], ['HOME', user.home], ...execution.env]);
  const { mounts, locks } = await makeMounts(instruction, session, execution, env);
  const folder = session.work.newPath('run');
  mkdirSync(folder, { mode: 0o755 });
  const workdir = findNode(root, state.config.WorkingDir || '/').node?.children === undefined ? '/' : state.config.WorkingDir || '/';
  const { status, upper, stubs } = await runInSandbox({
    ...{ folder, layers, root, argv: execution.argv, env, workdir, user, mounts, locks },
    network: execution.network,
    become: session.host.become,
    output: (stream, bytes) => step.output(stream, bytes),
    ...(session.host.started === undefined ? {} : { started: session.host.started }),
  });
  if (status !== 0) {
    removeTree(folder);
    const shown = execution.argv.map((text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : text.length > 200 ? `${text.slice(0, 200)}…` : text)).join(' ');
    throw new BuildError('run-failed', makeInstructionError(instruction, `process "${shown.replaceAll('\n', ' ')}" did not complete successfully: exit code: ${status}`).message, { status });
  }
  const diffId = await packUpper(upper, root, stubs, (entries) => session.cache.write(entries, session.settings.epoch));
  removeTree(folder);
  return diffId;
}

/** A cache that begins with files of a stage or an image; one that is there already goes on as it is. */
async function beginCache(path: string, node: Node, session: Session): Promise<void> {
  if (existsSync(path)) return;
  const folder = session.work.newPath('cache');
  mkdirSync(folder, { mode: 0o755 });
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  await materialize(node, 'begin', folder, await fetchContents([node, ...[...walkTree(node)].map((each) => each.node)], session.cache));
  finish(join(folder, 'begin'), path);
}

async function makeMounts(instruction: Instruction, session: Session, execution: Execution, env: Map<string, string>): Promise<{ mounts: SandboxMount[]; locks: string[] }> {
  const mounts: SandboxMount[] = [];
  const locks: string[] = [];
  // Names of this host's network and addresses.
  for (const path of ['/etc/resolv.conf', '/etc/hosts']) {
    if (execution.network === 'host') mounts.push({ target: path, kind: 'bind-read-only', isFile: true, source: path });
  }
  if (execution.script !== undefined) mounts.push({ target: SCRIPT, kind: 'data', isFile: true, bytes: Buffer.from(execution.script), mode: 0o755 });
  for (const { mount, flag, target, node } of execution.mounts) {
    if (mount.type === 'tmpfs') mounts.push({ target, kind: 'tmpfs', isFile: false, mode: mount.mode ?? 0o1777, ...(mount.size === undefined ? {} : { size: mount.size }) });
    else if (mount.type === 'secret') {
      const id = mount.id ?? (mount.source !== '' ? mount.source : basename(target));
      const secret = session.settings.secrets.get(id);
      if (secret === undefined) {
        if (mount.isRequired) throw makeInstructionError(instruction, `secret "${id}" is not there, expected --secret id=${id},src=FILE`, flag);
        continue;
      }
      if (mount.env !== undefined) env.set(mount.env, Buffer.from(secret.bytes).toString());
      if (target === '') continue;
      // The file is root's: another owner may read it as if it were its own.
      const mode = mount.mode ?? 0o400;
      mounts.push({ target, kind: 'data', isFile: true, bytes: secret.bytes, mode: mount.uid === 0 && mount.gid === 0 ? mode : mode | ((mode >> 6) & 7) });
    } else if (mount.type === 'ssh') {
      const id = mount.id ?? 'default';
      const socket = session.settings.agents.get(id);
      if (socket === undefined) {
        if (mount.isRequired) throw makeInstructionError(instruction, `the agent "${id}" is not there, expected --ssh ${id}${id === 'default' ? '' : '=SOCKET'}`, flag);
        continue;
      }
      if (!env.has('SSH_AUTH_SOCK')) env.set('SSH_AUTH_SOCK', target);
      mounts.push({ target, kind: 'bind', isFile: true, source: socket });
    } else if (mount.type === 'cache') {
      const begin = mount.from === undefined ? [] : [mount.from, mount.source];
      const name = createHash('sha256').update(JSON.stringify([mount.id ?? target, mount.uid, mount.gid, ...begin])).digest('hex').slice(0, 32);
      const path = join(session.cache.folder, 'mounts', name);
      if (node !== undefined) await beginCache(path, node, session);
      else if (mkdirSync(path, { recursive: true, mode: 0o755 }) !== undefined) {
        chmodSync(path, mount.mode ?? 0o755);
        if ((mount.uid !== 0 || mount.gid !== 0) && process.geteuid?.() === 0) chownSync(path, mount.uid, mount.gid);
      }
      if (mount.isLocked) locks.push(path);
      mounts.push({ target, kind: mount.isReadOnly ? 'bind-read-only' : 'bind', isFile: false, source: path });
    } else {
      const folder = session.work.newPath('bind');
      mkdirSync(folder, { mode: 0o755 });
      const all = [node as Node, ...[...walkTree(node as Node)].map((each) => each.node)];
      await materialize(node as Node, 'source', folder, await fetchContents(all, session.cache));
      mounts.push({ target: target === '/' ? '/' : target, kind: mount.isReadOnly ? 'bind-read-only' : 'bind', isFile: node?.kind === 'file', source: join(folder, 'source') });
    }
  }
  return { mounts, locks };
}
